"""A simulated season of one mode: claims minute by minute, and replenishment that decides as production does.

Claims come at gamma-Poisson rates: a level a draw, by its weekday, ten-fold at 5 % of them; more by day than
by night, five times as many in the last three hours, and each hour has a gamma factor of its own. A claim is
of one ticket to fifty. The season begins without any history; what was asked for a draw is known to those
after it, by the hour, as production keeps it. The pipeline's own batch lies ready when a sale opens.
Replenishment looks after each minute in which something was asked for, where the watchdog looks every ten
seconds; what it orders is there a minute later. A refused claim is lost: nobody asks again.
"""

import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, time, timedelta
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from predictions.powerball import draw_instant, next_draw
from tickets.demand.forecast import PAST_DRAWS, DemandModel, fit
from tickets.demand.reorder import MIN_STOCK, ReorderPolicy
from tickets.demand.sales_window import HOURS, SalesHistory, SalesWindow, estimated_requests

SEED = 1  # of the season that the tests go through
DRAWS = 156  # a year of three a week
FIRST_DRAW = date(2026, 1, 3)
CUTOFF = time(21, 59)
MINUTE = timedelta(minutes=1)
PIPELINE_BATCH = 100  # tickets
MOST = 100_000  # a policy's default

LEVEL, LEVEL_SHAPE = 20.0, 4.0  # claims an hour outside of the surge, and the gamma law of that
HOUR_SHAPE = 6.0  # of each hour's own factor
BY_WEEKDAY = {0: 0.9, 2: 0.8, 5: 1.3}
RUSHES, RUSH = round(0.05 * DRAWS), 10.0  # draws of the season that are ten-fold
SURGE_MINUTES, SURGE = 180, 5.0
SIZES, SIZE_CHANCES = (1, 2, 5, 10, 50), (0.3, 0.25, 0.25, 0.15, 0.05)


Decide = Callable[[ReorderPolicy, int, int], int]  # tickets to order, by what is free and coming


@dataclass(frozen=True)
class Day:
    """One draw's demand: how many claims come in each minute of its sale, and each one's tickets."""

    span: SalesWindow
    is_rush: bool
    counts: NDArray[np.int64]
    sizes: NDArray[np.int64]

    def known_at(self, minute: int) -> SalesHistory:
        """What is counted of the sale after so many minutes, if everything asked for was granted."""
        places = self.span.hours_to_close(self.span.opened) - np.arange(minute) / 60
        counts = self.counts[:minute]
        granted = int(counts.sum())
        return replace(
            self.span.sale([]),
            asked=np.bincount(np.ceil(places).astype(int) - 1, weights=counts, minlength=HOURS),
            granted=granted,
            tickets=int(self.sizes[:granted].sum()),
        )


@dataclass(frozen=True)
class Outcome:
    """What became of a draw: `missed` of its `claims` met too small a stock."""

    draw_date: date
    is_rush: bool
    claims: int
    missed: int
    claimed: int
    made: int
    orders: int


