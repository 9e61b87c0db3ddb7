"""Axes, charts and interval charts place values to scale."""

from typing import Any

import pytest

from shiolplus.charts.axis import Axis
from shiolplus.charts.chart import (
    BALL_WIDTH,
    HEIGHT,
    NAME_DISTANCE,
    TOP,
    Band,
    Chart,
    Rect,
    Reference,
    Series,
)
from shiolplus.charts.interval import LEFT as INTERVAL_LEFT
from shiolplus.charts.interval import WIDTH as INTERVAL_WIDTH
from shiolplus.charts.interval import Estimate, IntervalChart


@pytest.mark.parametrize(
    ("values", "ticks", "decimals"),
    [
        ([0.0, 10.0], [0, 2, 4, 6, 8, 10], 0),
        ([-0.0146, 0.0083], [-0.015, -0.010, -0.005, 0, 0.005, 0.010], 3),
        ([0.12, 0.31], [0.10, 0.15, 0.20, 0.25, 0.30, 0.35], 2),
        ([-1234.0, 900.0], [-1500, -1000, -500, 0, 500, 1000], 0),
        ([0.0, 0.0], [-1, -0.5, 0, 0.5, 1], 1),
        ([3.0], [0, 2, 4, 6], 0),
    ],
)
def test_an_axis_has_round_ticks_that_hold_the_values(
    values: list[float], ticks: list[float], decimals: int
) -> None:
    axis = Axis.around(values)

    assert axis.ticks == pytest.approx(ticks, abs=1e-12)
    assert axis.decimals == decimals
    assert all(0 <= axis.fraction(value) <= 1 for value in values)


@pytest.mark.parametrize(
    ("values", "number_format", "labels"),
    [
        ([-2.0, 2.0], "+.3f", ["-2", "-1", "0", "+1", "+2"]),
        ([0.0, 0.0725], ".2%", ["0", "2%", "4%", "6%", "8%"]),
        ([0.0, 0.012], ".2%", ["0", "0.5%", "1.0%", "1.5%"]),
        ([0.0, 5_000_000.0], ",.0f", ["0", *(f"{millions},000,000" for millions in range(1, 6))]),
    ],
)
def test_ticks_are_labelled_like_the_values(
    values: list[float], number_format: str, labels: list[str]
) -> None:
    axis = Axis.around(values)

    assert [axis.label(value, number_format) for value in axis.ticks] == labels


def make_chart(*series: Series, labels: list[str] | None = None, **values: Any) -> Chart:
    labels = labels or [f"label {index}" for index in range(len(series[0].values))]
    return Chart("name", "Title", "Heading", labels, series, **values)


def lines(number_format: str = "+.3f", **series: list[float | None]) -> list[Series]:
    return [Series(name, values, 1, "line", number_format) for name, values in series.items()]


def points(chart: Chart, index: int) -> list[tuple[float, float]]:
    pairs = chart.lines[index].points.split()
    return [(float(x), float(y)) for x, y in (pair.split(",") for pair in pairs)]


def test_a_line_goes_through_its_values_on_the_charts_scale() -> None:
    chart = make_chart(
        *lines(up=[0.0, 1.0, 2.0], down=[0.0, -1.0, -2.0]),
        labels=["first", "second", "last"],
        reference=Reference(0.0, "nothing"),
        ticks=[0, 2],
        dividers=[1],
        plot_width=600,
    )

    xs = [chart.left + 100, chart.left + 300, chart.left + 500]
    middle = TOP + HEIGHT / 2
    assert points(chart, 0) == list(zip(xs, [middle, TOP + HEIGHT / 4, TOP], strict=True))
    assert points(chart, 1)[-1] == (xs[2], TOP + HEIGHT)
    assert chart.reference_y == middle
    assert chart.divider_xs == [xs[1]]
    assert [(tick.at, tick.label) for tick in chart.x_ticks] == [(xs[0], "first"), (xs[2], "last")]
    assert [tick.label for tick in chart.y_ticks] == ["-2", "-1", "0", "+1", "+2"]
    assert chart.rows == [("first", ["+0.000", "+0.000"]), ("last", ["+2.000", "-2.000"])]
    assert "up ends at +2.000, down ends at -2.000; dashed: nothing." in chart.description


@pytest.mark.parametrize("sign", [1, -1])
def test_names_of_lines_that_end_together_stand_apart_in_their_order_and_inside(sign: int) -> None:
    ends = {"a": -1.0, "b": -0.99, "c": -0.98, "d": 1.0}

    chart = make_chart(*lines(**{name: [0.0, 0.0, sign * end] for name, end in ends.items()}))

    a, b, c, d = (line.name_y for line in chart.lines)
    assert sorted([a, d]) == [TOP, TOP + HEIGHT]
    assert [a - b, b - c] == pytest.approx([sign * NAME_DISTANCE] * 2)


