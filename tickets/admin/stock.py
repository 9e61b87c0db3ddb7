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

from predictions.admin.actions import ActionAdmin
from predictions.admin.browsing import DRAWS_OFFERED, DrawDateFilter, ReadOnly, day, minute, shortened
from predictions.modes import MODE_NAMES
from tickets.admin.purge import PurgePage
from tickets.models import GenerationRun, PreGeneratedTicket, TicketBatch
from tickets.newest import FOUND_AT_MOST, FOUND_BY_NUMBERS, newest
from tickets.search import wanted_numbers


class StockPaginator(Paginator):
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
        return FOUND_BY_NUMBERS if getattr(self.object_list, "wanted", None) else FOUND_AT_MOST

    @property
    def shown_at_most(self) -> str:
        return f"{self.limit - 1:,}"

    @property
    def is_cut_off(self) -> bool:
        """Whether there are more than are shown."""
        return self._is_filtered and self.count == self.limit

    @cached_property
    def _newest(self) -> list[int]:
        return newest(self.object_list, self.limit)

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


class StockList(ChangeList):
    """Takes even a single page from the paginator, which has found its tickets already."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        if not self.multi_page:
            self.result_list = self.paginator.page(1).object_list


class StockedModeFilter(admin.SimpleListFilter):
    title = "mode"
    parameter_name = "mode__exact"

    def lookups(self, request: HttpRequest, model_admin: "admin.ModelAdmin[Any]") -> list[tuple[str, str]]:
        return [(mode, mode) for mode in MODE_NAMES]

    def queryset(self, request: HttpRequest, queryset: Any) -> QuerySet[PreGeneratedTicket]:
        return queryset if self.value() is None else queryset.along_age(mode=self.value())


class StockedDrawFilter(DrawDateFilter):
    """The draws that tickets are stored for, as the batches know them."""

    def days(self, model_admin: "admin.ModelAdmin[Any]") -> Iterable[date]:
        stocked = TicketBatch.objects.filter(stored__gt=0).order_by("-draw_date")
        return stocked.values_list("draw_date", flat=True).distinct()[:DRAWS_OFFERED]

    def of_draw(self, tickets: Any, day: date) -> QuerySet[PreGeneratedTicket]:
        return tickets.along_age(draw_date=day)


class StockedAgeFilter(admin.DateFieldListFilter):
    """Today, the past seven days and so on, found newest first rather than sorted."""

    def queryset(self, request: HttpRequest, queryset: Any) -> QuerySet[PreGeneratedTicket]:
        found = super().queryset(request, queryset)
        used: dict[str, Any] = self.used_parameters
        bounds = {name: values[-1] for name, values in used.items()}
        return queryset.of_age(**bounds) if bounds and found is not None else queryset


@admin.register(PreGeneratedTicket)
class PreGeneratedTicketAdmin(ReadOnly, ActionAdmin):
    list_display = [
        "numbers",
        "mode",
        shortened("strategy_used", 15, "strategy"),
        "confidence",
        day("draw_date"),
        "of_batch",
        minute("created_at", "created"),
    ]
    ordering = ["-id"]  # newest first, as the rows lie: another order would sort or jump through all
    sortable_by = ()
    list_filter = [StockedModeFilter, StockedDrawFilter, ("created_at", StockedAgeFilter)]
    search_fields = ["pipeline_run_id"]  # makes the search box; what is typed is read below
    search_help_text = "Numbers such as 5 12 33 41 60 +7, or a part of them (5 12, +7); or a run's whole id"
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER  # facets count every ticket
    paginator = StockPaginator
    list_select_related = False
    action_pages = [PurgePage]

    def get_changelist(self, request: HttpRequest, **options: Any) -> type[ChangeList]:
        return StockList

    def get_search_results(
        self, request: HttpRequest, queryset: Any, search_term: str
    ) -> tuple[QuerySet[PreGeneratedTicket], bool]:
        text = search_term.strip()
        if not text:
            return queryset, False
        try:
            return queryset.with_numbers(wanted_numbers(text)), False
        except ValueError as error:
            if GenerationRun.objects.filter(pipeline_run_id=text).exists():
                return queryset.along_age(pipeline_run_id=text), False
            self.message_user(request, f"Nothing was searched: {error}.", messages.ERROR)
            return queryset.none(), False

    @admin.display(description="numbers")
    def numbers(self, ticket: PreGeneratedTicket) -> str:
        white = " ".join(f"{ball:2d}" for ball in ticket.white_balls)
        return format_html('<span class="nowrap">{} +{}</span>', white, ticket.powerball)

    @admin.display
    def confidence(self, ticket: PreGeneratedTicket) -> str:
        """A percentile among uniform tickets, not a chance of winning."""
        return f"{ticket.confidence_score:.3f}"

    @admin.display(description="batch")
    def of_batch(self, ticket: PreGeneratedTicket) -> str:
        address = reverse("admin:tickets_ticketbatch_change", args=[ticket.batch_id])
        return format_html('<a href="{}">{}</a>', address, ticket.batch_id)
