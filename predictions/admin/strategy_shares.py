"""Admin pages for the shares of the strategies of the adaptive mode, draw by draw."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html, format_html_join

from predictions.models import StrategyShares
from predictions.modes.v1 import STRATEGIES
from predictions.training.strategy_shares import ADAPTIVE_MODE
from shiolplus.adminsite.changelist import RememberedFiltersAdmin
from shiolplus.adminsite.columns import EMPTY, Column, ReadOnlyAdminMixin, date_column
from shiolplus.charts.chart import Chart, Reference, Series

PLOTTED = 200  # newest rows


def share_column(strategy: str) -> Column:
    @admin.display(description=strategy.replace("_", " "))
    def column(shares: StrategyShares) -> str:
        return percent_text(shares.shares.get(strategy))

    column.__name__ = strategy
    return column


def percent_text(share: float | None) -> str:
    return EMPTY if share is None else f"{share:.2%}"


@admin.register(StrategyShares)
class StrategySharesAdmin(ReadOnlyAdminMixin, RememberedFiltersAdmin):
    list_display = [date_column("draw_date"), "origin", *map(share_column, STRATEGIES)]
    fields = readonly_fields = ("mode", "origin", "draw_date", "prediction", "table", "created_at")
    change_list_template = "admin/predictions/strategyshares/change_list.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[StrategyShares]:
        return super().get_queryset(request).select_related("prediction").defer("prediction__components")

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return super().changelist_view(request, (extra_context or {}) | {"chart": share_chart()})

    @admin.display(description="shares")
    def table(self, shares: StrategyShares) -> str:
        rows = format_html_join(
            "",
            "<tr><td>{}</td><td>{}</td><td>{}</td></tr>",
            (
                (
                    strategy,
                    percent_text(share),
                    f"{shares.log_losses[strategy]:.4f}" if strategy in shares.log_losses else EMPTY,
                )
                for strategy, share in shares.shares.items()
            ),
        )
        return format_html(
            "<table><thead><tr><th>Strategy</th><th>Share</th><th>Log-loss on the draw (nats)</th></tr>"
            "</thead><tbody>{}</tbody></table>",
            rows,
        )


def share_chart() -> Chart | None:
    """Return a chart of the newest shares in order of draws, or None if there are none yet."""
    newest = list(StrategyShares.objects.filter(mode=ADAPTIVE_MODE).order_by("-draw_date", "-id")[:PLOTTED])
    if not newest:
        return None
    rows = newest[::-1]
    resets = [index for index, row in enumerate(rows) if row.origin == StrategyShares.Origin.RESET]
    return Chart(
        "shares",
        f"Shares of the strategies of {ADAPTIVE_MODE} by draw" + (" (dotted: resets)" if resets else ""),
        "Draw",
        [str(row.draw_date) for row in rows],
        [
            Series(strategy, [row.shares.get(strategy, 0.0) for row in rows], style, "line", ".4f")
            for style, strategy in enumerate(STRATEGIES, start=1)
        ],
        Reference(1 / len(STRATEGIES), "equal shares"),
        dividers=resets,
        from_zero=False,
    )
