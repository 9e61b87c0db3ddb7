"""The admin's pages for tickets: a list that is never counted in full, and search by numbers."""

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
    DRAWS_OFFERED,
    DrawDateFilter,
    ReadOnlyAdminMixin,
    date_column,
    datetime_column,
    truncated_column,
)
from shiolplus.adminsite.export import BALLS, ExportColumn, ExportMixin
from tickets.admin.purge import PurgePage
from tickets.admin.ticket_lookup import FOUND_BY_NUMBERS, RESULT_LIMIT, newest_ids
from tickets.models import GenerationRun, PreGeneratedTicket, TicketBatch
from tickets.models.number_query import parse_number_query


class CappedPaginator(Paginator):
    """Pages without counting or sorting every ticket: the batches know how many there are in all, and of
    those that a filter leaves, the newest are found once, up to a limit.
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
        """One more than is said to be found."""
        return FOUND_BY_NUMBERS if getattr(self.object_list, "wanted", None) else RESULT_LIMIT

    @property
    def shown_at_most(self) -> str:
        return f"{self.limit - 1:,}"

    @property
    def is_truncated(self) -> bool:
        """Whether there are more than are shown."""
        return self._is_filtered and self.count == self.limit

    @property
    def ids(self) -> list[int] | None:
        """The keys of all that a filter leaves, where they were found."""
        return self._newest if self._is_filtered and not self.is_truncated else None

    @cached_property
    def _newest(self) -> list[int]:
        return newest_ids(self.object_list, self.limit)

    def page(self, number: int | str) -> Page:
        number = self.validate_number(number)
        first = (number - 1) * self.per_page
        ids = self._ids(first, min(first + self.per_page, self.count))
        order = self.object_list.query.order_by
        return Page(self.object_list.model.objects.filter(pk__in=ids).order_by(*order), number, self)

    def _ids(self, first: int, last: int) -> list[int]:
        """The keys of a page, which the index alone gives, from the nearer end."""
        if self._is_filtered:
            return self._newest[first:last]
        keys = self.object_list.values_list("pk", flat=True)
        if first <= self.count // 2:
            return list(keys[first:last])
        return list(keys.reverse()[self.count - last : self.count - first])


class CappedChangeList(ChangeList):
    """Takes even a single page from the paginator, which has found its tickets already."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        if not self.multi_page:
            self.result_list = self.paginator.page(1).object_list


class TicketList(CappedChangeList):
    """Knows of each ticket what its draw brought, if it was held."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        tickets: list[Any] = list(self.result_list)
        held = Draw.objects.filter(draw_date__in={one.draw_date for one in tickets})
        draws = {draw.draw_date: draw for draw in held}
        for ticket in tickets:
            ticket.drawn = draws.get(ticket.draw_date)
        self.result_list = tickets


class StockedModeFilter(admin.SimpleListFilter):
    title = "mode"
    parameter_name = "mode__exact"

    def lookups(self, request: HttpRequest, model_admin: "admin.ModelAdmin[Any]") -> list[tuple[str, str]]:
        return [(mode, mode) for mode in MODE_NAMES]

    def queryset(self, request: HttpRequest, queryset: Any) -> QuerySet[PreGeneratedTicket]:
        return queryset if self.value() is None else queryset.filter_keeping_id_order(mode=self.value())


class StockedDrawFilter(DrawDateFilter):
    """The draws that tickets are stored for, as the batches know them."""

    def days(self, model_admin: "admin.ModelAdmin[Any]") -> Iterable[date]:
        return stocked_draws()[:DRAWS_OFFERED]

    def of_draw(self, tickets: Any, day: date) -> QuerySet[PreGeneratedTicket]:
        return tickets.filter_keeping_id_order(draw_date=day)


class StockedMonthFilter(DrawMonthFilter):
    @classmethod
    def days(cls) -> Iterable[date]:
        return stocked_draws()

    def of_days(self, tickets: Any, days: list[date]) -> QuerySet[PreGeneratedTicket]:
        return tickets.filter_keeping_id_order(draw_date__in=days)


def stocked_draws() -> QuerySet[TicketBatch, date]:
    """The draws that tickets are stored for, newest first."""
    batches = TicketBatch.objects.filter(stored__gt=0).order_by("-draw_date")
    return batches.values_list("draw_date", flat=True).distinct()


class CreatedAtFilter(admin.DateFieldListFilter):
    """Today, the past seven days and so on, found newest first rather than sorted."""

    def queryset(self, request: HttpRequest, queryset: Any) -> QuerySet[PreGeneratedTicket]:
        found = super().queryset(request, queryset)
        used: dict[str, Any] = self.used_parameters
        bounds = {name: values[-1] for name, values in used.items()}
        return queryset.created_between(**bounds) if bounds and found is not None else queryset


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
        "of_batch",
        datetime_column("created_at", "created"),
    ]
    ordering = ["-id"]  # newest first, as the rows lie: another order would sort or jump through all
    sortable_by = ()
    hierarchy = StockedMonthFilter
    list_filter = [StockedModeFilter, StockedDrawFilter, StockedMonthFilter, ("created_at", CreatedAtFilter)]
    search_fields = ["pipeline_run_id"]  # makes the search box; what is typed is read below
    search_help_text = "Numbers such as 5 12 33 41 60 +7, or a part of them (5 12, +7); or a run's whole id"
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER  # facets count every ticket
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
        return TicketList

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
            self.message_user(request, f"Nothing was searched: {error}.", messages.ERROR)
            return queryset.none(), False

    @admin.display
    def numbers(self, ticket: Any) -> str:
        """With what its draw has hit, in the list and, where it is asked for alone, on its page."""
        if not hasattr(ticket, "drawn"):
            ticket.drawn = Draw.objects.filter(draw_date=ticket.draw_date).first()
        return render_row_balls(ticket, ticket.drawn)

    @admin.display
    def confidence(self, ticket: PreGeneratedTicket) -> str:
        """A percentile among uniform tickets, not a chance of winning."""
        return f"{ticket.confidence_score:.3f}"

    @admin.display(description="batch")
    def of_batch(self, ticket: PreGeneratedTicket) -> str:
        address = reverse("admin:tickets_ticketbatch_change", args=[ticket.batch_id])
        return format_html('<a href="{}">{}</a>', address, ticket.batch_id)