def test_a_single_point_is_a_line_that_ends_where_it_begins() -> None:
    chart = make_chart(*lines(".4f", a=[0.2]), reference=Reference(1 / 6, "equal"), from_zero=False)

    assert points(chart, 0) == [(chart.lines[0].end_x, chart.lines[0].end_y)]
    assert chart.lines[0].text == "0.2000"


def test_a_line_leaves_out_missing_values_and_a_series_without_any_has_no_line() -> None:
    chart = make_chart(*lines(a=[None, 1.0, None, 2.0, None], b=[None] * 5))

    assert [x for x, _ in points(chart, 0)] == [chart.x_ticks[index].at for index in (1, 3)]
    assert [(line.name, line.text) for line in chart.lines] == [("a", "+2.000")]
    assert chart.rows == [("label 1", ["+1.000", ""]), ("label 3", ["+2.000", ""])]


def rects(chart: Chart, style: str) -> list[Rect]:
    return [rect for rect in chart.rects if rect.style == style]


def test_bars_stand_on_each_other_and_marks_bands_and_reference_on_the_same_scale() -> None:
    chart = make_chart(
        Series("lower", [10, 0, 40], 1),
        Series("upper", [30, 20, None], 2),
        Series("least", [20, 50, None], "alarm", "mark"),
        reference=Reference(25.0, "mean"),
        bands=[Band("usual", "usual", 10.0, 30.0)],
        plot_width=300,
    )

    unit, bottom = HEIGHT / 50, TOP + HEIGHT
    first, third = rects(chart, "bar style-1")
    assert [(bar.x + bar.width / 2, bar.y, bar.height) for bar in (first, third)] == [
        (chart.left + 50, bottom - 10 * unit, 10 * unit),
        (chart.left + 250, bottom - 40 * unit, 40 * unit),
    ]
    upper = [(bar.y, bar.height) for bar in rects(chart, "bar style-2")]
    assert upper == [(bottom - 40 * unit, 30 * unit), (bottom - 20 * unit, 20 * unit)]
    assert [mark.y for mark in rects(chart, "mark style-alarm")] == [bottom - 20 * unit, bottom - 50 * unit]
    (band,) = rects(chart, "band usual")
    assert (band.x, band.y, band.width, band.height) == (chart.left, bottom - 30 * unit, 300, 20 * unit)
    assert chart.reference_y == bottom - 25 * unit


def test_a_tooltip_tells_all_values_of_a_label_and_the_table_leaves_out_empty_labels() -> None:
    counted = Series("counted", [1200, 0], number_format=",.0f")

    chart = make_chart(counted, Series("z", [-1.5, None], kind="text", number_format="+.2f"))

    assert [text for _, text in chart.tooltips] == ["label 0: counted 1,200, z -1.50", "label 1: counted 0"]
    assert chart.rows == [("label 0", ["1,200", "-1.50"])]
    assert len(chart.rects) == 1


@pytest.mark.parametrize(
    ("labels", "plot_width", "shown"),
    [
        ([str(ball) for ball in range(1, 70)], 69 * BALL_WIDTH, map(str, range(1, 70))),
        (
            [f"{day:02}-01" for day in range(1, 13)],
            340,
            ["02-01", "04-01", "06-01", "08-01", "10-01", "12-01"],
        ),
        (
            ["random_forest", "lstm", "v1", "v2", "hybrid"],
            340,
            ["random_forest", "lstm", "v1", "v2", "hybrid"],
        ),
        (["far too long for this plot"] * 2, 100, ["far too long for this plot"]),
        (["only"], 10, ["only"]),
    ],
)
def test_as_many_labels_are_shown_as_do_not_overlap(labels: list[str], plot_width: int, shown: Any) -> None:
    chart = make_chart(Series("a", [1.0] * len(labels)), labels=labels, plot_width=plot_width)

    assert [tick.label for tick in chart.x_ticks] == list(shown)


def test_a_chart_without_any_value_is_empty() -> None:
    assert make_chart(Series("a", [0, None]), Series("b", [None, 0.0], 2, "line")).is_empty
    assert not make_chart(Series("a", [0, None]), Series("b", [None, 0.1], 2, "line")).is_empty


def test_means_and_intervals_stand_on_one_scale_beside_zero() -> None:
    chart = IntervalChart("name", "Title", [Estimate("a", 0.5, 0.0, 1.0), Estimate("b", -1.0, -2.0, 0.0)])

    unit = INTERVAL_WIDTH / 3  # from -2 to 1
    a, b = chart.intervals
    assert chart.zero_x == pytest.approx(INTERVAL_LEFT + 2 * unit, abs=0.1)
    assert (a.low_x, a.x, a.high_x) == pytest.approx(
        (chart.zero_x, chart.zero_x + unit / 2, chart.zero_x + unit), abs=0.1
    )
    assert (b.low_x, b.x) == pytest.approx((chart.zero_x - 2 * unit, chart.zero_x - unit), abs=0.1)
    assert a.y < b.y < chart.bottom
    assert b.text == "-1.0000 (-2.0000 to +0.0000)"
    assert [tick.label for tick in chart.ticks][-3:] == ["0", "+0.5", "+1.0"]
