"""A simulated season of one mode: claims per minute, and replenishment by the production code.

Claims arrive at gamma-Poisson rates: a level per draw and weekday, ten-fold for 5 % of the draws, a daily
cycle, five times as many claims in the last three hours, and a gamma factor per hour. A claim is for 1 to 50
tickets. After each draw its claims per hour are known, as in production. The pipeline's own batch is in stock
when a sale opens. Replenishment runs after each minute with claims and is delivered a minute later. Refused
claims are not retried.
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

SEED = 1
DRAWS = 156  # a year of three a week
FIRST_DRAW = date(2026, 1, 3)
CUTOFF = time(21, 59)
MINUTE = timedelta(minutes=1)
PIPELINE_BATCH = 100  # tickets
MOST = 100_000  # a policy's default

LEVEL, LEVEL_SHAPE = 20.0, 4.0  # claims per hour outside the surge, and the shape of its gamma factor
HOUR_SHAPE = 6.0  # of the gamma factor per hour
BY_WEEKDAY = {0: 0.9, 2: 0.8, 5: 1.3}
RUSHES, RUSH = round(0.05 * DRAWS), 10.0
SURGE_MINUTES, SURGE = 180, 5.0
SIZES, SIZE_CHANCES = (1, 2, 5, 10, 50), (0.3, 0.25, 0.25, 0.15, 0.05)


Decide = Callable[[ReorderPolicy, int, int], int]  # policy, available, on order -> tickets to order


@dataclass(frozen=True)
class Day:
    """One draw's demand: the claims in each minute of its sale, and the tickets of each claim."""

    window: SalesWindow
    is_rush: bool
    counts: NDArray[np.int64]
    sizes: NDArray[np.int64]

    def known_at(self, minute: int) -> SalesHistory:
        """Return the history after some minutes, if every claim was granted."""
        hours_left = self.window.hours_to_close(self.window.opened) - np.arange(minute) / 60
        counts = self.counts[:minute]
        granted = int(counts.sum())
        return replace(
            self.window.history([]),
            requested=np.bincount(np.ceil(hours_left).astype(int) - 1, weights=counts, minlength=HOURS),
            granted=granted,
            tickets=int(self.sizes[:granted].sum()),
        )


@dataclass(frozen=True)
class Outcome:
    """The result of a draw: `missed` of its `claims` were refused as out of stock."""

    draw_date: date
    is_rush: bool
    claims: int
    missed: int
    claimed: int
    made: int
    orders: int


