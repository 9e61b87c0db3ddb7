"""Axes, line charts and interval charts place values to scale."""

import pytest

from shiolplus.charts.axis import Axis
from shiolplus.charts.interval import LEFT as INTERVAL_LEFT
from shiolplus.charts.interval import WIDTH as INTERVAL_WIDTH
from shiolplus.charts.interval import Estimate, interval_chart
from shiolplus.charts.line import HEIGHT, LABEL_DISTANCE, LEFT, TOP, WIDTH, LineChart, line_chart


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


def make_chart(**series: list[float]) -> LineChart:
    return line_chart("Title", "name", "nothing", series, 0.0, {0: "first", 2: "last"}, marks=[1])


def points(chart: LineChart, index: int) -> list[tuple[float, float]]:
    pairs = chart.lines[index].points.split()
    return [(float(x), float(y)) for x, y in (pair.split(",") for pair in pairs)]


def test_a_line_goes_through_its_values_on_the_charts_scale() -> None:
    chart = make_chart(up=[0.0, 1.0, 2.0], down=[0.0, -1.0, -2.0])

    middle = TOP + HEIGHT / 2
    assert points(chart, 0) == [(LEFT, middle), (LEFT + WIDTH / 2, TOP + HEIGHT / 4), (LEFT + WIDTH, TOP)]
    assert points(chart, 1)[-1] == (LEFT + WIDTH, TOP + HEIGHT)
    assert chart.level_y == middle
    assert chart.marks == [LEFT + WIDTH / 2]
    assert [(tick.at, tick.label) for tick in chart.x_ticks] == [(LEFT, "first"), (LEFT + WIDTH, "last")]
    assert [tick.label for tick in chart.y_ticks] == ["-2", "-1", "0", "+1", "+2"]
    assert chart.rows == [("first", ["+0.000", "+0.000"]), ("last", ["+2.000", "-2.000"])]


@pytest.mark.parametrize("sign", [1, -1])
def test_names_of_lines_that_end_together_stand_apart_in_their_order_and_inside(sign: int) -> None:
    ends = {"a": -1.0, "b": -0.99, "c": -0.98, "d": 1.0}

    chart = make_chart(**{name: [0.0, 0.0, sign * end] for name, end in ends.items()})

    a, b, c, d = (line.name_y for line in chart.lines)
    assert sorted([a, d]) == [TOP, TOP + HEIGHT]
    assert [a - b, b - c] == pytest.approx([sign * LABEL_DISTANCE] * 2)


def test_a_single_point_is_a_line_that_ends_where_it_begins() -> None:
    chart = line_chart("Title", "name", "equal", {"a": [0.2]}, 1 / 6, {0: "today"}, form=".4f")

    assert len(points(chart, 0)) == 1
    assert (chart.lines[0].end_x, chart.lines[0].text) == (LEFT, "0.2000")


def test_means_and_intervals_stand_on_one_scale_beside_zero() -> None:
    chart = interval_chart(
        "Title", "name", [Estimate("a", 0.5, 0.0, 1.0, "a half"), Estimate("b", -1.0, -2.0, 0.0, "minus one")]
    )

    unit = INTERVAL_WIDTH / 3  # from -2 to 1
    a, b = chart.intervals
    assert chart.zero_x == pytest.approx(INTERVAL_LEFT + 2 * unit, abs=0.1)
    assert (a.low_x, a.x, a.high_x) == pytest.approx(
        (chart.zero_x, chart.zero_x + unit / 2, chart.zero_x + unit), abs=0.1
    )
    assert (b.low_x, b.x) == pytest.approx((chart.zero_x - 2 * unit, chart.zero_x - unit), abs=0.1)
    assert a.y < b.y < chart.bottom
    assert [tick.label for tick in chart.ticks][-3:] == ["0", "+0.5", "+1.0"]
