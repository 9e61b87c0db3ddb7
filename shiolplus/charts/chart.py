"""Charts with labels along the x-axis: stacked bars, marks and lines, a reference line and bands.

Coordinates and lengths are in units of the SVG view box.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Literal

from shiolplus.charts.axis import Axis, Tick

HEIGHT, TOP, BOTTOM = 200, 14, 26  # the plot and its margins
LEFT = 40  # minimum margin, so that charts below each other align
CHARACTER = 8  # space for one character of a label
BALL_WIDTH = 16  # plot width per ball, which leaves room for every number
BAR_SHARE = 0.75  # of the distance between two bars
MARK_HEIGHT = 3
NAME_DISTANCE = 14  # minimum distance between the names of two lines
TOOLTIP_WIDTH = 4  # minimum width of a column that can be pointed at


@dataclass(frozen=True)
class Series:
    """One value per label, or None. Series of kind "text" appear in tooltips and in the table only."""

    name: str
    values: Sequence[float | None]
    style: int | str = 1  # suffix of the CSS class style-…
    kind: Literal["bar", "mark", "line", "text"] = "bar"
    number_format: str = ",.0f"

    @property
    def points(self) -> list[tuple[int, float]]:
        return [(index, value) for index, value in enumerate(self.values) if value is not None]

    def text(self, index: int) -> str:
        value = self.values[index]
        return "" if value is None else format(value, self.number_format)


@dataclass(frozen=True)
class Reference:
    value: float
    name: str


@dataclass(frozen=True)
class Band:
    """A highlighted range of values; `style` is a CSS class."""

    style: str
    name: str
    low: float
    high: float


@dataclass(frozen=True)
class Rect:
    style: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Line:
    """A line with its name and last value at its end, moved to the height `name_y`."""

    style: int | str
    name: str
    text: str
    points: str
    end_x: float
    end_y: float
    name_y: float


@dataclass(frozen=True)
class Chart:
    """At least one series over at least one label.

    `name` is unique on a page; `heading` says what the labels are. `ticks` are the indices of labels to show
    and to list in the table; by default, labels are shown as room allows and listed if they have values.
    `dividers` are indices with a dotted vertical line.
    """

    name: str
    title: str
    heading: str
    labels: Sequence[str]
    series: Sequence[Series]
    reference: Reference | None = None
    bands: Sequence[Band] = ()
    ticks: Sequence[int] = ()
    dividers: Sequence[int] = ()
    plot_width: int = 620
    from_zero: bool = True
    empty: str = ""  # text shown without data

    top, plot_height, bottom, height = TOP, HEIGHT, TOP + HEIGHT, TOP + HEIGHT + BOTTOM

    @property
    def is_empty(self) -> bool:
        return not any(any(series.values) for series in self.series)

    @property
    def description(self) -> str:
        notes = [", ".join(f"{line.name} ends at {line.text}" for line in self.lines)] if self.lines else []
        notes += [f"dashed: {self.reference.name}"] if self.reference else []
        return ": ".join(filter(None, [self.title, "; ".join(notes)])) + ". The table lists the values."

    @cached_property
    def axis(self) -> Axis:
        values = [0.0] if self.from_zero else []
        values += [self.reference.value] if self.reference else []
        values += [band.high for band in self.bands]
        values += [high for *_, high in self._ranges()]
        values += [value for series in self.series if series.kind == "line" for _, value in series.points]
        return Axis.around(values)

    def _ranges(self) -> Iterator[tuple[str, int, float, float]]:
        """Yield the CSS class, index, lower and upper value of stacked bars and of marks."""
        tops = [0.0] * len(self.labels)
        for series in self.series:
            for index, value in series.points:
                if value and series.kind == "bar":
                    yield f"bar style-{series.style}", index, tops[index], tops[index] + value
                    tops[index] += value
                elif value and series.kind == "mark":
                    yield f"mark style-{series.style}", index, value, value

    @cached_property
    def y_ticks(self) -> list[Tick]:
        number_format = self.series[0].number_format
        return [Tick(self._y(value), self.axis.label(value, number_format)) for value in self.axis.ticks]

    @cached_property
    def left(self) -> int:
        return max(LEFT, CHARACTER * (1 + max(len(tick.label) for tick in self.y_ticks)))

    @property
    def right(self) -> int:
        return self.left + self.plot_width

    @property
    def width(self) -> int:
        names = [3 + len(line.name + line.text) for line in self.lines]
        return self.right + CHARACTER * max([len(self.labels[-1]) // 2 + 1, *names])

    @property
    def pitch(self) -> float:
        return self.plot_width / len(self.labels)

    def _x(self, index: float) -> float:
        return round(self.left + self.pitch * (index + 0.5), 2)

    def _y(self, value: float) -> float:
        return round(TOP + HEIGHT * (1 - self.axis.fraction(value)), 2)

    @property
    def x_ticks(self) -> list[Tick]:
        return [Tick(self._x(index), self.labels[index]) for index in self.ticks or self._fitting_indices()]

    def _fitting_indices(self) -> Sequence[int]:
        """Return the closest evenly spaced indices, including the last, whose labels do not overlap."""
        indices = range(len(self.labels))
        for step in indices[1:]:
            shown = indices[indices[-1] % step :: step]
            widths = [CHARACTER * len(self.labels[index]) for index in shown]
            if all(width + next_width <= 2 * step * self.pitch for width, next_width in pairwise(widths)):
                return shown
        return indices[-1:]

    @property
    def divider_xs(self) -> list[float]:
        return [self._x(index) for index in self.dividers]

    @property
    def reference_y(self) -> float | None:
        return self._y(self.reference.value) if self.reference else None

    @property
    def rects(self) -> list[Rect]:
        """Return bars, marks and bands in drawing order."""
        width = BAR_SHARE * self.pitch
        bars = [
            self._rect(style, self._x(index) - width / 2, width, low, high)
            for style, index, low, high in self._ranges()
        ]
        return bars + [
            self._rect(f"band {band.style}", self.left, self.plot_width, band.low, band.high)
            for band in self.bands
        ]

    def _rect(self, style: str, x: float, width: float, low: float, high: float) -> Rect:
        y, bottom = sorted([self._y(low), self._y(high)])
        return Rect(style, round(x, 2), y, round(width, 2), round(bottom - y, 2) or MARK_HEIGHT)

    @cached_property
    def lines(self) -> list[Line]:
        drawn = [series for series in self.series if series.kind == "line" and series.points]
        ends = [series.points[-1] for series in drawn]
        name_ys = _spread_labels([self._y(value) for _, value in ends])
        return [
            Line(
                style=series.style,
                name=series.name,
                text=series.text(index),
                points=" ".join(f"{self._x(at)},{self._y(value)}" for at, value in series.points),
                end_x=self._x(index),
                end_y=self._y(end),
                name_y=name_y,
            )
            for series, (index, end), name_y in zip(drawn, ends, name_ys, strict=True)
        ]

    @property
    def tooltips(self) -> list[tuple[float, str]]:
        """Return the left edge of each label's column and all its values, if the columns are wide enough."""
        if self.pitch < TOOLTIP_WIDTH:
            return []
        return [
            (
                round(self.left + self.pitch * index, 2),
                f"{label}: "
                + ", ".join(
                    f"{series.name} {text}" for series in self.series if (text := series.text(index))
                ),
            )
            for index, label in enumerate(self.labels)
        ]

    @property
    def rows(self) -> list[tuple[str, list[str]]]:
        """Return the rows of the table: a label and one text per series."""
        indices = self.ticks or [
            index for index in range(len(self.labels)) if any(series.values[index] for series in self.series)
        ]
        return [(self.labels[index], [series.text(index) for series in self.series]) for index in indices]


def _spread_labels(ys: Sequence[float]) -> list[float]:
    """Move labels at least NAME_DISTANCE apart, within the plot and in their order."""
    order = sorted(range(len(ys)), key=lambda index: ys[index])
    spread = [0.0] * len(ys)
    previous = float(TOP - NAME_DISTANCE)
    for index in order:
        previous = spread[index] = max(ys[index], previous + NAME_DISTANCE)
    following = float(TOP + HEIGHT + NAME_DISTANCE)
    for index in reversed(order):
        following = spread[index] = min(spread[index], following - NAME_DISTANCE)
    return [round(y, 1) for y in spread]
