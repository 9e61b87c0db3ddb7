"""Rows of a draw file, and parsing of their cells."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime

DATE_FORMATS = (
    "%m/%d/%Y",
    "%Y-%m-%d",
    "%Y-%m-%dT%H:%M:%S.%f",
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%d %H:%M:%S",  # pandas
)
NO_MULTIPLIER = {"", "0", "n/a", "na", "nan", "none", "null", "-"}


class FeedError(Exception):
    """A feed could not be read, or its text is not a list of draws."""


@dataclass(frozen=True)
class ParsedDraw:
    """A draw as published; its balls are ascending but not yet checked against an era."""

    draw_date: date
    white_balls: tuple[int, ...]
    powerball: int
    multiplier: int | None


@dataclass(frozen=True)
class FeedRow:
    """One line (or JSON item) of a feed: a draw, or the reason why it is not one."""

    line: int
    draw: ParsedDraw | None
    reason: str = ""


@dataclass(frozen=True)
class FeedRows:
    """The rows of a feed and the remarkable columns of its header."""

    rows: Iterable[FeedRow]
    unit: str = "line"  # of FeedRow.line
    unknown_columns: tuple[str, ...] = ()
    other_game_columns: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[FeedRow]:
        return iter(self.rows)


def parse_date(text: str) -> date:
    for date_format in DATE_FORMATS:
        try:
            return datetime.strptime(text.strip(), date_format).date()  # noqa: DTZ007 - a date, not an instant
        except ValueError:
            continue
    raise ValueError(f"draw date {text!r} is not a date such as 12/22/2025 or 2025-12-22")


def parse_number(name: str, text: str) -> int:
    """Return a whole number; pandas writes it as 2.0 in a column that has blanks."""
    if not (match := re.fullmatch(r"([0-9]{1,4})(\.0+)?", text.strip())):
        raise ValueError(f"{name} {text!r} is not a number")
    return int(match[1])


def parse_multiplier(text: str) -> int | None:
    """Return the Power Play multiplier of 2, 2x, x2, 2.0 or "Power Play 2x"; None if there was none."""
    word = text.strip().lower().removeprefix("power play").strip().strip("x").strip()
    if word in NO_MULTIPLIER:
        return None
    multiplier = parse_number("multiplier", word)
    if multiplier > 10:
        raise ValueError(f"multiplier {multiplier} is not in 1 to 10")
    return multiplier or None


def split_winning_numbers(text: str) -> tuple[list[str], str]:
    """Return five white balls and the Powerball."""
    balls = text.split()
    if len(balls) != 6:
        raise ValueError(f"winning numbers {text!r} are {len(balls)} numbers, not 6")
    return balls[:5], balls[5]


def make_draw(draw_date: date, whites: Sequence[str], powerball: str, multiplier: str) -> ParsedDraw:
    return ParsedDraw(
        draw_date=draw_date,
        white_balls=tuple(sorted(parse_number("white ball", ball) for ball in whites)),
        powerball=parse_number("powerball", powerball),
        multiplier=parse_multiplier(multiplier),
    )
