"""Interval charts: one mean with its confidence interval per row, compared with zero."""

from collections.abc import Sequence
from dataclasses import dataclass

from shiolplus.charts.axis import Axis, Tick

# Units of the SVG view box.
ROW_HEIGHT = 30
WIDTH, LEFT, TOP, BOTTOM = 560, 110, 12, 30
RIGHT = 198  # margin for the texts


@dataclass(frozen=True)
class Estimate:
    name: str
    mean: float
    low: float
    high: float
    text: str


@dataclass(frozen=True)
class IntervalMark:
    name: str
    text: str
    y: int
    x: float
    low_x: float
    high_x: float


@dataclass(frozen=True)
class IntervalChart:
    title: str
    name: str
    intervals: list[IntervalMark]
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


def interval_chart(title: str, name: str, estimates: Sequence[Estimate]) -> IntervalChart:
    """Return a chart of at least one estimate. `name` must be unique on a page."""
    ends = [end for estimate in estimates for end in (estimate.low, estimate.high)]
    axis = Axis.around([0.0, *ends], ticks=6)
    return IntervalChart(
        title=title,
        name=name,
        intervals=[
            IntervalMark(
                name=estimate.name,
                text=estimate.text,
                y=TOP + ROW_HEIGHT * index + ROW_HEIGHT // 2,
                x=_x(axis, estimate.mean),
                low_x=_x(axis, estimate.low),
                high_x=_x(axis, estimate.high),
            )
            for index, estimate in enumerate(estimates)
        ],
        zero_x=_x(axis, 0.0),
        ticks=[Tick(_x(axis, value), _tick_label(value, axis)) for value in axis.ticks],
        bottom=TOP + ROW_HEIGHT * len(estimates),
    )


def _x(axis: Axis, value: float) -> float:
    return round(LEFT + WIDTH * axis.fraction(value), 1)


def _tick_label(value: float, axis: Axis) -> str:
    return "0" if abs(value) < axis.step / 2 else f"{value:+.{axis.decimals}f}"
