"""Whether the stored draws look as fair draws would: one report a set of draws."""

from predictions.draws.randomness import randomness_report
from predictions.draws.sources import DrawHistory
from predictions.models import RandomnessReport


def report_of(known: DrawHistory) -> RandomnessReport:
    """The report of exactly these draws: taken once, and found again by their fingerprint.

    ValueError where there is no draw.
    """
    if known.through is None:
        raise ValueError("there is no draw to report on")
    fingerprint = known.fingerprint()
    if stored := RandomnessReport.objects.filter(draws_fingerprint=fingerprint).first():
        return stored
    taken = randomness_report(known.history)
    report, _ = RandomnessReport.objects.get_or_create(
        draws_fingerprint=fingerprint,
        defaults={
            "draws": taken.draws,
            "draws_through": known.through,
            "figures": taken.as_json(),
            "verdict": taken.verdict,
        },
    )
    return report
