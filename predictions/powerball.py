"""The rules of Powerball: eras, valid tickets, prize tiers with exact odds, and the draw calendar.

Source: powerball.com, "How to play", and the published game rules. Times are America/New_York.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from math import comb
from numbers import Integral
from zoneinfo import ZoneInfo

import numpy as np

EASTERN = ZoneInfo("America/New_York")
DRAW_TIME = time(22, 59)
WHITE_BALLS = 5

MONDAY, WEDNESDAY, SATURDAY = 0, 2, 5
MONDAYS_SINCE = date(2021, 8, 23)


@dataclass(frozen=True)
class Era:
    """A matrix of `white_max` white balls and `powerball_max` Powerballs, in force from `since`."""

    name: str
    white_max: int
    powerball_max: int
    since: date

    @property
    def ticket_count(self) -> int:
        """Return the number of different tickets, which is also the jackpot odds (one in N)."""
        return comb(self.white_max, WHITE_BALLS) * self.powerball_max


ERAS = (
    Era("59/39", 59, 39, date(2009, 1, 7)),
    Era("59/35", 59, 35, date(2012, 1, 15)),
    Era("69/26", 69, 26, date(2015, 10, 4)),
)
CURRENT_ERA = ERAS[-1]
WHITE_MAX, POWERBALL_MAX = CURRENT_ERA.white_max, CURRENT_ERA.powerball_max


def era_on(day: date) -> Era:
    """Return the era in force on a date. Raise ValueError before the first supported era."""
    for era in reversed(ERAS):
        if day >= era.since:
            return era
    raise ValueError(f"{day} is before the first supported matrix (from {ERAS[0].since})")


# Valid tickets


def check_numbers(white_balls: Sequence[int], powerball: int, era: Era = CURRENT_ERA) -> None:
    """Raise ValueError unless the numbers are a valid ticket of the era with ascending white balls.

    Integers of any type are accepted, including NumPy's; bools, floats and strings are not.
    """
    if not isinstance(white_balls, list | tuple | np.ndarray) or getattr(white_balls, "ndim", 1) != 1:
        raise ValueError(f"white_balls is {white_balls!r}, not a list of {WHITE_BALLS} integers")
    if len(white_balls) != WHITE_BALLS:
        raise ValueError(f"white_balls has {len(white_balls)} numbers, not {WHITE_BALLS}")
    for ball in white_balls:
        _check_ball("white ball", ball, era.white_max)
    _check_ball("powerball", powerball, era.powerball_max)
    for lower, higher in pairwise(white_balls):
        if lower == higher:
            raise ValueError(f"white ball {lower} is repeated")
        if lower > higher:
            raise ValueError(f"white balls are not ascending: {lower} is before {higher}")


def _check_ball(name: str, ball: object, highest: int) -> None:
    if isinstance(ball, bool) or not isinstance(ball, Integral):
        raise ValueError(f"{name} {ball!r} is not an integer")
    if not 1 <= int(ball) <= highest:
        raise ValueError(f"{name} {int(ball)} is not in 1 to {highest}")


# Prizes


@dataclass(frozen=True)
class PrizeTier:
    """One of the nine prize tiers of the 69/26 era; `prize_usd` is None for the jackpot."""

    white_matches: int
    powerball_match: bool
    prize_usd: int | None

    def __str__(self) -> str:
        """Return the usual notation, such as 3+1 for three white balls and the Powerball."""
        return f"{self.white_matches}+{int(self.powerball_match)}"

    @property
    def winning_tickets(self) -> int:
        """Return how many of all possible tickets win this tier in a draw."""
        white_ways = comb(WHITE_BALLS, self.white_matches) * comb(
            WHITE_MAX - WHITE_BALLS, WHITE_BALLS - self.white_matches
        )
        return white_ways * (1 if self.powerball_match else POWERBALL_MAX - 1)

    @property
    def odds_one_in(self) -> Fraction:
        """Return the exact odds of winning, one in N tickets."""
        return Fraction(CURRENT_ERA.ticket_count, self.winning_tickets)


PRIZE_TIERS = (
    PrizeTier(5, True, None),
    PrizeTier(5, False, 1_000_000),
    PrizeTier(4, True, 50_000),
    PrizeTier(4, False, 100),
    PrizeTier(3, True, 100),
    PrizeTier(3, False, 7),
    PrizeTier(2, True, 7),
    PrizeTier(1, True, 4),
    PrizeTier(0, True, 4),
)
TICKET_USD = 2
# The exact expected prize per ticket without the jackpot: $0.319869.
EXPECTED_PRIZE_USD = sum(
    (tier.prize_usd / tier.odds_one_in for tier in PRIZE_TIERS if tier.prize_usd), Fraction()
)
# Each of a ticket's five balls is drawn with probability 5/69, whatever the ticket's distribution.
EXPECTED_WHITE_MATCHES = Fraction(WHITE_BALLS * WHITE_BALLS, WHITE_MAX)
_TIER_BY_MATCHES = {(tier.white_matches, tier.powerball_match): tier for tier in PRIZE_TIERS}


def find_prize(white_matches: int, powerball_match: bool) -> int | str:
    """Return the official fixed prize in dollars, 0 for none, or "jackpot" for the first tier."""
    tier = _TIER_BY_MATCHES.get((white_matches, powerball_match))
    if tier is None:
        return 0
    return "jackpot" if tier.prize_usd is None else tier.prize_usd


def cost_usd(tickets: int) -> int:
    """Return the price of the tickets in dollars, without Power Play or Double Play."""
    return TICKET_USD * tickets


def expected_prize_usd(tickets: int) -> float:
    """Return the expected prizes of the tickets in dollars, without the jackpot."""
    return float(EXPECTED_PRIZE_USD * tickets)


# The draw calendar


def is_draw_day(day: date) -> bool:
    """Return whether a draw is scheduled on this Eastern date."""
    days = (MONDAY, WEDNESDAY, SATURDAY) if day >= MONDAYS_SINCE else (WEDNESDAY, SATURDAY)
    return day >= ERAS[0].since and day.weekday() in days


def check_draw_date(day: date) -> None:
    """Raise ValueError unless a draw is scheduled on this Eastern date."""
    era_on(day)  # raises ValueError before the first era
    if not is_draw_day(day):
        weekdays = "Mondays, Wednesdays and Saturdays" if day >= MONDAYS_SINCE else "Wednesdays and Saturdays"
        raise ValueError(f"{day} is a {day:%A} without a draw; draws at that time are on {weekdays}")


def check_ticket_date(day: date) -> None:
    """Raise ValueError unless a draw of the 69/26 matrix is scheduled on this Eastern date."""
    check_draw_date(day)
    if day < CURRENT_ERA.since:
        raise ValueError(
            f"the draw of {day} was of the {era_on(day).name} matrix; tickets are {CURRENT_ERA.name}"
        )


def eastern_instant(day: date, clock: time) -> datetime:
    """Return the UTC instant of a local time in New York, including daylight saving time.

    UTC, because Python compares two datetimes in the same zone by local time instead of by instant.
    """
    return datetime.combine(day, clock, EASTERN).astimezone(UTC)


def eastern_date(now: datetime) -> date:
    """Return the date in New York at an instant. Raise ValueError for a naive datetime."""
    if now.tzinfo is None:
        raise ValueError(f"{now} has no time zone")
    return now.astimezone(EASTERN).date()


@lru_cache(maxsize=1024)  # called by every read of the stock
def draw_instant(day: date) -> datetime:
    """Return the UTC instant of the draw on an Eastern date: 22:59 in New York."""
    return eastern_instant(day, DRAW_TIME)


def sales_close(day: date, cutoff: time) -> datetime:
    """Return the UTC instant at which sales for a draw end; `cutoff` is local time in New York."""
    return eastern_instant(day, cutoff)


def next_draw(now: datetime) -> date:
    """Return the Eastern date of the first draw strictly after an instant (an aware datetime)."""
    day = eastern_date(now)
    while not (is_draw_day(day) and draw_instant(day) > now):
        day += timedelta(days=1)
    return day


def last_draw(now: datetime) -> date:
    """Return the Eastern date of the last draw at or before an instant (an aware datetime).

    Raise ValueError before the first supported era.
    """
    day = eastern_date(now)
    while not (is_draw_day(day) and draw_instant(day) <= now):
        era_on(day)  # raises ValueError before the first era, which ends the search
        day -= timedelta(days=1)
    return day


def scheduled_draws(first: date, last: date) -> Iterator[date]:
    """Yield the scheduled draw dates from `first` to `last`, inclusive."""
    for offset in range((last - first).days + 1):
        day = first + timedelta(days=offset)
        if is_draw_day(day):
            yield day
