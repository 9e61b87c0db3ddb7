"""Admin pages for the randomness reports of the analytics step."""

import math
from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from predictions.draws.randomness import AT_LEVEL, BALLS, chi_square_text, p_text
from predictions.models import RandomnessReport
from predictions.powerball import CURRENT_ERA, POWERBALL_MAX, WHITE_BALLS, WHITE_MAX
from shiolplus.adminsite.changelist import RememberedFiltersAdmin
from shiolplus.adminsite.columns import (
    EMPTY,
    ReadOnlyAdminMixin,
    date_column,
    datetime_column,
)
from shiolplus.charts.chart import BALL_WIDTH, Band, Chart, Reference, Series

Figures = dict[str, Any]


@dataclass(frozen=True)
class StatisticalTest:
    """One statistical test as formatted texts."""

    name: str
    measured: str
    expected: str
    z: str
    p: str
    verdict: str


@admin.register(RandomnessReport)
class RandomnessReportAdmin(ReadOnlyAdminMixin, RememberedFiltersAdmin):
    list_display = [
        date_column("draws_through"),
        "draws",
        "white_balls",
        "powerball",
        "verdict",
        datetime_column("created_at", "created"),
    ]
    fields = ["verdict", "draws", "draws_through", "draws_fingerprint", "created_at"]
    change_form_template = "admin/predictions/randomnessreport/change_form.html"

    @admin.display(description="white balls: chi-square")
    def white_balls(self, report: RandomnessReport) -> str:
        return chi_square_text(report.figures["white"])

    @admin.display(description="Powerball: chi-square")
    def powerball(self, report: RandomnessReport) -> str:
        return chi_square_text(report.figures["powerball"])

    def page_context(self, request: HttpRequest, report: RandomnessReport) -> dict[str, Any]:
        return {
            "charts": count_charts(report.figures),
            "tests": statistical_tests(report.figures),
            "tickets": f"{CURRENT_ERA.ticket_count:,}",
        }


def count_charts(figures: Figures) -> list[Chart]:
    """Return charts of how often each ball was drawn, compared to the expectation for fair draws."""
    white, powerball, draws = figures["white"], figures["powerball"], f"{figures['draws']:,}"
    return [
        _count_chart("White balls: times drawn", "white", white, f"{draws} times {WHITE_BALLS}/{WHITE_MAX}"),
        _count_chart("Powerball: times drawn", "powerball", powerball, f"{draws} times 1/{POWERBALL_MAX}"),
    ]


def _count_chart(title: str, name: str, ball_figures: Figures, expectation: str) -> Chart:
    expected, deviation = ball_figures["expected"], ball_figures["standard_deviation"]
    low, high = ball_figures["limits"]
    counts = ball_figures["counts"]
    return Chart(
        name,
        title,
        "Ball",
        [str(ball) for ball in range(1, len(counts) + 1)],
        [
            Series("Times drawn", counts),
            Series("z", ball_figures["ball_z"], kind="text", number_format="+.2f"),
        ],
        Reference(expected, f"expected for fair draws, {expectation} = {expected:.1f}"),
        [
            Band(
                "usual",
                f"expected ± 2 standard deviations of {deviation:.1f}: "
                "about one ball in twenty is outside by chance",
                max(0.0, expected - 2 * deviation),
                expected + 2 * deviation,
            ),
            Band(
                "corrected",
                f"{low} to {high} times: a ball outside would differ by itself, "
                f"{AT_LEVEL} after correction for all {BALLS} balls",
                low,
                high,
            ),
        ],
        plot_width=BALL_WIDTH * len(counts),
    )


def statistical_tests(figures: Figures) -> list[StatisticalTest]:
    return [
        _chi_square_row("White balls drawn equally often", figures["white"]),
        _chi_square_row("Powerballs drawn equally often", figures["powerball"]),
        _repeats_row("White balls repeated in the next draw", figures["white_repeats"]),
        _repeats_row("Powerball repeated in the next draw", figures["powerball_repeats"]),
        _extreme_row(figures["extreme_ball"]),
    ]


def _chi_square_row(name: str, test: Figures) -> StatisticalTest:
    degrees = test["degrees_of_freedom"]
    return StatisticalTest(
        name,
        measured=f"chi-square {test['statistic']:.2f}",
        expected=f"{degrees} ± {math.sqrt(2 * degrees):.1f}",
        z=EMPTY,
        p=_p(test["p"]),
        verdict=test["verdict"],
    )


def _repeats_row(name: str, test: Figures) -> StatisticalTest:
    return StatisticalTest(
        name,
        measured=f"{test['repeats']:,} in {test['pairs']:,} pairs of draws",
        expected=_expected(test),
        z=f"{test['z']:+.2f}",
        p=_p(test["p"]),
        verdict=test["verdict"],
    )


def _extreme_row(test: Figures) -> StatisticalTest:
    p = test["p"]
    return StatisticalTest(
        "Most extreme ball",
        measured=f"{test['kind']} {test['ball']}, {test['count']:,} times",
        expected=_expected(test),
        z=f"{test['z']:+.2f}",
        p=EMPTY if p is None else f"{_p(p)}: {test['balls']} times {_p(test['p_alone'])}",
        verdict=test["verdict"],
    )


def _expected(test: Figures) -> str:
    return f"{test['expected']:.1f} ± {test['standard_deviation']:.1f}"


def _p(p: float | None) -> str:
    return EMPTY if p is None else p_text(p).removeprefix("p ")
