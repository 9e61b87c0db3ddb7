"""Adaptive weights: the shares of v1's strategies, updated by each new draw and stored as a history."""

from collections.abc import Mapping
from datetime import date

from django.db import transaction

from predictions.distributions.components import Component, components_from_json
from predictions.distributions.fixed_share import equal_shares, fixed_share_update
from predictions.models import Draw, Prediction, StrategyShares
from predictions.modes.v1 import STRATEGIES, V1, log_likelihoods

Origin = StrategyShares.Origin
ADAPTIVE_MODE = V1.name  # the only mode whose mixture adapts


def current_shares(before: date | None = None) -> dict[str, float] | None:
    """Return the current shares, or those that apply to the draw of a date; None until a first update.

    Updates by that draw or later ones are ignored, even if they are stored already.
    """
    rows = StrategyShares.objects.filter(mode=ADAPTIVE_MODE).order_by("-draw_date", "-id")
    newest = (rows if before is None else rows.filter(draw_date__lt=before)).first()
    return None if newest is None else newest.shares


def update_shares(before: date | None = None) -> list[StrategyShares]:
    """Update the shares by every draw since the last update and before a date, in order; return the new rows.

    A draw counts if v1 predicted it; of several predictions the newest counts, which tickets were generated
    from. The likelihoods are those of its stored components. A draw that arrives after a later one, or is
    corrected, updates nothing: the history is never rewritten.
    """
    newest = StrategyShares.objects.filter(mode=ADAPTIVE_MODE).order_by("-draw_date").first()
    predictions = Prediction.objects.filter(mode=ADAPTIVE_MODE).order_by("draw_date", "id")
    if newest is not None:
        predictions = predictions.filter(draw_date__gt=newest.draw_date)
    if before is not None:
        predictions = predictions.filter(draw_date__lt=before)
    prediction_by_date = {prediction.draw_date: prediction for prediction in predictions}
    draws = Draw.objects.filter(draw_date__in=prediction_by_date).order_by("draw_date")
    updates = [_apply_draw(prediction_by_date[draw.draw_date], draw) for draw in draws]
    return [row for row, created in updates if row is not None and created]


@transaction.atomic
def _apply_draw(prediction: Prediction, draw: Draw) -> tuple[StrategyShares | None, bool]:
    """Return the row of a draw and whether this call created it; None if the draw has been deleted.

    Another run may have created the row first. The draw is locked, so it cannot be deleted in between.
    """
    if not Draw.objects.select_for_update().filter(pk=draw.pk).first():
        return None, False
    components = {component.strategy: component for component in components_from_json(prediction.components)}
    shares = current_shares(before=draw.draw_date) or _shares_of(components)
    likelihoods = log_likelihoods(components, draw.white_balls, draw.powerball)
    return StrategyShares.objects.get_or_create(
        mode=ADAPTIVE_MODE,
        origin=Origin.DRAW,
        draw_date=draw.draw_date,
        defaults={
            "prediction": prediction,
            "shares": fixed_share_update(shares, likelihoods),
            "log_losses": {name: -likelihood for name, likelihood in likelihoods.items()},
        },
    )


def _shares_of(components: Mapping[str, Component]) -> dict[str, float]:
    """Return the shares of a prediction's components; a strategy that it omits gets an equal share."""
    missing = [name for name in STRATEGIES if name not in components]
    remainder = 1 - len(missing) / len(STRATEGIES)
    return {
        name: components[name].share * remainder if name in components else 1 / len(STRATEGIES)
        for name in STRATEGIES
    }


def reset_shares(on: date) -> StrategyShares:
    """Set equal shares, which only draws after `on` will update."""
    return StrategyShares.objects.create(
        mode=ADAPTIVE_MODE, origin=Origin.RESET, draw_date=on, shares=equal_shares(STRATEGIES)
    )
