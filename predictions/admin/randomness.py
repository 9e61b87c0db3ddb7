"""The admin's pages for randomness reports: what the analytics step stored, counts drawn as bars."""

import math
from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from predictions.draws.randomness import AT_LEVEL, BALLS, chi_square_text, p_text
from predictions.models import RandomnessReport
from predictions.powerball import CURRENT_ERA, POWERBALL_MAX, WHITE_BALLS, WHITE_MAX
from shiolplus.adminsite.columns import (
    EMPTY,
    ExtraContextMixin,
    ReadOnlyAdminMixin,
    date_column,
    datetime_column,
)
from shiolplus.charts.bar import Band, BarChart, Reference, bar_chart

Figures = dict[str, Any]


@dataclass(frozen=True)
class Row:
    """One test as a line of texts."""

    name: str
    measured: str
    expected: str
    z: str
    p: str
    verdict: str


@admin.register(RandomnessReport)
class RandomnessReportAdmin(ReadOnlyAdminMixin, ExtraContextMixin):
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
            "tests": rows_of(report.figures),
            "tickets": f"{CURRENT_ERA.tickets:,}",
        }


def count_charts(figures: Figures) -> list[BarChart]:
    """How often each white ball and each Powerball was drawn, beside what is expected of fair draws."""
    white, red, draws = figures["white"], figures["powerball"], figures["draws"]
    return [
        _count_chart(
            "White balls: times drawn", "white", white, f"{draws:,} times {WHITE_BALLS}/{WHITE_MAX}"
        ),
        _count_chart("Powerball: times drawn", "powerball", red, f"{draws:,} times 1/{POWERBALL_MAX}"),
    ]


def _count_chart(title: str, name: str, stored: Figures, product: str) -> BarChart:
    expected, deviation = stored["expected"], stored["standard_deviation"]
    low, high = stored["limits"]
    return bar_chart(
        title,
        name,
        ("Times drawn", "z"),
        stored["counts"],
        [(str(count), f"{z:+.2f}") for count, z in zip(stored["counts"], stored["ball_z"], strict=True)],
        Reference(expected, f"expected of fair draws, {product}", "fair", f"{expected:.1f}"),
        [
            Band(
                "usual",
                f"expected ± 2 standard deviations of {deviation:.1f}: "
                "about one ball in twenty lies outside by chance",
                max(0.0, expected - 2 * deviation),
                expected + 2 * deviation,
            ),
            Band(
                "corrected",
                f"{low} to {high} times: a ball outside would differ alone, "
                f"{AT_LEVEL} after correction for all {BALLS} balls",
                low,
                high,
            ),
        ],
    )


def rows_of(figures: Figures) -> list[Row]:
    """Every test of a report, in the order of its figures."""
    return [
        _chi_square_row("White balls equally often", figures["white"]),
        _chi_square_row("Powerballs equally often", figures["powerball"]),
        _repeats_row("White balls again in the next draw", figures["white_repeats"]),
        _repeats_row("Powerball again in the next draw", figures["powerball_repeats"]),
        _extreme_row(figures["extreme_ball"]),
    ]


def _chi_square_row(name: str, stored: Figures) -> Row:
    degrees = stored["degrees_of_freedom"]
    return Row(
        name,
        measured=f"chi-square {stored['statistic']:.2f}",
        expected=f"{degrees} ± {math.sqrt(2 * degrees):.1f}",
        z=EMPTY,
        p=_p(stored["p"]),
        verdict=stored["verdict"],
    )


def _repeats_row(name: str, stored: Figures) -> Row:
    return Row(
        name,
        measured=f"{stored['repeats']:,} in {stored['pairs']:,} pairs of draws",
        expected=_expected(stored),
        z=f"{stored['z']:+.2f}",
        p=_p(stored["p"]),
        verdict=stored["verdict"],
    )


def _extreme_row(stored: Figures) -> Row:
    p = stored["p"]
    return Row(
        "The most extreme ball",
        measured=f"{stored['kind']} {stored['ball']}, {stored['count']:,} times",
        expected=_expected(stored),
        z=f"{stored['z']:+.2f}",
        p=EMPTY if p is None else f"{_p(p)}: {stored['balls']} times {_p(stored['p_alone'])}",
        verdict=stored["verdict"],
    )


def _expected(stored: Figures) -> str:
    return f"{stored['expected']:.1f} ± {stored['standard_deviation']:.1f}"


def _p(p: float | None) -> str:
    return EMPTY if p is None else p_text(p).removeprefix("p ")
