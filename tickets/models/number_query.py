"""Parsing of ticket number searches such as "5 12 33 41 60 +7", in full or in part."""

import re
from typing import NamedTuple

from predictions.powerball import POWERBALL_MAX, WHITE_BALLS, WHITE_MAX

SYNTAX = 'separate white balls by spaces and prefix the Powerball with a plus, as in "5 12 33 41 60 +7"'
_NUMBER = re.compile(r"(\+?)\s*(\d{1,9})(?=[\s,+]|$)[\s,]*", re.ASCII)


class NumberQuery(NamedTuple):
    """The numbers that a ticket must contain: ascending white balls and optionally a Powerball."""

    white_balls: tuple[int, ...]
    powerball: int | None

    @property
    def is_selective(self) -> bool:
        """Whether only one in thousands of tickets can match."""
        return len(self.white_balls) >= (3 if self.powerball is None else 2)


def parse_number_query(text: str) -> NumberQuery:
    """Parse a search text. Raise ValueError with the reason if it is invalid."""
    white_balls: list[int] = []
    powerballs: list[int] = []
    for plus, digits in _tokenize(text.strip()):
        (powerballs if plus else white_balls).append(int(digits))
    if len(white_balls) > WHITE_BALLS:
        raise ValueError(f"{len(white_balls)} white balls; a ticket has {WHITE_BALLS}: {SYNTAX}")
    if len(powerballs) > 1:
        raise ValueError(f"{len(powerballs)} Powerballs; a ticket has one: {SYNTAX}")
    _check_balls("white ball", white_balls, WHITE_MAX)
    _check_balls("Powerball", powerballs, POWERBALL_MAX)
    return NumberQuery(tuple(sorted(white_balls)), powerballs[0] if powerballs else None)


def _tokenize(text: str) -> list[tuple[str, str]]:
    tokens, position = [], 0
    while position < len(text):
        number = _NUMBER.match(text, position)
        if number is None:
            raise ValueError(f"{text[position : position + 20]!r} is not a ticket number: {SYNTAX}")
        tokens.append((number[1], number[2]))
        position = number.end()
    if not tokens:
        raise ValueError(f"enter at least one number: {SYNTAX}")
    return tokens


def _check_balls(name: str, balls: list[int], maximum: int) -> None:
    for ball in balls:
        if not 1 <= ball <= maximum:
            raise ValueError(f"{name} {ball} is not in 1 to {maximum}")
    if len(set(balls)) < len(balls):
        raise ValueError(f"a {name} is repeated; the numbers of a ticket are all different")
