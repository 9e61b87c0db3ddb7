"""The admin's page for demand: of each mode what is in stock, what is expected, and what of it is ordered."""

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
from shiolplus.charts.line import LineChart, line_chart
from tickets.demand.inventory import StockLevel, stock_levels
from tickets.demand.reorder import LEAD_TIME_HOURS, SERVICE_LEVEL
from tickets.demand.sales_window import HOUR, SalesWindow, floor_to_hour
from tickets.models.claims import ClaimHour
from tickets.monitoring.history import ClaimCount, claim_counts

PLOTTED, TOLD = 48, 12  # hours
USUALLY = 0.9  # the chance of what is shown beside the mean


@dataclass(frozen=True)
class StockRow:
    """A shelf in texts."""

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
    def of(cls, shelf: StockLevel, can_be_made: bool) -> "StockRow":
        return cls(
            mode=shelf.mode,
            stored=f"{shelf.stored:,}",
            claimed=f"{shelf.claimed:,}",
            available=f"{shelf.available:,}",
            on_order=f"{shelf.on_order:,}",
            reorder_point=f"{shelf.outlook.reorder_point:,}",
            short_by=f"{shelf.deficit:,}",
            expected=_expected(shelf),
            lasts=_lasts(shelf),
            refused_claims=f"{shelf.refused_claims:,}",
            replenished=_replenished(shelf, can_be_made),
        )


def _expected(shelf: StockLevel) -> str:
    if not shelf.outlook.has_demand:
        return "never claimed"
    rest = shelf.outlook.rest
    return f"{rest.mean:,.0f}, rarely over {rest.quantile(USUALLY):,}"


def _lasts(shelf: StockLevel) -> str:
    """How long the free tickets do."""
    if not (shelf.outlook.has_demand and shelf.outlook.is_open):
        return EMPTY
    hours = shelf.hours_to_empty
    if hours is None:
        return "until the cut-off"
    minutes = int(hours * 60)
    return f"{minutes // 60} h {minutes % 60:02d} min"


def _replenished(shelf: StockLevel, can_be_made: bool) -> str:
    if shelf.is_paused:
        return "paused"
    if not shelf.outlook.max_stock:
        return "never, by its policy"
    return f"up to {shelf.outlook.max_stock:,}" if can_be_made else "no prediction yet"


@dataclass(frozen=True)
class Hour:
    """What was claimed within a clock hour: `modes` has a text a mode, in the modes' order."""

    begin: str
    modes: list[str]


Counts = Mapping[tuple[str, datetime], ClaimCount]


@admin.register(ClaimHour)
class DemandAdmin(ReadOnlyAdminMixin, admin.ModelAdmin):
    """One page, of the counts together: a row of them says little."""

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        context = self.admin_site.each_context(request) | {"title": "Demand", "opts": self.opts}
        return TemplateResponse(
            request, "admin/tickets/claimhour/demand.html", context | page_of(timezone.now())
        )


def page_of(now: datetime) -> dict[str, Any]:
    """What the page shows at an instant."""
    all_shelves = stock_levels(now)
    day, counts = all_shelves[0].draw_date, _counts(now)
    predicted = set(Prediction.objects.filter(draw_date=day).values_list("mode", flat=True))
    return {
        "span": SalesWindow.of(day, settings.SALES_CUTOFF),
        "is_open": all_shelves[0].outlook.is_open,
        "was_ever_claimed": any(one.outlook.has_demand for one in all_shelves),
        "shelves": [StockRow.of(one, one.mode in predicted) for one in all_shelves],
        "modes": MODE_NAMES,
        "hours": [_hour(counts, begin) for begin in reversed(_hours_until(now, TOLD))],
        "chart": _chart(counts, _hours_until(now, PLOTTED)) if counts else None,
        "horizon": round(LEAD_TIME_HOURS * 60),
        "chance": f"{SERVICE_LEVEL:.1%}",
    }


def _hours_until(now: datetime, count: int) -> list[datetime]:
    """So many clock hours, the last of them the present one."""
    present = floor_to_hour(now)
    return [present - HOUR * back for back in reversed(range(count))]


def _counts(now: datetime) -> Counts:
    return {(one.mode, one.hour): one for one in claim_counts(now, PLOTTED)}


def _hour(counts: Counts, begin: datetime) -> Hour:
    return Hour(f"{begin:%Y-%m-%d %H}:00", [_claims(counts.get((mode, begin))) for mode in MODE_NAMES])


def _claims(count: ClaimCount | None) -> str:
    if count is None:
        return EMPTY
    text = f"{count.claims:,} ({count.tickets:,})"
    return text + (f", {count.refused:,} refused" if count.refused else "")


def _chart(counts: Counts, hours: Sequence[datetime]) -> LineChart:
    """Claims asked for in each hour, a line a mode; the present hour is not over."""
    series = {
        mode: [_asked(counts.get((mode, begin))) for begin in hours]
        for mode in MODE_NAMES
        if any((mode, begin) in counts for begin in hours)
    }
    return line_chart(
        f"Claims in each of the last {PLOTTED} hours (UTC), refused ones too",
        "claims",
        "no claim",
        series,
        level=0.0,
        places={place: f"{hours[place]:%m-%d %H}:00" for place in (0, 12, 24, 36, len(hours) - 1)},
        form=",.0f",
    )


def _asked(count: ClaimCount | None) -> float:
    return 0.0 if count is None else float(count.claims + count.refused)
