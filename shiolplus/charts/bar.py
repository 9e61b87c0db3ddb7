"""Bar charts of one value per ball, compared with a reference line."""

from collections.abc import Sequence
from dataclasses import dataclass

# Units of the SVG view box.
BAR_PITCH = 15
BAR_WIDTH = 11
PLOT_HEIGHT = 150
LEFT = 48  # margin for axis labels
HEADROOM = 1.15  # ratio of the plot's height to the highest bar


@dataclass(frozen=True)
class Reference:
    """The value of the reference line, its meaning, and its axis label."""

    value: float
    meaning: str
    label: str
    text: str


@dataclass(frozen=True)
class Band:
    """A highlighted range of values; `name` is its CSS class."""

    name: str
    meaning: str
    low: float
    high: float


@dataclass(frozen=True)
class Bar:
    """One ball: its rectangle, and its value and comparison with the reference as texts."""

    ball: int
    value: str
    beside: str
    x: int
    middle: float
    y: str
    height: str


@dataclass(frozen=True)
class BandMark:
    name: str
    meaning: str
    y: str
    height: str


@dataclass(frozen=True)
class BarChart:
    """The bars of white balls or Powerballs; `headings` name a bar's two texts."""

    title: str
    name: str
    headings: tuple[str, str]
    line: Reference
    line_y: str
    width: int
    bars: list[Bar]
    bands: list[BandMark]


def bar_chart(
    title: str,
    name: str,
    headings: tuple[str, str],
    values: Sequence[float],
    texts: Sequence[tuple[str, str]],
    line: Reference,
    bands: Sequence[Band] = (),
) -> BarChart:
    """Return a chart with one bar per ball, starting at ball 1. `name` must be unique on a page."""
    unit = PLOT_HEIGHT / (HEADROOM * max(*values, line.value, *(band.high for band in bands)))
    return BarChart(
        title=title,
        name=name,
        headings=headings,
        line=line,
        line_y=_y(line.value, unit),
        width=LEFT + BAR_PITCH * len(values),
        bars=[
            _bar(ball, value, bar_texts, unit)
            for ball, (value, bar_texts) in enumerate(zip(values, texts, strict=True), start=1)
        ],
        bands=[
            BandMark(band.name, band.meaning, _y(band.high, unit), f"{(band.high - band.low) * unit:.2f}")
            for band in bands
        ],
    )


def _bar(ball: int, value: float, texts: tuple[str, str], unit: float) -> Bar:
    x = LEFT + BAR_PITCH * (ball - 1)
    return Bar(ball, *texts, x=x, middle=x + BAR_WIDTH / 2, y=_y(value, unit), height=f"{value * unit:.2f}")


def _y(value: float, unit: float) -> str:
    return f"{PLOT_HEIGHT - value * unit:.2f}"
