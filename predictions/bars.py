"""A prediction's law as bars beside uniform: each ball's exact chance, and where its bar stands."""

from collections.abc import Sequence
from dataclasses import dataclass

from predictions.distribution import Component, mixture_inclusion
from predictions.powerball import POWERBALL_MAX, WHITE_BALLS, WHITE_MAX

STEP = 15  # from bar to bar, in units of the drawing
BAR = 11
PLOT_HEIGHT = 150
HEADROOM = 1.15  # above the highest bar
LEFT = 48  # for the axis' labels


@dataclass(frozen=True)
class Bar:
    """One ball: its chance, that beside uniform, and its rectangle."""

    ball: int
    chance: str
    ratio: str
    x: int
    middle: float
    y: str
    height: str


@dataclass(frozen=True)
class BarChart:
    """The bars of one kind of ball, from zero, and the height of the uniform chance."""

    title: str
    name: str
    uniform: str
    uniform_as_fraction: str
    uniform_y: str
    spread: str  # from the least to the most likely ball, in times uniform
    width: int
    bars: list[Bar]


def bar_charts(components: Sequence[Component]) -> list[BarChart]:
    """A mixture's white balls and Powerballs."""
    white, powerball = (chances.tolist() for chances in mixture_inclusion(components))
    return [
        _chart("White balls: the chance to be among the five", "white", white, WHITE_BALLS, WHITE_MAX),
        _chart("Powerball: the chance to be drawn", "powerball", powerball, 1, POWERBALL_MAX),
    ]


def _chart(title: str, name: str, chances: Sequence[float], drawn: int, balls: int) -> BarChart:
    uniform = drawn / balls
    unit = PLOT_HEIGHT / (HEADROOM * max(*chances, uniform))
    return BarChart(
        title=title,
        name=name,
        uniform=f"{uniform:.2%}",
        uniform_as_fraction=f"{drawn}/{balls}",
        uniform_y=f"{PLOT_HEIGHT - uniform * unit:.2f}",
        spread=f"{min(chances) / uniform:.3f} to {max(chances) / uniform:.3f}",
        width=LEFT + STEP * balls,
        bars=[_bar(ball, chance, uniform, unit) for ball, chance in enumerate(chances, start=1)],
    )


def _bar(ball: int, chance: float, uniform: float, unit: float) -> Bar:
    x = LEFT + STEP * (ball - 1)
    return Bar(
        ball=ball,
        chance=f"{chance:.2%}",
        ratio=f"{chance / uniform:.3f}",
        x=x,
        middle=x + BAR / 2,
        y=f"{PLOT_HEIGHT - chance * unit:.2f}",
        height=f"{chance * unit:.2f}",
    )
