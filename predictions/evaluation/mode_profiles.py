"""Mode profiles: the active model, measured skill and strategies of each mode."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.db.models import Max

from predictions.distributions.components import components_from_json
from predictions.evaluation.comparison import Comparison
from predictions.models import Backtest, Prediction, TrainedModel
from predictions.modes.registry import MODE_NAMES
from predictions.powerball import CURRENT_ERA

ODDS_JACKPOT = f"1 in {CURRENT_ERA.ticket_count:,}"  # of every ticket, whatever its mode
NOT_MEASURED = "not measured: no backtest of this mode has been run"


@dataclass(frozen=True)
class StrategyShare:
    name: str
    share: float


@dataclass(frozen=True)
class ModeProfile:
    """A mode's active model, result in the newest backtest, and strategies of the newest prediction."""

    mode: str
    model: TrainedModel | None
    skill: Comparison | None
    strategies: list[StrategyShare]
    note: str
    odds_jackpot: str = ODDS_JACKPOT


def mode_profiles() -> list[ModeProfile]:
    """Return the profiles of all modes in display order, in three queries."""
    active = TrainedModel.objects.filter(active=True).only("mode", "created_at", "draws_through", "pinned")
    models = {model.mode: model for model in active}
    skills, predictions = _newest_skills(), _newest_predictions()
    return [
        _build_profile(mode, models.get(mode), skills.get(mode), predictions.get(mode)) for mode in MODE_NAMES
    ]


def _newest_skills() -> Mapping[str, Comparison]:
    """Return each mode's comparison in the newest backtest that measured it."""
    skills: dict[str, Comparison] = {}
    for results in Backtest.objects.with_results().values_list("results", flat=True).iterator(chunk_size=10):
        skills = {mode: Comparison.from_json(stored) for mode, stored in results.items()} | skills
        if skills.keys() >= set(MODE_NAMES):
            break
    return skills


def _newest_predictions() -> Mapping[str, Prediction]:
    newest = Prediction.objects.order_by().values("mode").annotate(newest=Max("id")).values("newest")
    predictions = Prediction.objects.filter(pk__in=newest).only("mode", "components", "note")
    return {prediction.mode: prediction for prediction in predictions}


def _build_profile(
    mode: str, model: TrainedModel | None, skill: Comparison | None, prediction: Prediction | None
) -> ModeProfile:
    notes = [NOT_MEASURED if skill is None else skill.verdict]
    strategies: list[StrategyShare] = []
    if prediction is not None:
        notes.append(prediction.note)
        try:
            components = components_from_json(prediction.components)
            strategies = [StrategyShare(component.strategy, component.share) for component in components]
        except ValueError as error:
            notes.append(f"its newest prediction is invalid: {error}")
    return ModeProfile(mode, model, skill, strategies, "; ".join(filter(None, notes)))
