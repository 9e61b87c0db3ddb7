"""Means with their intervals, one below the other, beside the line of no difference."""

from collections.abc import Sequence
from dataclasses import dataclass

from shiolplus.charts.axis import Axis, Tick

ROW = 30  # from one mean to the next, in units of the drawing
WIDTH, LEFT, TOP, BOTTOM = 560, 110, 12, 30
RIGHT = 198  # for the texts


@dataclass(frozen=True)
class Estimate:
    """A named mean, the ends of its interval, and both as a text."""

    name: str
    mean: float
    low: float
    high: float
    text: str


@dataclass(frozen=True)
class IntervalMark:
    """A mean where it is drawn."""

    name: str
    text: str
    y: int
    x: float
    low_x: float
    high_x: float


@dataclass(frozen=True)
class IntervalChart:
    """All means of a chart; `zero_x` is where nothing differs."""

    title: str
    name: str
    whiskers: list[IntervalMark]
    zero_x: float
    ticks: list[Tick]
    bottom: int

    top = TOP
    texts_x = LEFT + WIDTH + 12
    names_x = LEFT - 12
    width = LEFT + WIDTH + RIGHT

    @property
    def height(self) -> int:
        return self.bottom + BOTTOM


def interval_chart(title: str, name: str, means: Sequence[Estimate]) -> IntervalChart:
    """At least one mean; zero is always in sight."""
    axis = Axis.around([0.0, *(end for one in means for end in (one.low, one.high))], ticks=6)
    return IntervalChart(
        title=title,
        name=name,
        whiskers=[
            IntervalMark(
                name=one.name,
                text=one.text,
                y=TOP + ROW * number + ROW // 2,
                x=_x(axis, one.mean),
                low_x=_x(axis, one.low),
                high_x=_x(axis, one.high),
            )
            for number, one in enumerate(means)
        ],
        zero_x=_x(axis, 0.0),
        ticks=[Tick(_x(axis, value), _label(value, axis)) for value in axis.ticks],
        bottom=TOP + ROW * len(means),
    )


def _x(axis: Axis, value: float) -> float:
    return round(LEFT + WIDTH * axis.place(value), 1)


def _label(value: float, axis: Axis) -> str:
    return "0" if abs(value) < axis.step / 2 else f"{value:+.{axis.decimals}f}"
