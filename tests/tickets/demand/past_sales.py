"""Sales of past draws, made up as plainly as the forecast's tests need them."""

from dataclasses import replace
from datetime import date, time

import numpy as np

from predictions.powerball import draw_instant, next_draw
from tickets.demand.forecast import PAST_DRAWS, DemandModel, fit
from tickets.demand.sales_window import HOURS, SalesHistory, SalesWindow

CUTOFF = time(21, 59)
SATURDAY = date(2026, 1, 3)
BY_WEEKDAY = {0: 1.0, 2: 1.0, 5: 2.0}


def spans(count: int) -> list[SalesWindow]:
    days = [SATURDAY]
    while len(days) < count:
        days.append(next_draw(draw_instant(days[-1])))
    return [SalesWindow.of(day, CUTOFF) for day in days]


def surge(hours: int = 3, times: float = 5.0) -> np.ndarray:
    return np.where(np.arange(HOURS) < hours, times, 1.0)


def sold(span: SalesWindow, level: float, profile: np.ndarray | None = None, size: int = 4) -> SalesHistory:
    """A whole sale in which claims came exactly as a level and a profile let expect."""
    empty = span.sale([])
    asked = level * (np.ones(HOURS) if profile is None else profile) * empty.exposure
    granted = round(asked.sum())
    return replace(empty, asked=asked, granted=granted, tickets=size * granted)


def up_to(sale: SalesHistory, place: float) -> SalesHistory:
    """What of a sale was known when its hours down to a whole place were over."""
    return replace(sale, asked=np.where(np.arange(HOURS) >= place, sale.asked, 0.0))


def gamma_past(seed: int, draws: int, shape: float, level: float = 30.0) -> list[SalesHistory]:
    generator = np.random.default_rng(seed)
    levels = generator.gamma(shape, level / shape, draws)
    means = [sold(span, one, surge()) for span, one in zip(spans(draws), levels, strict=True)]
    return [replace(one, asked=generator.poisson(one.asked).astype(float)) for one in means]


def known() -> DemandModel:
    return fit([sold(span, 30.0, surge()) for span in spans(PAST_DRAWS)])
