"""Values from draw to draw as lines: where each stands, and its name beside its end."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shiolplus.charts.axis import Axis, Tick

WIDTH, HEIGHT = 620, 240  # of the plot itself, in units of the drawing
LEFT, TOP, BOTTOM = 58, 14, 30  # for the axes' labels
RIGHT = 190  # for the names
APART = 14  # at least, from one name to the next


@dataclass(frozen=True)
class Series:
    """One line; `number` is its style, `text` its last value."""

    number: int
    name: str
    text: str
    points: str
    end_x: float
    end_y: float
    name_y: float


@dataclass(frozen=True)
class LineChart:
    """Lines beside a dashed one at `level`; `rows` tells some of their values as texts, names first."""

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
    """A line for each series, all of one length and none empty.

    `places` labels some points along the lines and `marks` are drawn through, each by its number from 0;
    `level` is the value with that `meaning`, and `form` writes values as texts.
    """
    axis = Axis.around([level, *(value for values in series.values() for value in values)])
    last = max(len(next(iter(series.values()))) - 1, 1)
    xs = [round(LEFT + WIDTH * number / last, 1) for number in range(last + 1)]
    ends = _spread_labels([_y(axis, values[-1]) for values in series.values()])
    return LineChart(
        title=title,
        name=name,
        meaning=meaning,
        lines=[
            Series(
                number=number,
                name=one,
                text=format(values[-1], form),
                points=" ".join(f"{x},{_y(axis, value)}" for x, value in zip(xs, values, strict=False)),
                end_x=xs[len(values) - 1],
                end_y=_y(axis, values[-1]),
                name_y=ends[number - 1],
            )
            for number, (one, values) in enumerate(series.items(), start=1)
        ],
        level_y=_y(axis, level),
        y_ticks=[Tick(_y(axis, value), _tick_label(value, axis, form)) for value in axis.ticks],
        x_ticks=[Tick(xs[number], label) for number, label in places.items()],
        marks=[xs[number] for number in marks],
        rows=[
            (label, [format(values[number], form) for values in series.values()])
            for number, label in places.items()
        ],
    )


def _y(axis: Axis, value: float) -> float:
    return round(TOP + HEIGHT * (1 - axis.place(value)), 1)


def _tick_label(value: float, axis: Axis, form: str) -> str:
    sign = "+" if form.startswith("+") and abs(value) > axis.step / 2 else ""
    return f"{value if sign else abs(value):{sign}.{axis.decimals}f}"


def _spread_labels(wanted: Sequence[float]) -> list[float]:
    """The same places moved, in their order, until no two are closer than APART and none is outside."""
    order = sorted(range(len(wanted)), key=lambda one: wanted[one])
    placed = [0.0] * len(wanted)
    lowest = float(TOP - APART)
    for one in order:
        lowest = placed[one] = max(wanted[one], lowest + APART)
    highest = float(TOP + HEIGHT + APART)
    for one in reversed(order):
        highest = placed[one] = min(placed[one], highest - APART)
    return [round(one, 1) for one in placed]
