"""What a person types to find tickets: "5 12 33 41 60 +7", or a part of it."""

import re
from typing import NamedTuple

from predictions.powerball import POWERBALL_MAX, WHITE_BALLS, WHITE_MAX

FORM = 'write white balls apart and the Powerball with a plus, such as "5 12 33 41 60 +7", or a part of it'
_NUMBER = re.compile(r"(\+?)\s*(\d{1,9})(?=[\s,+]|$)[\s,]*", re.ASCII)


class NumberQuery(NamedTuple):
    """The numbers that a ticket must have: white balls ascending, and a Powerball if one was named."""

    white_balls: tuple[int, ...]
    powerball: int | None

    @property
    def is_selective(self) -> bool:
        """Whether one ticket in some thousands has them: two white balls and the Powerball, or more."""
        return len(self.white_balls) >= (3 if self.powerball is None else 2)


def parse_number_query(text: str) -> NumberQuery:
    """The numbers that a text asks for; ValueError says what is wrong with it."""
    white: list[int] = []
    red: list[int] = []
    for plus, digits in _numbers(text.strip()):
        (red if plus else white).append(int(digits))
    if len(white) > WHITE_BALLS:
        raise ValueError(f"{len(white)} white balls; a ticket has {WHITE_BALLS}: {FORM}")
    if len(red) > 1:
        raise ValueError(f"{len(red)} Powerballs; a ticket has one: {FORM}")
    _check_balls("white ball", white, WHITE_MAX)
    _check_balls("Powerball", red, POWERBALL_MAX)
    return NumberQuery(tuple(sorted(white)), red[0] if red else None)


def _numbers(text: str) -> list[tuple[str, str]]:
    found, place = [], 0
    while place < len(text):
        number = _NUMBER.match(text, place)
        if number is None:
            raise ValueError(f"{text[place : place + 20]!r} is no number of a ticket: {FORM}")
        found.append((number[1], number[2]))
        place = number.end()
    if not found:
        raise ValueError(f"no number was given: {FORM}")
    return found


def _check_balls(name: str, balls: list[int], highest: int) -> None:
    for ball in balls:
        if not 1 <= ball <= highest:
            raise ValueError(f"{name} {ball} is not in 1 to {highest}")
    if len(set(balls)) < len(balls):
        raise ValueError(f"a {name} is repeated; those of a ticket all differ")
