"""Numbers drawn as balls: white circles and a red one, with the words that a screen reader says."""

from collections.abc import Sequence
from typing import Protocol

from django.utils.html import format_html, format_html_join

BALLS_CSS = {"all": ["predictions/balls.css"]}  # wherever a page shows balls


class Numbers(Protocol):
    """What has balls: a draw or a ticket."""

    @property
    def white_balls(self) -> Sequence[int]: ...

    @property
    def powerball(self) -> int: ...


def render_balls(white_balls: Sequence[int], powerball: int, drawn: Numbers | None = None) -> str:
    """Five white balls and the Powerball; "5 12 33 41 60 Powerball 7" to those who hear it.

    Those that a draw has hit are outlined and underlined, and said.
    """
    white = [_ball(one, "ball", drawn is not None and one in drawn.white_balls) for one in white_balls]
    red = _ball(powerball, "ball powerball", drawn is not None and powerball == drawn.powerball, "Powerball ")
    return format_html(
        '<span class="{}">{}</span>',
        "balls" if drawn is None else "balls marked",
        format_html_join(" ", "{}", ([one] for one in (*white, red))),
    )


def _ball(number: int, kind: str, is_hit: bool, said_before: str = "") -> str:
    return format_html(
        '<span class="{}">{}{}{}</span>',
        f"{kind} hit" if is_hit else kind,
        _screen_reader_only(said_before),
        number,
        _screen_reader_only(" hit" if is_hit else ""),
    )


def _screen_reader_only(text: str) -> str:
    """Said by a screen reader, and not seen."""
    return format_html('<span class="spoken">{}</span>', text) if text else ""


def render_row_balls(row: Numbers, drawn: Numbers | None = None) -> str:
    return render_balls(row.white_balls, row.powerball, drawn)
