"""Values of balls as bars from zero beside a line: each ball's figures as texts, and where its bar stands."""

from collections.abc import Sequence
from dataclasses import dataclass

STEP = 15  # from bar to bar, in units of the drawing
BAR = 11
PLOT_HEIGHT = 150
HEADROOM = 1.15  # above the highest bar
LEFT = 48  # for the axis' labels


@dataclass(frozen=True)
class Reference:
    """The value that the bars stand beside: what it means, and short texts for the axis."""

    at: float
    meaning: str
    label: str
    text: str


@dataclass(frozen=True)
class Band:
    """Values to mark across the bars; `name` is its style."""

    name: str
    meaning: str
    low: float
    high: float


@dataclass(frozen=True)
class Bar:
    """One ball: its value, that beside the line, and its rectangle."""

    ball: int
    value: str
    beside: str
    x: int
    middle: float
    y: str
    height: str


@dataclass(frozen=True)
class DrawnBand:
    """A range where it is drawn."""

    name: str
    meaning: str
    y: str
    height: str


@dataclass(frozen=True)
class BarChart:
    """The bars of one kind of ball; `headings` say what a bar's two texts are."""

    title: str
    name: str
    headings: tuple[str, str]
    line: Reference
    line_y: str
    width: int
    bars: list[Bar]
    bands: list[DrawnBand]


def bar_chart(
    title: str,
    name: str,
    headings: tuple[str, str],
    values: Sequence[float],
    texts: Sequence[tuple[str, str]],
    line: Reference,
    ranges: Sequence[Band] = (),
) -> BarChart:
    """A bar a ball, from ball 1 on, with its two texts; `name` tells apart the charts of one page."""
    unit = PLOT_HEIGHT / (HEADROOM * max(*values, line.at, *(one.high for one in ranges)))
    return BarChart(
        title=title,
        name=name,
        headings=headings,
        line=line,
        line_y=_y(line.at, unit),
        width=LEFT + STEP * len(values),
        bars=[
            _bar(ball, value, of_ball, unit)
            for ball, (value, of_ball) in enumerate(zip(values, texts, strict=True), start=1)
        ],
        bands=[
            DrawnBand(one.name, one.meaning, _y(one.high, unit), f"{(one.high - one.low) * unit:.2f}")
            for one in ranges
        ],
    )


def _bar(ball: int, value: float, texts: tuple[str, str], unit: float) -> Bar:
    x = LEFT + STEP * (ball - 1)
    return Bar(ball, *texts, x=x, middle=x + BAR / 2, y=_y(value, unit), height=f"{value * unit:.2f}")


def _y(value: float, unit: float) -> str:
    return f"{PLOT_HEIGHT - value * unit:.2f}"
