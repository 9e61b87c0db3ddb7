"""Admin pages for tickets, with search by numbers. The full list is never counted or sorted."""

from collections.abc import Iterable
from datetime import date
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Page, Paginator
from django.db.models import QuerySet, Sum
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.html import format_html

from predictions.admin.balls import BALLS_CSS, render_row_balls
from predictions.models import Draw
from predictions.modes.registry import MODE_NAMES
from shiolplus.adminsite.action_pages import ActionAdmin
from shiolplus.adminsite.changelist import DrawMonthFilter
from shiolplus.adminsite.columns import (
    MAX_DRAW_CHOICES,
    DrawDateFilter,
    ReadOnlyAdminMixin,
    date_column,
    datetime_column,
    truncated_column,
)
from shiolplus.adminsite.export import BALLS, ExportColumn, ExportMixin
from tickets.admin.purge import PurgePage
from tickets.admin.ticket_lookup import NUMBER_RESULT_LIMIT, RESULT_LIMIT, newest_ids
from tickets.models import GenerationRun, PreGeneratedTicket, TicketBatch
from tickets.models.number_query import parse_number_query


class CappedPaginator(Paginator):
    """Paginate tickets without counting or sorting all of them.

    The total is the sum of the batches' counts. A filtered list is limited to its newest tickets.
    """

    object_list: Any

    @cached_property
    def count(self) -> int:
        if self._is_filtered:
            return len(self._newest)
        return TicketBatch.objects.aggregate(sum=Sum("stored"))["sum"] or 0

    @property
    def _is_filtered(self) -> bool:
        return bool(self.object_list.query.where)

    @property
    def limit(self) -> int:
        """Return the number of tickets to look up, one more than shown."""
        by_numbers = getattr(self.object_list, "number_query", None) is not None
        return NUMBER_RESULT_LIMIT if by_numbers else RESULT_LIMIT

    @property
    def shown_at_most(self) -> str:
        return f"{self.limit - 1:,}"

    @property
    def is_truncated(self) -> bool:
        return self._is_filtered and self.count == self.limit

    @property
    def ids(self) -> list[int] | None:
        """Return the ids of all tickets of a filtered list; None without filters or if there are too many."""
        return self._newest if self._is_filtered and not self.is_truncated else None

    @cached_property
    def _newest(self) -> list[int]:
        return newest_ids(self.object_list, self.limit)

    def page(self, number: int | str) -> Page:
        number = self.validate_number(number)
        first = (number - 1) * self.per_page
        ids = self._page_ids(first, min(first + self.per_page, self.count))
        order = self.object_list.query.order_by
        return Page(self.object_list.model.objects.filter(pk__in=ids).order_by(*order), number, self)

    def _page_ids(self, first: int, last: int) -> list[int]:
        """Return the ids of a page from the primary key index, counting from the nearer end."""
        if self._is_filtered:
            return self._newest[first:last]
        keys = self.object_list.values_list("pk", flat=True)
        if first <= self.count // 2:
            return list(keys[first:last])
        return list(keys.reverse()[self.count - last : self.count - first])


class CappedChangeList(ChangeList):
    """Read a single page from the paginator as well, instead of querying the filtered list again."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        if not self.multi_page:
            self.result_list = self.paginator.page(1).object_list


class TicketChangeList(CappedChangeList):
    """Attach the draw, once it has taken place, to each ticket."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        tickets: list[Any] = list(self.result_list)
        rows = Draw.objects.filter(draw_date__in={ticket.draw_date for ticket in tickets})
        draws = {draw.draw_date: draw for draw in rows}
        for ticket in tickets:
            ticket.draw = draws.get(ticket.draw_date)
        self.result_list = tickets


class StockedModeFilter(admin.SimpleListFilter):
    title = "mode"
    parameter_name = "mode__exact"

    def lookups(self, request: HttpRequest, model_admin: "admin.ModelAdmin[Any]") -> list[tuple[str, str]]:
        return [(mode, mode) for mode in MODE_NAMES]

    def queryset(self, request: HttpRequest, queryset: Any) -> QuerySet[PreGeneratedTicket]:
        return queryset if self.value() is None else queryset.filter_keeping_id_order(mode=self.value())