def days(seed: int) -> Iterator[Day]:
    generator = np.random.default_rng(seed)
    draw_date, rushes = FIRST_DRAW, generator.choice(DRAWS, RUSHES, replace=False)
    for number in range(DRAWS):
        window = SalesWindow.of(draw_date, CUTOFF)
        is_rush = bool((rushes == number).any())
        level = LEVEL * BY_WEEKDAY[draw_date.weekday()] * generator.gamma(LEVEL_SHAPE) / LEVEL_SHAPE
        profile = _profile(window)
        factors = generator.gamma(HOUR_SHAPE, 1 / HOUR_SHAPE, len(profile) // 60 + 1).repeat(60)
        rates = level * (RUSH if is_rush else 1.0) * profile * factors[: len(profile)] / 60
        counts = generator.poisson(rates)
        yield Day(window, is_rush, counts, generator.choice(SIZES, counts.sum(), p=SIZE_CHANCES))
        draw_date = next_draw(draw_instant(draw_date))


def _profile(window: SalesWindow) -> NDArray[np.float64]:
    """Return the relative rate per minute of the sale: a daily cycle that peaks at 18:00, and the surge."""
    left = np.arange((window.closed - window.opened) // MINUTE, 0, -1)
    by_day = 1 + 0.5 * np.cos(2 * np.pi * (left / 60 - 4) / 24)
    return by_day * np.where(left <= SURGE_MINUTES, SURGE, 1.0)


def fixed_floor(policy: ReorderPolicy, available: int, on_order: int) -> int:
    """Keep MIN_STOCK tickets: the baseline, without a forecast."""
    return max(0, MIN_STOCK - available - on_order)


class Shelf:
    def __init__(self, window: SalesWindow, model: DemandModel, decide: Decide, delivery: int) -> None:
        self.model, self.history, self.decide = model, window.history([]), decide
        self.due = deque([0] * delivery)  # deliveries of the next minutes
        self.available = self.made = PIPELINE_BATCH
        self.on_order = self.orders = self.missed = 0
        self.hour, self.claims, self.refused = -1, 0, 0  # counters of the current hour

    def replenish(self, hours_left: float, is_checked: bool) -> None:
        """Receive the delivery of this minute, and order what is needed now."""
        arrived, order = self.due.popleft(), 0
        self.available, self.on_order = self.available + arrived, self.on_order - arrived
        if is_checked:
            order = self.decide(
                ReorderPolicy(self.model, self.history, hours_left, MOST), self.available, self.on_order
            )
        self.due.append(order)
        self.on_order, self.made, self.orders = (
            self.on_order + order,
            self.made + order,
            self.orders + bool(order),
        )

    def sell(self, hours_left: float, sizes: Sequence[int]) -> None:
        """Process claims of these sizes in turn, each all or nothing."""
        initial, granted = self.available, 0
        for size in sizes:
            if size <= self.available:
                self.available -= size
                granted += 1
        self.missed += len(sizes) - granted
        self._count(math.ceil(hours_left) - 1, granted, len(sizes) - granted)
        self.history = replace(
            self.history,
            granted=self.history.granted + granted,
            tickets=self.history.tickets + initial - self.available,
        )

    def _count(self, hour: int, granted: int, refused: int) -> None:
        if hour != self.hour:
            self.hour, self.claims, self.refused = hour, 0, 0
        self.claims, self.refused = self.claims + granted, self.refused + refused
        self.history.requested[hour] = estimated_requests(self.claims, self.refused)


def sell(day: Day, shelf: Shelf) -> Outcome:
    """Simulate the sale of one draw, minute by minute."""
    opened, sizes = day.window.hours_to_close(day.window.opened), iter(day.sizes.tolist())
    counts = day.counts.tolist()
    for minute, (before, count) in enumerate(zip([1, *counts], counts, strict=False)):
        hours_left = opened - minute / 60
        shelf.replenish(hours_left, is_checked=before > 0)
        if count:
            shelf.sell(hours_left, list(islice(sizes, count)))
    return Outcome(
        draw_date=day.window.draw_date,
        is_rush=day.is_rush,
        claims=len(day.sizes),
        missed=shelf.missed,
        claimed=shelf.history.tickets,
        made=shelf.made,
        orders=shelf.orders,
    )


def season(seed: int, decide: Decide = ReorderPolicy.order_quantity, delivery: int = 1) -> list[Outcome]:
    """Simulate a season with a model fitted before each draw; `delivery` is in minutes."""
    past: list[SalesHistory] = []
    outcomes = []
    for day in days(seed):
        shelf = Shelf(day.window, fit(past[-PAST_DRAWS:]), decide, delivery)
        outcomes.append(sell(day, shelf))
        past.append(shelf.history)
    return outcomes


@dataclass(frozen=True)
class Totals:
    claims: int
    missed: int
    claimed: int
    made: int
    orders: int

    @classmethod
    def of(cls, outcomes: Sequence[Outcome]) -> "Totals":
        names = ("claims", "missed", "claimed", "made", "orders")
        return cls(**{name: sum(getattr(outcome, name) for outcome in outcomes) for name in names})

    @property
    def missed_share(self) -> float:
        return self.missed / self.claims

    @property
    def made_a_claimed(self) -> float:
        return self.made / self.claimed
