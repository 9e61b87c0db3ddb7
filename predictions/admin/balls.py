"""Numbers rendered as balls, with text for screen readers."""

from collections.abc import Sequence
from typing import Protocol

from django.utils.html import format_html, format_html_join

BALLS_CSS = {"all": ["predictions/balls.css"]}


class Numbers(Protocol):
    """A draw or a ticket."""

    @property
    def white_balls(self) -> Sequence[int]: ...

    @property
    def powerball(self) -> int: ...


def render_balls(white_balls: Sequence[int], powerball: int, drawn: Numbers | None = None) -> str:
    """Render balls that screen readers read as "5 12 33 41 60 Powerball 7".

    Balls that match `drawn` are marked, for screen readers too.
    """
    white = [
        render_ball(ball, "ball", drawn is not None and ball in drawn.white_balls) for ball in white_balls
    ]
    is_hit = drawn is not None and powerball == drawn.powerball
    balls = [*white, render_ball(powerball, "ball powerball", is_hit, "Powerball ")]
    return format_html(
        '<span class="{}">{}</span>',
        "balls" if drawn is None else "balls marked",
        format_html_join(" ", "{}", ([ball] for ball in balls)),
    )


def render_ball(number: int, css_class: str, is_hit: bool, prefix: str = "") -> str:
    return format_html(
        '<span class="{}">{}{}{}</span>',
        f"{css_class} hit" if is_hit else css_class,
        render_for_screen_readers(prefix),
        number,
        render_for_screen_readers(" hit" if is_hit else ""),
    )


def render_for_screen_readers(text: str) -> str:
    return format_html('<span class="spoken">{}</span>', text) if text else ""


def render_row_balls(row: Numbers, drawn: Numbers | None = None) -> str:
    return render_balls(row.white_balls, row.powerball, drawn)
