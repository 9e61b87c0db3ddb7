"""The admin's pages for adaptive weights: the shares of v1's strategies from draw to draw."""

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
from shiolplus.charts.line import LineChart, line_chart

PLOTTED = 200  # rows, the newest


def share_of(strategy: str) -> Column:
    """A column of one strategy's shares."""

    @admin.display(description=strategy.replace("_", " "))
    def column(row: StrategyShares) -> str:
        return _percent(row.shares.get(strategy))

    column.__name__ = strategy
    return column


def _percent(share: float | None) -> str:
    return EMPTY if share is None else f"{share:.2%}"


@admin.register(StrategyShares)
class StrategySharesAdmin(ReadOnlyAdminMixin, RememberedFiltersAdmin):
    list_display = [date_column("draw_date"), "origin", *map(share_of, STRATEGIES)]
    fields = readonly_fields = ("mode", "origin", "draw_date", "prediction", "table", "created_at")
    change_list_template = "admin/predictions/strategyshares/change_list.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[StrategyShares]:
        return super().get_queryset(request).select_related("prediction").defer("prediction__components")

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return super().changelist_view(request, (extra_context or {}) | {"chart": share_chart()})

    @admin.display(description="shares from then on")
    def table(self, row: StrategyShares) -> str:
        rows = format_html_join(
            "",
            "<tr><td>{}</td><td>{}</td><td>{}</td></tr>",
            (
                (name, _percent(share), f"{row.log_losses[name]:.4f}" if name in row.log_losses else EMPTY)
                for name, share in row.shares.items()
            ),
        )
        return format_html(
            "<table><thead><tr><th>Strategy</th><th>Share</th><th>Log-loss on the draw, nats</th></tr>"
            "</thead><tbody>{}</tbody></table>",
            rows,
        )


def share_chart() -> LineChart | None:
    """The shares after each draw or reset that moved them, the newest of many; None before the first."""
    newest = list(StrategyShares.objects.filter(mode=ADAPTIVE_MODE).order_by("-draw_date", "-id")[:PLOTTED])
    if not newest:
        return None
    rows = newest[::-1]
    resets = [place for place, row in enumerate(rows) if row.origin == StrategyShares.Origin.RESET]
    return line_chart(
        f"The shares of {ADAPTIVE_MODE}'s strategies from draw to draw"
        + (" (dotted: set by hand)" if resets else ""),
        "shares",
        "equal shares",
        {name: [row.shares.get(name, 0.0) for row in rows] for name in STRATEGIES},
        level=1 / len(STRATEGIES),
        places={place: str(rows[place].draw_date) for place in _places(len(rows))},
        marks=resets,
        form=".4f",
    )


def _places(rows: int, most: int = 5) -> list[int]:
    """At most so many of the rows, evenly, the first and the last among them."""
    shown = min(rows, most)
    return [round(place * (rows - 1) / max(shown - 1, 1)) for place in range(shown)]
