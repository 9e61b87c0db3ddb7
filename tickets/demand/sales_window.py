"""The sales window of a draw, and its claims per hour.

Claims are counted per clock hour, so positions are hours before the end of the clock hour of the close: if
sales close at 21:59, 1.5 is 20:30, and hour 1 lasts from 2 to 1.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from predictions.powerball import draw_instant, last_draw, sales_close

HOURS = 73  # longest window: three days, plus an hour for a clock change
HOUR = timedelta(hours=1)


def floor_to_hour(instant: datetime) -> datetime:
    return instant.replace(minute=0, second=0, microsecond=0)


def estimated_requests(claims: int, refused: int) -> int:
    """Return granted plus refused claims; at most `claims + 1` refusals count, since clients retry."""
    return claims + min(refused, claims + 1)


@dataclass(frozen=True)
class HourCount:
    """Claims of the clock hour that begins at `hour`; `tickets` belong to the `granted` claims."""

    hour: datetime
    requested: int
    granted: int
    tickets: int


@dataclass(frozen=True)
class SalesHistory:
    """Claims for one draw so far: `requested` per hour (HOURS,), and tickets of the `granted` claims.

    `weekday` is 0 for Monday; `opened` and `closed` are positions.
    """

    weekday: int
    opened: float
    closed: float
    requested: NDArray[np.float64]
    granted: int
    tickets: int

    @property
    def exposure(self) -> NDArray[np.float64]:
        """Return the fraction of each hour (HOURS,) on sale."""
        starts = np.arange(HOURS)
        return np.clip(np.minimum(starts + 1, self.opened) - np.maximum(starts, self.closed), 0, 1)


@dataclass(frozen=True)
class SalesWindow:
    """The time from the previous draw to the sales cut-off of a draw."""

    draw_date: date
    opened: datetime
    closed: datetime

    @classmethod
    def of(cls, draw_date: date, cutoff: time) -> "SalesWindow":
        """Return the window of a draw, with the cut-off in US Eastern time."""
        previous = last_draw(draw_instant(draw_date) - timedelta(seconds=1))
        return cls(draw_date, draw_instant(previous), sales_close(draw_date, cutoff))

    @cached_property
    def _end(self) -> datetime:
        start_of_hour = floor_to_hour(self.closed)
        return start_of_hour if start_of_hour == self.closed else start_of_hour + HOUR

    def hours_to_close(self, instant: datetime) -> float:
        return (self._end - instant) / HOUR

    def instant(self, hours_to_close: float) -> datetime:
        return self._end - hours_to_close * HOUR

    def history(self, counts: Iterable[HourCount]) -> SalesHistory:
        """Sum counts to a history, without claims from before the window opened."""
        requested = np.zeros(HOURS)
        granted = tickets = 0
        hours = min(math.ceil(self.hours_to_close(self.opened)), HOURS)
        for count in counts:
            hour = round(self.hours_to_close(count.hour)) - 1
            if 0 <= hour < hours:
                requested[hour] += count.requested
                granted += count.granted
                tickets += count.tickets
        return SalesHistory(
            weekday=self.draw_date.weekday(),
            opened=self.hours_to_close(self.opened),
            closed=self.hours_to_close(self.closed),
            requested=requested,
            granted=granted,
            tickets=tickets,
        )
