"""The sale of one draw's tickets, hour by hour before its close: the measure of time that demand is told in.

Places are hours before the end of the clock hour in which sales close: with a close at 21:59, place 1.5 is
20:30, and hour 1 lasts from place 2 to place 1. Clock hours are those by which claims are counted.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from predictions.powerball import draw_instant, last_draw, sales_close

HOURS = 73  # of one draw's sale: three days, and the hour that a change of the clocks adds
HOUR = timedelta(hours=1)


def floor_to_hour(instant: datetime) -> datetime:
    """When its clock hour begins."""
    return instant.replace(minute=0, second=0, microsecond=0)


def estimated_requests(claims: int, short: int) -> int:
    """The claims asked for in an hour, by those granted and the `short` ones, refused for want of stock.

    Who is refused may ask again and again: of the refused no more are believed than were granted, and one.
    """
    return claims + min(short, claims + 1)


@dataclass(frozen=True)
class HourCount:
    """What was asked for in the clock hour that begins at `hour`.

    `asked` are claims, granted or refused for want of stock; of the `granted` ones were so many `tickets`.
    """

    hour: datetime
    asked: int
    granted: int
    tickets: int


@dataclass(frozen=True)
class SalesHistory:
    """One draw's sale, or what of it is over.

    `asked` has shape (HOURS,): the claims of each hour; `weekday` is 0 for Monday; `opened` and `closed` are
    places; of the `granted` claims were so many `tickets`.
    """

    weekday: int
    opened: float
    closed: float
    asked: NDArray[np.float64]
    granted: int
    tickets: int

    @property
    def exposure(self) -> NDArray[np.float64]:
        """How much of each hour is for sale: shape (HOURS,), 0 to 1."""
        starts = np.arange(HOURS)
        return np.clip(np.minimum(starts + 1, self.opened) - np.maximum(starts, self.closed), 0, 1)


@dataclass(frozen=True)
class SalesWindow:
    """From when to when a draw's tickets are sold: from the draw before on, until the cut-off."""

    draw_date: date
    opened: datetime
    closed: datetime

    @classmethod
    def of(cls, draw_date: date, cutoff: time) -> "SalesWindow":
        """`cutoff` is New York's time."""
        before = last_draw(draw_instant(draw_date) - timedelta(seconds=1))
        return cls(draw_date, draw_instant(before), sales_close(draw_date, cutoff))

    @cached_property
    def _end(self) -> datetime:
        whole = floor_to_hour(self.closed)
        return whole if whole == self.closed else whole + HOUR

    def hours_to_close(self, instant: datetime) -> float:
        """Where an instant stands; nought and less after the end."""
        return (self._end - instant) / HOUR

    def instant(self, place: float) -> datetime:
        return self._end - place * HOUR

    def sale(self, counts: Iterable[HourCount]) -> SalesHistory:
        """The sale by its counts; what was claimed before it opened, by naming the draw, is left out."""
        asked = np.zeros(HOURS)
        granted = tickets = 0
        hours = min(math.ceil(self.hours_to_close(self.opened)), HOURS)
        for one in counts:
            hour = round(self.hours_to_close(one.hour)) - 1
            if 0 <= hour < hours:
                asked[hour] += one.asked
                granted += one.granted
                tickets += one.tickets
        return SalesHistory(
            weekday=self.draw_date.weekday(),
            opened=self.hours_to_close(self.opened),
            closed=self.hours_to_close(self.closed),
            asked=asked,
            granted=granted,
            tickets=tickets,
        )
