"""Tests of the admin pages of randomness reports."""

import re
from datetime import date

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from predictions.admin.randomness import count_charts, statistical_tests
from predictions.models import PipelineStep, RandomnessReport
from predictions.pipeline.runner import accept_run
from predictions.pipeline.steps import STEPS, StepContext
from shiolplus.charts.chart import HEIGHT, TOP
from tests.factories import make_prediction, make_report
from tests.staff import staff_who_may, superuser

pytestmark = pytest.mark.django_db

REPORTS = "/admin/predictions/randomnessreport/"


@pytest.fixture
def admin() -> Client:
    return superuser()


@pytest.fixture
def real_report(real_draws: None) -> RandomnessReport:
    """Return the report that the analytics step stores for the 1,288 real draws."""
    run, _ = accept_run(source="none", enqueue=False)
    context = StepContext(run)
    for name in (PipelineStep.Name.DATA, PipelineStep.Name.ANALYTICS):
        STEPS[name](context)
    return RandomnessReport.objects.get()


def text(client: Client, url: str) -> str:
    response = client.get(url)
    assert response.status_code == 200
    return response.content.decode()


def page_of(client: Client, report: RandomnessReport) -> str:
    return text(client, f"{REPORTS}{report.pk}/change/")


def test_the_list_shows_statistics_with_p_and_the_verdict(
    admin: Client, real_report: RandomnessReport
) -> None:
    page = text(admin, REPORTS)

    for cell in ("2025-12-22", "1288", "85.42 (p 0.075)", "20.84 (p 0.70)", real_report.verdict):
        assert cell in page


def test_page_plots_a_bar_per_ball_with_the_expected_count(
    admin: Client, real_report: RandomnessReport
) -> None:
    page = page_of(admin, real_report)

    assert page.count('role="img"') == 2
    assert page.count('<rect class="column"') == 69 + 26
    assert "expected for fair draws, 1,288 times 5/69" in page
    assert "93.3" in page
    assert '<th scope="row">13</th><td>70</td><td>-2.51</td>' in page
    assert "63 to 127 times: a ball outside would differ by itself" in page
    assert "1 in 292,201,338" in page
    drawn = page.partition('class="module charts"')[2].partition('class="submit-row"')[0]
    assert "68/64" in drawn
    assert "<script" not in drawn


def test_page_lists_every_test_with_its_expectation(admin: Client, real_report: RandomnessReport) -> None:
    table = page_of(admin, real_report).partition('<table class="tests">')[2].partition("</table>")[0]

    cells = re.findall(r"<t[hd][^>]*>([^<]*)</t[hd]>", table.partition("<tbody>")[2])
    fair = "indistinguishable from fair draws"
    assert cells == [
        *("White balls drawn equally often", "chi-square 85.42", "68 ± 11.7", "-", "0.075", fair),
        *("Powerballs drawn equally often", "chi-square 20.84", "25 ± 7.1", "-", "0.70", fair),
        *("White balls repeated in the next draw", "448 in 1,287 pairs of draws", "466.3 ± 20.2", "-0.91"),
        *("0.36", fair),
        *("Powerball repeated in the next draw", "45 in 1,287 pairs of draws", "49.5 ± 6.9", "-0.65"),
        *("0.57", fair),
        *("Most extreme ball", "white ball 13, 70 times", "93.3 ± 9.3", "-2.51"),
        *("1.0: 95 times 0.011", fair),
    ]


def test_bars_bands_and_line_share_one_scale() -> None:
    report = make_report(draws=1000)

    for chart, test in zip(
        count_charts(report.figures), (report.figures["white"], report.figures["powerball"]), strict=True
    ):
        *bars, usual, corrected = chart.rects
        bottom, unit = TOP + HEIGHT, bars[0].height / test["counts"][0]
        expected, deviation = test["expected"], test["standard_deviation"]
        low, high = test["limits"]
        assert bottom - chart.reference_y == pytest.approx(unit * expected, abs=0.02)
        assert bottom - usual.y == pytest.approx(unit * (expected + 2 * deviation), abs=0.02)
        assert usual.height == pytest.approx(unit * 4 * deviation, abs=0.02)
        assert bottom - corrected.y == pytest.approx(unit * high, abs=0.02)
        assert corrected.height == pytest.approx(unit * (high - low), abs=0.02)
        assert all(rect.y >= TOP for rect in chart.rects)


@pytest.mark.parametrize("draws", [1, 20, 100])
def test_report_of_few_draws_says_so(draws: int, admin: Client) -> None:
    report = make_report(draws=draws)

    assert "too few draws: expected count below 5" in page_of(admin, report)
    assert "(too few draws for a p-value)" in text(admin, REPORTS)
    assert statistical_tests(report.figures)[1].p == "-"


def test_a_report_that_is_not_there_leads_home(admin: Client) -> None:
    assert admin.get(f"{REPORTS}99/change/").status_code == 302


def test_number_of_queries_does_not_depend_on_the_reports(admin: Client) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            text(admin, REPORTS)
        return len(captured)

    make_report()
    once = queries()
    for draws in range(201, 206):
        make_report(draws=draws)

    assert queries() == once


def test_reports_are_read_only() -> None:
    report = make_report()
    editor = staff_who_may("add_randomnessreport", "change_randomnessreport", "delete_randomnessreport")

    assert editor.get(f"{REPORTS}add/").status_code == 403
    assert editor.post(f"{REPORTS}{report.pk}/change/", {"verdict": "loaded"}).status_code == 403
    assert editor.post(f"{REPORTS}{report.pk}/delete/", {"post": "yes"}).status_code == 403
    assert RandomnessReport.objects.get().verdict == report.verdict


def test_a_runs_analytics_step_leads_to_its_report(admin: Client) -> None:
    report, run = make_report(draws_through=date(2025, 12, 20)), make_prediction().run
    run.steps.create(number=2, name="analytics", status="completed", detail={"report": report.pk})
    run.steps.create(number=3, name="evaluation", status="completed", summary="nothing")

    page = text(admin, f"/admin/predictions/pipelinerun/{run.pk}/change/")

    assert page.count(f'<a href="{REPORTS}{report.pk}/change/">All figures</a>') == 1
