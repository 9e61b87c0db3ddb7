"""Synthetic sales histories of past draws."""

from dataclasses import replace
from datetime import date, time

import numpy as np

from predictions.powerball import draw_instant, next_draw
from tickets.demand.forecast import PAST_DRAWS, DemandModel, fit
from tickets.demand.sales_window import HOURS, SalesHistory, SalesWindow

CUTOFF = time(21, 59)
SATURDAY = date(2026, 1, 3)
BY_WEEKDAY = {0: 1.0, 2: 1.0, 5: 2.0}


def windows(count: int) -> list[SalesWindow]:
    days = [SATURDAY]
    while len(days) < count:
        days.append(next_draw(draw_instant(days[-1])))
    return [SalesWindow.of(day, CUTOFF) for day in days]


def surge(hours: int = 3, times: float = 5.0) -> np.ndarray:
    return np.where(np.arange(HOURS) < hours, times, 1.0)


def sold(window: SalesWindow, level: float, profile: np.ndarray | None = None, size: int = 4) -> SalesHistory:
    """Return a complete history whose claims are exactly rate x profile."""
    empty = window.history([])
    requested = level * (np.ones(HOURS) if profile is None else profile) * empty.exposure
    granted = round(requested.sum())
    return replace(empty, requested=requested, granted=granted, tickets=size * granted)


def up_to(history: SalesHistory, hours_left: float) -> SalesHistory:
    """Return a history as it was at `hours_left`, a whole number."""
    return replace(history, requested=np.where(np.arange(HOURS) >= hours_left, history.requested, 0.0))


def gamma_past(seed: int, draws: int, shape: float, level: float = 30.0) -> list[SalesHistory]:
    generator = np.random.default_rng(seed)
    levels = generator.gamma(shape, level / shape, draws)
    means = [sold(window, level, surge()) for window, level in zip(windows(draws), levels, strict=True)]
    return [replace(mean, requested=generator.poisson(mean.requested).astype(float)) for mean in means]


def known() -> DemandModel:
    return fit([sold(window, 30.0, surge()) for window in windows(PAST_DRAWS)])
