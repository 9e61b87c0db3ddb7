"""Line charts of one or more series, each labelled at its end."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shiolplus.charts.axis import Axis, Tick

# Units of the SVG view box.
WIDTH, HEIGHT = 620, 240  # without margins
LEFT, TOP, BOTTOM = 58, 14, 30  # margins for axis labels
RIGHT = 190  # margin for series names
LABEL_DISTANCE = 14  # minimum distance between two names


@dataclass(frozen=True)
class Series:
    """One line: `number` selects its style, `text` is its last value, `name_y` the height of its label."""

    number: int
    name: str
    text: str
    points: str
    end_x: float
    end_y: float
    name_y: float


@dataclass(frozen=True)
class LineChart:
    """Lines and a dashed line at `level`; `rows` is a table of selected points as texts."""

    title: str
    name: str
    meaning: str
    lines: list[Series]
    level_y: float
    y_ticks: list[Tick]
    x_ticks: list[Tick]
    marks: list[float]
    rows: list[tuple[str, list[str]]]

    left, right, top, bottom = LEFT, LEFT + WIDTH, TOP, TOP + HEIGHT
    width, height = LEFT + WIDTH + RIGHT, TOP + HEIGHT + BOTTOM
    names_x = LEFT + WIDTH + 12


def line_chart(
    title: str,
    name: str,
    meaning: str,
    series: Mapping[str, Sequence[float]],
    level: float,
    places: Mapping[int, str],
    marks: Sequence[int] = (),
    form: str = "+.3f",
) -> LineChart:
    """Return a chart with one line per series. All series have the same length of at least one point.

    `places` maps indices of points to x-axis labels; `marks` are indices with a vertical line. `meaning`
    describes the dashed line at `level`; `form` is a format specification.
    """
    axis = Axis.around([level, *(value for values in series.values() for value in values)])
    last = max(len(next(iter(series.values()))) - 1, 1)
    xs = [round(LEFT + WIDTH * index / last, 1) for index in range(last + 1)]
    label_ys = _spread_labels([_y(axis, values[-1]) for values in series.values()])
    return LineChart(
        title=title,
        name=name,
        meaning=meaning,
        lines=[
            Series(
                number=number,
                name=series_name,
                text=format(values[-1], form),
                points=" ".join(f"{x},{_y(axis, value)}" for x, value in zip(xs, values, strict=False)),
                end_x=xs[len(values) - 1],
                end_y=_y(axis, values[-1]),
                name_y=label_ys[number - 1],
            )
            for number, (series_name, values) in enumerate(series.items(), start=1)
        ],
        level_y=_y(axis, level),
        y_ticks=[Tick(_y(axis, value), _tick_label(value, axis, form)) for value in axis.ticks],
        x_ticks=[Tick(xs[index], label) for index, label in places.items()],
        marks=[xs[index] for index in marks],
        rows=[
            (label, [format(values[index], form) for values in series.values()])
            for index, label in places.items()
        ],
    )


def _y(axis: Axis, value: float) -> float:
    return round(TOP + HEIGHT * (1 - axis.fraction(value)), 1)


def _tick_label(value: float, axis: Axis, form: str) -> str:
    sign = "+" if form.startswith("+") and abs(value) > axis.step / 2 else ""
    return f"{value if sign else abs(value):{sign}.{axis.decimals}f}"


def _spread_labels(ys: Sequence[float]) -> list[float]:
    """Move labels at least LABEL_DISTANCE apart, within the plot and in their order."""
    order = sorted(range(len(ys)), key=lambda index: ys[index])
    spread = [0.0] * len(ys)
    previous = float(TOP - LABEL_DISTANCE)
    for index in order:
        previous = spread[index] = max(ys[index], previous + LABEL_DISTANCE)
    following = float(TOP + HEIGHT + LABEL_DISTANCE)
    for index in reversed(order):
        following = spread[index] = min(spread[index], following - LABEL_DISTANCE)
    return [round(y, 1) for y in spread]
