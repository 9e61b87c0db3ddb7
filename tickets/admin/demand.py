"""The admin's demand page: stock, expected demand and reorder points per mode."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone

from predictions.models import Prediction
from predictions.modes.registry import MODE_NAMES
from shiolplus.adminsite.columns import EMPTY, ReadOnlyAdminMixin
from shiolplus.charts.chart import Chart, Series
from tickets.demand.inventory import StockLevel, stock_levels
from tickets.demand.reorder import LEAD_TIME_HOURS, SERVICE_LEVEL
from tickets.demand.sales_window import HOUR, SalesWindow, floor_to_hour
from tickets.models.claims import ClaimHour
from tickets.monitoring.charts import MODE_STYLES
from tickets.monitoring.history import ClaimCount, claim_counts

CHART_HOURS, TABLE_HOURS = 48, 12
SHOWN_QUANTILE = 0.9  # shown next to the mean demand


@dataclass(frozen=True)
class StockRow:
    mode: str
    stored: str
    claimed: str
    available: str
    on_order: str
    reorder_point: str
    short_by: str
    expected: str
    lasts: str
    refused_claims: str
    replenished: str

    @classmethod
    def of(cls, stock: StockLevel, is_predicted: bool) -> "StockRow":
        return cls(
            mode=stock.mode,
            stored=f"{stock.stored:,}",
            claimed=f"{stock.claimed:,}",
            available=f"{stock.available:,}",
            on_order=f"{stock.on_order:,}",
            reorder_point=f"{stock.reorder_policy.reorder_point:,}",
            short_by=f"{stock.deficit:,}",
            expected=expected_text(stock),
            lasts=lasts_text(stock),
            refused_claims=f"{stock.refused_claims:,}",
            replenished=replenishment_text(stock, is_predicted),
        )


def expected_text(stock: StockLevel) -> str:
    if not stock.reorder_policy.has_demand:
        return "never claimed"
    demand = stock.reorder_policy.remaining_demand
    return f"{demand.mean:,.0f}, rarely over {demand.quantile(SHOWN_QUANTILE):,}"


def lasts_text(stock: StockLevel) -> str:
    if not (stock.reorder_policy.has_demand and stock.reorder_policy.is_open):
        return EMPTY
    hours = stock.hours_to_empty
    if hours is None:
        return "until the cut-off"
    minutes = int(hours * 60)
    return f"{minutes // 60} h {minutes % 60:02d} min"


def replenishment_text(stock: StockLevel, is_predicted: bool) -> str:
    if stock.is_paused:
        return "paused"
    if not stock.reorder_policy.max_stock:
        return "off by policy"
    return f"up to {stock.reorder_policy.max_stock:,}" if is_predicted else "no prediction yet"


@dataclass(frozen=True)
class Hour:
    """Claims in one clock hour. `modes` has one text per mode, in the order of MODE_NAMES."""

    begin: str
    modes: list[str]


Counts = Mapping[tuple[str, datetime], ClaimCount]


@admin.register(ClaimHour)
class DemandAdmin(ReadOnlyAdminMixin, admin.ModelAdmin):
    """Show one summary page instead of the list of counters."""

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        context = self.admin_site.each_context(request) | {"title": "Demand", "opts": self.opts}
        return TemplateResponse(
            request, "admin/tickets/claimhour/demand.html", context | demand_context(timezone.now())
        )


def demand_context(now: datetime) -> dict[str, Any]:
    levels = stock_levels(now)
    day = levels[0].draw_date
    counts: Counts = {(count.mode, count.hour): count for count in claim_counts(now, CHART_HOURS)}
    predicted = set(Prediction.objects.filter(draw_date=day).values_list("mode", flat=True))
    return {
        "sales_window": SalesWindow.of(day, settings.SALES_CUTOFF),
        "is_open": levels[0].reorder_policy.is_open,
        "was_ever_claimed": any(level.reorder_policy.has_demand for level in levels),
        "stock": [StockRow.of(level, level.mode in predicted) for level in levels],
        "modes": MODE_NAMES,
        "hours": [hour_row(counts, begin) for begin in reversed(last_hours(now, TABLE_HOURS))],
        "chart": claims_chart(counts, last_hours(now, CHART_HOURS)) if counts else None,
        "lead_time_minutes": round(LEAD_TIME_HOURS * 60),
        "service_level": f"{SERVICE_LEVEL:.1%}",
    }


def last_hours(now: datetime, count: int) -> list[datetime]:
    """Return the starts of the last `count` clock hours, including the current one."""
    current = floor_to_hour(now)
    return [current - HOUR * back for back in reversed(range(count))]


def hour_row(counts: Counts, begin: datetime) -> Hour:
    return Hour(f"{begin:%Y-%m-%d %H}:00", [claims_text(counts.get((mode, begin))) for mode in MODE_NAMES])


def claims_text(count: ClaimCount | None) -> str:
    if count is None:
        return EMPTY
    text = f"{count.claims:,} ({count.tickets:,})"
    return text + (f", {count.refused:,} refused" if count.refused else "")


def claims_chart(counts: Counts, hours: Sequence[datetime]) -> Chart:
    """Chart the claims requested per hour, one line per mode. The current hour is incomplete."""
    return Chart(
        "claims",
        f"Claims per hour, including refused ones, last {CHART_HOURS} hours (UTC)",
        "Hour",
        [f"{begin:%m-%d %H}:00" for begin in hours],
        [
            Series(mode, [requested_claims(counts.get((mode, begin))) for begin in hours], style, "line")
            for mode, style in MODE_STYLES.items()
            if any((mode, begin) in counts for begin in hours)
        ],
    )


def requested_claims(count: ClaimCount | None) -> float:
    return 0.0 if count is None else float(count.claims + count.refused)
