"""The admin's pages for backtests: the modes beside uniform, in tables and in plots."""

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from django.contrib import admin
from django.db.models import Count, Q, QuerySet, Sum
from django.http import HttpRequest

from predictions.evaluation.backtest import BASELINE, comparisons, complete_figures, outcome
from predictions.evaluation.comparison import CalibrationBin, Comparison, log_loss_gains
from predictions.models import Backtest
from predictions.powerball import CURRENT_ERA, EXPECTED_WHITE_MATCHES, POWERBALL_MAX
from shiolplus.adminsite.columns import (
    EMPTY,
    ExtraContextMixin,
    ReadOnlyAdminMixin,
    date_column,
    datetime_column,
    truncated_column,
)
from shiolplus.charts.interval import Estimate, IntervalChart, interval_chart
from shiolplus.charts.line import LineChart, line_chart


@admin.register(Backtest)
class BacktestAdmin(ReadOnlyAdminMixin, ExtraContextMixin):
    list_display = [
        datetime_column("created_at", "created"),
        "status",
        "came_of_it",
        "draws",
        date_column("draws_through"),
        "folds_stored",
        truncated_column("error", 40),
    ]
    list_filter = ["status", ("created_at", admin.DateFieldListFilter)]
    fields = [
        "status",
        "measured",
        ("draws", "refit_every", "seed"),
        ("tested_from", "draws_through", "draws_known"),
        ("folds_stored", "process_seconds"),
        ("created_at", "started_at", "finished_at"),
        "error",
        "draws_fingerprint",
        "made_by",
    ]
    readonly_fields = ["measured", "folds_stored", "process_seconds", "made_by"]
    change_form_template = "admin/predictions/backtest/change_form.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Backtest]:
        stored = Q(folds__error="")
        return (
            super()
            .get_queryset(request)
            .annotate(stored=Count("folds", filter=stored), spent=Sum("folds__seconds", filter=stored))
        )

    @admin.display(description="modes")
    def measured(self, backtest: Backtest) -> str:
        return ", ".join(backtest.modes)

    @admin.display(description="folds")
    def folds_stored(self, backtest: Any) -> str:
        return f"{backtest.stored} of {backtest.folds_per_mode * len(backtest.modes)}"

    @admin.display(description="seconds of all its processes")
    def process_seconds(self, backtest: Any) -> str:
        return f"{backtest.spent or 0:.0f}"

    @admin.display(description="the modes on these draws")
    def came_of_it(self, backtest: Backtest) -> str:
        return outcome(comparisons(backtest)) if backtest.results else EMPTY

    @admin.display(description="versions")
    def made_by(self, backtest: Backtest) -> str:
        return ", ".join(f"{name} {one['code_version']}" for name, one in backtest.versions.items())

    def page_context(self, request: HttpRequest, backtest: Backtest) -> dict[str, Any]:
        found = comparisons(backtest)
        return _shown(backtest, found) if found else {}


def _shown(backtest: Backtest, found: Sequence[Comparison]) -> dict[str, Any]:
    """What the page tells and draws of the modes; the baseline is the line that they stand beside."""
    modes = [one for one in found if one.mode != BASELINE]
    return {
        "table": [_row(one) for one in found],
        "verdicts": [(one.mode, one.verdict) for one in modes],
        "whiskers": [_difference_chart(modes)] if modes else [],
        "lines": [gain_chart(backtest)] if modes else [],
        "calibration": [_class_row(one.mode, each) for one in modes for each in one.calibration],
        "tickets": f"{CURRENT_ERA.tickets:,}",
        "white_matches": f"{EXPECTED_WHITE_MATCHES} = {float(EXPECTED_WHITE_MATCHES):.4f}",
        "powerball_matches": f"1/{POWERBALL_MAX} = {1 / POWERBALL_MAX:.4f}",
    }


def _row(one: Comparison) -> dict[str, str]:
    return {
        "mode": one.mode,
        "joint": f"{one.joint:.4f}",
        "white": f"{one.white:.4f}",
        "powerball": f"{one.powerball:.4f}",
        "difference": f"{one.difference:+.4f} ± {one.standard_error:.4f}",
        "white_matches": f"{one.white_matches:.4f}",
        "powerball_matches": f"{one.powerball_matches:.4f}",
    }


def _difference_chart(modes: Sequence[Comparison]) -> IntervalChart:
    """Each mode's mean difference to uniform, with its interval."""
    return interval_chart(
        "Better than uniform by, in nats a draw, with the 95 % interval",
        "difference",
        [
            Estimate(
                one.mode,
                one.difference,
                one.low,
                one.high,
                f"{one.difference:+.4f} ({one.low:+.4f} to {one.high:+.4f})",
            )
            for one in modes
        ],
    )


def gain_chart(backtest: Backtest) -> LineChart:
    """What each mode gained on uniform, summed from the first tested draw on."""
    figures = complete_figures(backtest)
    uniform = figures.pop(BASELINE)
    return line_chart(
        f"Gained on uniform since {backtest.tested_from}, in nats, summed draw by draw",
        "gains",
        "uniform: nothing gained, nothing lost",
        {mode: list(accumulate(log_loss_gains(one, uniform), initial=0.0)) for mode, one in figures.items()},
        level=0.0,
        places={
            number: f"{number} draws" if number else "0"
            for number in _places(backtest.draws, backtest.refit_every)
        },
        marks=range(0, backtest.draws, backtest.refit_every),
    )


def _places(draws: int, refit_every: int, most: int = 8) -> list[int]:
    """Some of the fits, so that their labels have room, and the end."""
    every = refit_every * -(-draws // (refit_every * most))
    places = [*range(0, draws, every), draws]
    if len(places) > 2 and draws - places[-2] < every / 2:
        del places[-2]
    return places


def _class_row(mode: str, one: CalibrationBin) -> dict[str, str]:
    return {
        "mode": mode,
        "range": _range(one),
        "balls": f"{one.balls:,}",
        "expected": f"{one.expected:.1f}",
        "drawn": f"{one.drawn:,}",
        "ratio": f"{one.ratio:.2f}",
    }


def _range(one: CalibrationBin) -> str:
    if one.low is None:
        return f"under {one.high:.2f}"
    return f"{one.low:.2f} or more" if one.high is None else f"{one.low:.2f} to {one.high:.2f}"
