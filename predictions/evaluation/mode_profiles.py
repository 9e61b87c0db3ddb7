"""What is known of each mode: what it learned from, what tickets it makes, and what it is worth."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.db.models import Max

from predictions.distributions.components import components_from_json
from predictions.evaluation.comparison import Comparison
from predictions.models import Backtest, Prediction, TrainedModel
from predictions.modes.registry import MODE_NAMES
from predictions.powerball import CURRENT_ERA

ODDS_JACKPOT = f"1 in {CURRENT_ERA.tickets:,}"  # of every ticket, whatever made it
NOT_MEASURED = "not measured: no backtest of this mode has been run"


@dataclass(frozen=True)
class StrategyShare:
    """A strategy, and its share of a mode's tickets."""

    name: str
    share: float


@dataclass(frozen=True)
class ModeProfile:
    """A mode: its active model, what its newest backtest found, and the strategies of its newest law."""

    mode: str
    model: TrainedModel | None
    skill: Comparison | None
    strategies: list[StrategyShare]
    note: str
    odds_jackpot: str = ODDS_JACKPOT


def mode_profiles() -> list[ModeProfile]:
    """Every mode in the usual order, in three queries."""
    active = TrainedModel.objects.filter(active=True).only("mode", "created_at", "draws_through", "pinned")
    models = {model.mode: model for model in active}
    skills, laws = _newest_skills(), _newest_laws()
    return [_profile(mode, models.get(mode), skills.get(mode), laws.get(mode)) for mode in MODE_NAMES]


def _newest_skills() -> Mapping[str, Comparison]:
    """Each mode's figures in the newest backtest that measured it."""
    found: dict[str, Comparison] = {}
    for results in Backtest.objects.with_results().values_list("results", flat=True).iterator(chunk_size=10):
        found = {mode: Comparison.from_json(stored) for mode, stored in results.items()} | found
        if found.keys() >= set(MODE_NAMES):
            break
    return found


def _newest_laws() -> Mapping[str, Prediction]:
    newest = Prediction.objects.order_by().values("mode").annotate(newest=Max("id")).values("newest")
    return {
        law.mode: law for law in Prediction.objects.filter(pk__in=newest).only("mode", "components", "note")
    }


def _profile(
    mode: str, model: TrainedModel | None, skill: Comparison | None, law: Prediction | None
) -> ModeProfile:
    notes = [NOT_MEASURED if skill is None else skill.verdict]
    strategies: list[StrategyShare] = []
    if law is not None:
        notes.append(law.note)
        try:
            components = components_from_json(law.components)
            strategies = [StrategyShare(one.strategy, one.share) for one in components]
        except ValueError as error:
            notes.append(f"its newest law is broken: {error}")
    return ModeProfile(mode, model, skill, strategies, "; ".join(filter(None, notes)))
