"""Interval charts: one mean with its confidence interval per row, compared with zero."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from shiolplus.charts.axis import Axis, Tick

# Units of the SVG view box.
ROW_HEIGHT = 30
WIDTH, LEFT, TOP, BOTTOM = 560, 110, 12, 30
RIGHT = 240  # margin for the texts


@dataclass(frozen=True)
class Estimate:
    name: str
    mean: float
    low: float
    high: float

    @property
    def text(self) -> str:
        return f"{self.mean:+.4f} ({self.low:+.4f} to {self.high:+.4f})"


@dataclass(frozen=True)
class Interval:
    name: str
    text: str
    y: int
    x: float
    low_x: float
    high_x: float


@dataclass(frozen=True)
class IntervalChart:
    """At least one estimate. `name` is unique on a page."""

    name: str
    title: str
    estimates: Sequence[Estimate]

    top, names_x, texts_x, width = TOP, LEFT - 12, LEFT + WIDTH + 12, LEFT + WIDTH + RIGHT

    @cached_property
    def axis(self) -> Axis:
        ends = (end for estimate in self.estimates for end in (estimate.low, estimate.high))
        return Axis.around([0.0, *ends], ticks=6)

    @property
    def intervals(self) -> list[Interval]:
        return [
            Interval(
                name=estimate.name,
                text=estimate.text,
                y=TOP + ROW_HEIGHT * index + ROW_HEIGHT // 2,
                x=self._x(estimate.mean),
                low_x=self._x(estimate.low),
                high_x=self._x(estimate.high),
            )
            for index, estimate in enumerate(self.estimates)
        ]

    @property
    def zero_x(self) -> float:
        return self._x(0.0)

    @property
    def ticks(self) -> list[Tick]:
        return [Tick(self._x(value), self.axis.label(value, "+f")) for value in self.axis.ticks]

    @property
    def bottom(self) -> int:
        return TOP + ROW_HEIGHT * len(self.estimates)

    @property
    def height(self) -> int:
        return self.bottom + BOTTOM

    def _x(self, value: float) -> float:
        return round(LEFT + WIDTH * self.axis.fraction(value), 1)