def days(seed: int) -> Iterator[Day]:
    """The demand of a season's draws."""
    generator = np.random.default_rng(seed)
    draw_date, rushes = FIRST_DRAW, generator.choice(DRAWS, RUSHES, replace=False)
    for number in range(DRAWS):
        span = SalesWindow.of(draw_date, CUTOFF)
        is_rush = bool((rushes == number).any())
        level = LEVEL * BY_WEEKDAY[draw_date.weekday()] * generator.gamma(LEVEL_SHAPE) / LEVEL_SHAPE
        profile = _profile(span)
        factors = generator.gamma(HOUR_SHAPE, 1 / HOUR_SHAPE, len(profile) // 60 + 1).repeat(60)
        rates = level * (RUSH if is_rush else 1.0) * profile * factors[: len(profile)] / 60
        counts = generator.poisson(rates)
        yield Day(span, is_rush, counts, generator.choice(SIZES, counts.sum(), p=SIZE_CHANCES))
        draw_date = next_draw(draw_instant(draw_date))


def _profile(span: SalesWindow) -> NDArray[np.float64]:
    """How many times the level claims come, in each minute of the sale: most at 18:00, and the surge."""
    left = np.arange((span.closed - span.opened) // MINUTE, 0, -1)
    by_day = 1 + 0.5 * np.cos(2 * np.pi * (left / 60 - 4) / 24)
    return by_day * np.where(left <= SURGE_MINUTES, SURGE, 1.0)


def fixed_floor(outlook: ReorderPolicy, free: int, coming: int) -> int:
    """The baseline, which forecasts nothing: what has been sold of the least floor is made again."""
    return max(0, MIN_STOCK - free - coming)


class Shelf:
    """The stock of one draw while it is sold, and what of its demand is counted, as production counts it."""

    def __init__(self, span: SalesWindow, pattern: DemandModel, decide: Decide, delivery: int) -> None:
        self.pattern, self.sale, self.decide = pattern, span.sale([]), decide
        self.due = deque([0] * delivery)  # tickets of each minute to come
        self.free = self.made = PIPELINE_BATCH
        self.coming = self.orders = self.missed = 0
        self.hour, self.claims, self.short = -1, 0, 0  # of the hour that is counted

    def replenish(self, place: float, is_looked_at: bool) -> None:
        """What was ordered so many minutes ago has come; order what is lacking now."""
        arrived, order = self.due.popleft(), 0
        self.free, self.coming = self.free + arrived, self.coming - arrived
        if is_looked_at:
            order = self.decide(ReorderPolicy(self.pattern, self.sale, place, MOST), self.free, self.coming)
        self.due.append(order)
        self.coming, self.made, self.orders = (
            self.coming + order,
            self.made + order,
            self.orders + bool(order),
        )

    def sell(self, place: float, sizes: Sequence[int]) -> None:
        """Claims of these sizes, one after the other, each all or nothing."""
        before, granted = self.free, 0
        for size in sizes:
            if size <= self.free:
                self.free -= size
                granted += 1
        self.missed += len(sizes) - granted
        self._count(math.ceil(place) - 1, granted, len(sizes) - granted)
        self.sale = replace(
            self.sale, granted=self.sale.granted + granted, tickets=self.sale.tickets + before - self.free
        )

    def _count(self, hour: int, granted: int, refused: int) -> None:
        if hour != self.hour:
            self.hour, self.claims, self.short = hour, 0, 0
        self.claims, self.short = self.claims + granted, self.short + refused
        self.sale.asked[hour] = estimated_requests(self.claims, self.short)


def sell(day: Day, shelf: Shelf) -> Outcome:
    """Sell one draw's tickets, minute by minute."""
    opened, sizes = day.span.hours_to_close(day.span.opened), iter(day.sizes.tolist())
    counts = day.counts.tolist()
    for minute, (before, count) in enumerate(zip([1, *counts], counts, strict=False)):
        place = opened - minute / 60
        shelf.replenish(place, is_looked_at=before > 0)
        if count:
            shelf.sell(place, list(islice(sizes, count)))
    return Outcome(
        draw_date=day.span.draw_date,
        is_rush=day.is_rush,
        claims=len(day.sizes),
        missed=shelf.missed,
        claimed=shelf.sale.tickets,
        made=shelf.made,
        orders=shelf.orders,
    )


def season(seed: int, decide: Decide = ReorderPolicy.order_quantity, delivery: int = 1) -> list[Outcome]:
    """A whole season; each draw is met with what those before it taught. `delivery` is in minutes."""
    past: list[SalesHistory] = []
    outcomes = []
    for day in days(seed):
        shelf = Shelf(day.span, fit(past[-PAST_DRAWS:]), decide, delivery)
        outcomes.append(sell(day, shelf))
        past.append(shelf.sale)
    return outcomes


@dataclass(frozen=True)
class Totals:
    """What some draws came to together."""

    claims: int
    missed: int
    claimed: int
    made: int
    orders: int

    @classmethod
    def of(cls, outcomes: Sequence[Outcome]) -> "Totals":
        names = ("claims", "missed", "claimed", "made", "orders")
        return cls(**{name: sum(getattr(one, name) for one in outcomes) for name in names})

    @property
    def missed_share(self) -> float:
        return self.missed / self.claims

    @property
    def made_a_claimed(self) -> float:
        """Tickets made for each that was claimed."""
        return self.made / self.claimed
