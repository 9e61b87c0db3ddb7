"""Admin pages for backtests: the modes compared to the uniform baseline, in tables and charts."""

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from django.contrib import admin
from django.db.models import Count, Q, QuerySet, Sum
from django.http import HttpRequest

from predictions.evaluation.backtest import BASELINE, comparisons, complete_figures, summarize_results
from predictions.evaluation.comparison import CalibrationBin, Comparison, log_loss_gains
from predictions.models import Backtest
from predictions.powerball import CURRENT_ERA, EXPECTED_WHITE_MATCHES, POWERBALL_MAX
from shiolplus.adminsite.changelist import RememberedFiltersAdmin
from shiolplus.adminsite.columns import (
    EMPTY,
    ReadOnlyAdminMixin,
    date_column,
    datetime_column,
    truncated_column,
)
from shiolplus.charts.chart import Chart, Reference, Series
from shiolplus.charts.interval import Estimate, IntervalChart


@admin.register(Backtest)
class BacktestAdmin(ReadOnlyAdminMixin, RememberedFiltersAdmin):
    list_display = [
        datetime_column("created_at", "created"),
        "status",
        "result",
        "draws",
        date_column("draws_through"),
        "folds_stored",
        truncated_column("error", 40),
    ]
    list_filter = ["status", ("created_at", admin.DateFieldListFilter)]
    fields = [
        "status",
        "mode_list",
        ("draws", "refit_every", "seed"),
        ("tested_from", "draws_through", "draws_known"),
        ("folds_stored", "process_seconds"),
        ("created_at", "started_at", "finished_at"),
        "error",
        "draws_fingerprint",
        "code_versions",
    ]
    readonly_fields = ["mode_list", "folds_stored", "process_seconds", "code_versions"]
    change_form_template = "admin/predictions/backtest/change_form.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Backtest]:
        stored = Q(folds__error="")
        return (
            super()
            .get_queryset(request)
            .annotate(stored=Count("folds", filter=stored), spent=Sum("folds__seconds", filter=stored))
        )

    @admin.display(description="modes")
    def mode_list(self, backtest: Backtest) -> str:
        return ", ".join(backtest.modes)

    @admin.display(description="folds")
    def folds_stored(self, backtest: Any) -> str:
        return f"{backtest.stored} of {backtest.folds_per_mode * len(backtest.modes)}"

    @admin.display(description="process seconds")
    def process_seconds(self, backtest: Any) -> str:
        return f"{backtest.spent or 0:.0f}"

    @admin.display(description="result")
    def result(self, backtest: Backtest) -> str:
        return summarize_results(comparisons(backtest)) if backtest.results else EMPTY

    @admin.display(description="versions")
    def code_versions(self, backtest: Backtest) -> str:
        return ", ".join(f"{mode} {version['code_version']}" for mode, version in backtest.versions.items())

    def page_context(self, request: HttpRequest, backtest: Backtest) -> dict[str, Any]:
        results = comparisons(backtest)
        if not results:
            return {}
        modes = [result for result in results if result.mode != BASELINE]
        return {
            "table": [_comparison_row(result) for result in results],
            "verdicts": [(mode.mode, mode.verdict) for mode in modes],
            "difference": difference_chart(modes) if modes else None,
            "gains": gain_chart(backtest) if modes else None,
            "calibration": [
                _calibration_row(mode.mode, calibration_bin)
                for mode in modes
                for calibration_bin in mode.calibration
            ],
            "tickets": f"{CURRENT_ERA.ticket_count:,}",
            "white_matches": f"{EXPECTED_WHITE_MATCHES} = {float(EXPECTED_WHITE_MATCHES):.4f}",
            "powerball_matches": f"1/{POWERBALL_MAX} = {1 / POWERBALL_MAX:.4f}",
        }


def _comparison_row(result: Comparison) -> dict[str, str]:
    return {
        "mode": result.mode,
        "joint": f"{result.joint:.4f}",
        "white": f"{result.white:.4f}",
        "powerball": f"{result.powerball:.4f}",
        "difference": f"{result.difference:+.4f} ± {result.standard_error:.4f}",
        "white_matches": f"{result.white_matches:.4f}",
        "powerball_matches": f"{result.powerball_matches:.4f}",
    }


def difference_chart(modes: Sequence[Comparison]) -> IntervalChart:
    """Return a chart of each mode's mean log-loss gain over uniform, with its interval."""
    return IntervalChart(
        "difference",
        "Log-loss gain over uniform in nats per draw, with 95 % interval",
        [Estimate(mode.mode, mode.difference, mode.low, mode.high) for mode in modes],
    )


def gain_chart(backtest: Backtest) -> Chart:
    """Return a chart of each mode's cumulative log-loss gain over uniform."""
    figures_by_mode = complete_figures(backtest)
    uniform = figures_by_mode.pop(BASELINE)
    gains = {mode: log_loss_gains(figures, uniform) for mode, figures in figures_by_mode.items()}
    return Chart(
        "gains",
        f"Cumulative log-loss gain over uniform since {backtest.tested_from}, in nats",
        "After",
        ["0", *(f"{draws} draws" for draws in range(1, backtest.draws + 1))],
        [
            Series(mode, list(accumulate(per_draw, initial=0.0)), style, "line", "+.3f")
            for style, (mode, per_draw) in enumerate(gains.items(), start=1)
        ],
        Reference(0.0, "uniform (no gain)"),
        ticks=_tick_indices(backtest.draws, backtest.refit_every),
        dividers=range(0, backtest.draws, backtest.refit_every),
    )


def _tick_indices(draws: int, refit_every: int, max_fits: int = 8) -> list[int]:
    """Return the indices of evenly spaced fits and of the end, far enough apart for their labels."""
    step = refit_every * -(-draws // (refit_every * max_fits))
    indices = [*range(0, draws, step), draws]
    if len(indices) > 2 and draws - indices[-2] < step / 2:
        del indices[-2]
    return indices


def _calibration_row(mode: str, calibration_bin: CalibrationBin) -> dict[str, str]:
    return {
        "mode": mode,
        "range": _bin_range(calibration_bin),
        "balls": f"{calibration_bin.balls:,}",
        "expected": f"{calibration_bin.expected:.1f}",
        "drawn": f"{calibration_bin.drawn:,}",
        "ratio": f"{calibration_bin.ratio:.2f}",
    }


def _bin_range(calibration_bin: CalibrationBin) -> str:
    if calibration_bin.low is None:
        return f"under {calibration_bin.high:.2f}"
    return (
        f"{calibration_bin.low:.2f} or more"
        if calibration_bin.high is None
        else f"{calibration_bin.low:.2f} to {calibration_bin.high:.2f}"
    )
