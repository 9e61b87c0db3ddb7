"""Adaptive weights: the shares of v1's strategies, moved by each new draw and kept as a history."""

from collections.abc import Mapping
from datetime import date

from django.db import transaction

from predictions.distributions.components import Component, components_from_json
from predictions.distributions.fixed_share import equal_shares, fixed_share_update
from predictions.models import Draw, Prediction, StrategyShares
from predictions.modes.v1 import STRATEGIES, V1, log_likelihoods

Origin = StrategyShares.Origin
ADAPTIVE_MODE = V1.name  # the one mode whose mixture adapts


def current_shares(before: date | None = None) -> dict[str, float] | None:
    """The shares in force for a draw, or now; None while no draw has moved them: the model's own hold.

    What that draw or a later one has moved is not seen, though it may be stored already.
    """
    rows = StrategyShares.objects.filter(mode=ADAPTIVE_MODE).order_by("-draw_date", "-id")
    newest = (rows if before is None else rows.filter(draw_date__lt=before)).first()
    return None if newest is None else newest.shares


def update_shares(before: date | None = None) -> list[StrategyShares]:
    """Move the shares by every draw before a date that has become known since the last, in their order.

    A draw counts if v1 had a law for it, which held nothing from that draw on; the newest of several is
    the one that tickets were made from. The likelihoods are those of the components as they were stored.
    A draw that comes late, after a later one, or is corrected, moves nothing: the history stays as it was.
    """
    newest = StrategyShares.objects.filter(mode=ADAPTIVE_MODE).order_by("-draw_date").first()
    laws = Prediction.objects.filter(mode=ADAPTIVE_MODE).order_by("draw_date", "id")
    if newest is not None:
        laws = laws.filter(draw_date__gt=newest.draw_date)
    if before is not None:
        laws = laws.filter(draw_date__lt=before)
    last_of_draw = {law.draw_date: law for law in laws}
    draws = Draw.objects.filter(draw_date__in=last_of_draw).order_by("draw_date")
    moved = [_apply_draw(last_of_draw[draw.draw_date], draw) for draw in draws]
    return [row for row, is_new in moved if row is not None and is_new]


@transaction.atomic
def _apply_draw(law: Prediction, draw: Draw) -> tuple[StrategyShares | None, bool]:
    """Return the row of a draw and whether this call created it; None if the draw has been deleted.

    Another run may have created the row first. The draw is locked, so it cannot be deleted in between.
    """
    if not Draw.objects.select_for_update().filter(pk=draw.pk).first():
        return None, False
    components = {one.strategy: one for one in components_from_json(law.components)}
    shares = current_shares(before=draw.draw_date) or _shares_of(components)
    likelihoods = log_likelihoods(components, draw.white_balls, draw.powerball)
    return StrategyShares.objects.get_or_create(
        mode=ADAPTIVE_MODE,
        origin=Origin.DRAW,
        draw_date=draw.draw_date,
        defaults={
            "prediction": law,
            "shares": fixed_share_update(shares, likelihoods),
            "log_losses": {name: -likelihood for name, likelihood in likelihoods.items()},
        },
    )


def _shares_of(components: Mapping[str, Component]) -> dict[str, float]:
    """The shares a law was made with; a strategy that was left out of it holds an equal part."""
    missing = [name for name in STRATEGIES if name not in components]
    rest = 1 - len(missing) / len(STRATEGIES)
    return {
        name: components[name].share * rest if name in components else 1 / len(STRATEGIES)
        for name in STRATEGIES
    }


def reset_shares(on: date) -> StrategyShares:
    """Start again with equal shares; only draws after `on` will move them."""
    return StrategyShares.objects.create(
        mode=ADAPTIVE_MODE, origin=Origin.RESET, draw_date=on, shares=equal_shares(STRATEGIES)
    )
