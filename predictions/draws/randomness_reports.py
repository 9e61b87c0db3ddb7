"""Stored randomness reports, one per set of draws."""

from predictions.draws.randomness import randomness_report
from predictions.draws.sources import DrawHistory
from predictions.models import RandomnessReport


def create_randomness_report(draw_history: DrawHistory) -> RandomnessReport:
    """Return the report on exactly these draws, created on first use; raise ValueError if there are none."""
    if draw_history.through is None:
        raise ValueError("there is no draw to report on")
    fingerprint = draw_history.fingerprint()
    if stored := RandomnessReport.objects.filter(draws_fingerprint=fingerprint).first():
        return stored
    randomness = randomness_report(draw_history.history)
    report, _ = RandomnessReport.objects.get_or_create(
        draws_fingerprint=fingerprint,
        defaults={
            "draws": randomness.draws,
            "draws_through": draw_history.through,
            "figures": randomness.as_json(),
            "verdict": randomness.verdict,
        },
    )
    return report