class StockedDrawFilter(DrawDateFilter):
    def draw_days(self, model_admin: "admin.ModelAdmin[Any]") -> Iterable[date]:
        return stocked_draws()[:MAX_DRAW_CHOICES]

    def filter_by_draw(self, tickets: Any, day: date) -> QuerySet[PreGeneratedTicket]:
        return tickets.filter_keeping_id_order(draw_date=day)


class StockedMonthFilter(DrawMonthFilter):
    @classmethod
    def draw_days(cls) -> Iterable[date]:
        return stocked_draws()

    def filter_by_days(self, tickets: Any, days: list[date]) -> QuerySet[PreGeneratedTicket]:
        return tickets.filter_keeping_id_order(draw_date__in=days)


def stocked_draws() -> QuerySet[TicketBatch, date]:
    """Return the dates of draws with stored tickets, newest first, from the batches' counts."""
    batches = TicketBatch.objects.filter(stored__gt=0).order_by("-draw_date")
    return batches.values_list("draw_date", flat=True).distinct()


class CreatedAtFilter(admin.DateFieldListFilter):
    """Filter by age without an index, so that the list is read in id order instead of sorted."""

    def queryset(self, request: HttpRequest, queryset: Any) -> QuerySet[PreGeneratedTicket]:
        filtered = super().queryset(request, queryset)
        params: dict[str, Any] = self.used_parameters
        bounds = {name: values[-1] for name, values in params.items()}
        return queryset.created_between(**bounds) if bounds and filtered is not None else queryset


@admin.register(PreGeneratedTicket)
class PreGeneratedTicketAdmin(ReadOnlyAdminMixin, ExportMixin, ActionAdmin):
    exported = [
        *(ExportColumn("id"), ExportColumn("mode"), ExportColumn("draw_date"), *BALLS),
        *(ExportColumn("confidence", "confidence_score"), ExportColumn("strategy", "strategy_used")),
        *(ExportColumn("batch", "batch_id"), ExportColumn("claim", "claim_id")),
        *(ExportColumn("pipeline_run_id"), ExportColumn("created_at")),
    ]
    list_display = [
        "numbers",
        "mode",
        truncated_column("strategy_used", 15, "strategy"),
        "confidence",
        date_column("draw_date"),
        "batch_link",
        datetime_column("created_at", "created"),
    ]
    ordering = ["-id"]  # read from the primary key index; other orders would sort the whole table
    sortable_by = ()
    hierarchy = StockedMonthFilter
    list_filter = [StockedModeFilter, StockedDrawFilter, StockedMonthFilter, ("created_at", CreatedAtFilter)]
    search_fields = ["pipeline_run_id"]  # shows the search box; see get_search_results
    search_help_text = "Numbers such as 5 12 33 41 60 +7, some of them (5 12, +7), or a complete run id"
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER  # facets would count every ticket
    paginator = CappedPaginator
    list_select_related = False
    action_pages = [PurgePage]
    fields = [
        *("numbers", "mode", "strategy_used", "confidence_score", "draw_date", "batch", "claim"),
        *("pipeline_run_id", "metadata", "created_at"),
    ]
    readonly_fields = ["numbers"]

    class Media:
        css = BALLS_CSS

    def get_changelist(self, request: HttpRequest, **options: Any) -> type[ChangeList]:
        return TicketChangeList

    def get_search_results(
        self, request: HttpRequest, queryset: Any, search_term: str
    ) -> tuple[QuerySet[PreGeneratedTicket], bool]:
        text = search_term.strip()
        if not text:
            return queryset, False
        try:
            return queryset.with_numbers(parse_number_query(text)), False
        except ValueError as error:
            if GenerationRun.objects.filter(pipeline_run_id=text).exists():
                return queryset.filter_keeping_id_order(pipeline_run_id=text), False
            self.message_user(request, f"Invalid search: {error}.", messages.ERROR)
            return queryset.none(), False

    @admin.display
    def numbers(self, ticket: Any) -> str:
        if not hasattr(ticket, "draw"):  # not from the list
            ticket.draw = Draw.objects.filter(draw_date=ticket.draw_date).first()
        return render_row_balls(ticket, ticket.draw)

    @admin.display
    def confidence(self, ticket: PreGeneratedTicket) -> str:
        return f"{ticket.confidence_score:.3f}"

    @admin.display(description="batch")
    def batch_link(self, ticket: PreGeneratedTicket) -> str:
        url = reverse("admin:tickets_ticketbatch_change", args=[ticket.batch_id])
        return format_html('<a href="{}">{}</a>', url, ticket.batch_id)
