"""Tests of the admin pages of backtests."""

import re

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from predictions.admin.backtests import _tick_indices, gain_chart
from predictions.models import Backtest
from tests.factories import make_backtest
from tests.staff import staff_who_may, superuser

pytestmark = pytest.mark.django_db

BACKTESTS = "/admin/predictions/backtest/"
GAINS = {"v1": (0.001, 0.01), "v2": (-0.005, 0.01)}


@pytest.fixture
def admin() -> Client:
    return superuser()


def text(client: Client, url: str) -> str:
    response = client.get(url)
    assert response.status_code == 200
    return " ".join(response.content.decode().split())


def page_of(client: Client, backtest: Backtest) -> str:
    return text(client, f"{BACKTESTS}{backtest.pk}/change/")


def charts_of(page: str) -> str:
    return page.partition('class="module charts"')[2].partition('class="submit-row"')[0]


def test_list_shows_result_and_progress_of_each_run(admin: Client) -> None:
    backtest = make_backtest(GAINS)
    running = make_backtest(GAINS)
    running.folds.filter(mode="v2").delete()
    Backtest.objects.filter(pk=running.pk).update(status="running", results={}, error="v2: no XGBoost")

    page = text(admin, BACKTESTS)

    assert backtest.status == "completed"
    for text_in_list in ("0 better than chance, 1 no different, 1 worse", "6 of 6", "4 of 6", "2025-12-22"):
        assert text_in_list in page
    assert "v2: no XGBoost" in page


def test_page_compares_every_mode_with_uniform(admin: Client) -> None:
    charts = charts_of(page_of(admin, make_backtest(GAINS)))

    cells = re.findall(
        r"<t[hd][^>]*>([^<]*)</t[hd]>", charts.partition("<tbody>")[2].partition("</tbody>")[0]
    )
    assert cells == [
        *("v1", "19.4920", "16.2349", "3.2581", "+0.0010 ± 0.0016", "0.3623", "0.0385"),
        *("v2", "19.4980", "16.2349", "3.2581", "-0.0050 ± 0.0016", "0.3623", "0.0385"),
        *("uniform", "19.4930", "16.2349", "3.2581", "+0.0000 ± 0.0000", "0.3623", "0.0385"),
    ]
    assert "<strong>v1</strong>: no better and no worse than chance on 40 draws" in charts
    assert "<strong>v2</strong>: measurably worse than chance on 40 draws" in charts
    assert "25/69 = 0.3623 and 1/26 = 0.0385" in charts
    assert "1 in 292,201,338" in charts


def test_page_plots_intervals_around_zero_and_cumulative_gains(admin: Client) -> None:
    charts = charts_of(page_of(admin, make_backtest(GAINS)))

    assert charts.count('role="img"') == 2
    assert (
        "v1 +0.0010 (-0.0022 to +0.0042); v2 -0.0050 (-0.0082 to -0.0018). The dashed line is zero." in charts
    )
    assert "v1 ends at +0.040, v2 ends at -0.200; dashed: uniform (no gain)." in charts
    assert charts.count("<polyline") == 2
    assert charts.count('class="divider"') == 2  # 40 draws, fitted every 20
    assert "<script" not in charts


def test_the_gains_are_summed_from_nothing_on() -> None:
    chart = gain_chart(make_backtest(GAINS))

    assert chart.rows == [
        ("0", ["+0.000", "+0.000"]),
        ("20 draws", ["+0.020", "-0.100"]),
        ("40 draws", ["+0.040", "-0.200"]),
    ]


def test_calibration_lists_expected_and_drawn_balls(admin: Client) -> None:
    charts = charts_of(page_of(admin, make_backtest({"v1": (0.001, 0.01)})))

    table = charts.partition("Calibration")[2].partition("<tbody>")[2].partition("</tbody>")[0]
    cells = re.findall(r"<t[hd][^>]*>([^<]*)</t[hd]>", table)
    assert cells == ["v1", "1.00 to 1.01", "2,760", "200.0", "200", "1.00"]  # 40 draws of 5 of 69 balls


@pytest.mark.parametrize(
    ("draws", "refit_every", "indices"),
    [
        (200, 50, [0, 50, 100, 150, 200]),
        (30, 50, [0, 30]),
        (210, 50, [0, 50, 100, 150, 210]),
        (600, 1, [0, 75, 150, 225, 300, 375, 450, 525, 600]),
    ],
)
def test_labels_have_room_whatever_the_number_of_fits(
    draws: int, refit_every: int, indices: list[int]
) -> None:
    assert _tick_indices(draws, refit_every) == indices


def test_running_backtest_has_no_comparison_yet(admin: Client) -> None:
    backtest = make_backtest(GAINS)
    Backtest.objects.update(status="running", results={})

    page = page_of(admin, backtest)

    assert "Results are available once all folds are stored" in page
    assert 'role="img"' not in charts_of(page)


def test_one_of_uniform_alone_has_a_table_and_no_plot(admin: Client) -> None:
    charts = charts_of(page_of(admin, make_backtest({})))

    assert "19.4930" in charts
    assert 'role="img"' not in charts


def test_one_that_is_not_there_leads_home(admin: Client) -> None:
    assert admin.get(f"{BACKTESTS}99/change/").status_code == 302


def test_number_of_queries_does_not_depend_on_the_backtests(admin: Client) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            text(admin, BACKTESTS)
        return len(captured)

    make_backtest(GAINS)
    once = queries()
    for _ in range(3):
        make_backtest(GAINS)

    assert queries() == once


def test_backtests_are_read_only() -> None:
    backtest = make_backtest(GAINS)
    editor = staff_who_may("add_backtest", "change_backtest", "delete_backtest")

    assert editor.get(f"{BACKTESTS}add/").status_code == 403
    assert editor.post(f"{BACKTESTS}{backtest.pk}/change/", {"status": "failed"}).status_code == 403
    assert editor.post(f"{BACKTESTS}{backtest.pk}/delete/", {"post": "yes"}).status_code == 403
    assert Backtest.objects.get().status == "completed"
