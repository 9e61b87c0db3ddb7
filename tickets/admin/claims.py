"""Admin pages for claims. The full list is never counted."""

from collections.abc import Iterable
from datetime import date
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Page
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.html import format_html, format_html_join

from predictions.admin.balls import BALLS_CSS, render_balls
from predictions.models import Draw
from shiolplus.adminsite.changelist import DrawMonthFilter
from shiolplus.adminsite.columns import (
    MAX_DRAW_CHOICES,
    DrawDateFilter,
    ReadOnlyAdminMixin,
    date_column,
    datetime_column,
)
from shiolplus.adminsite.export import ExportColumn, ExportMixin
from tickets.admin.tickets import CappedChangeList, CappedPaginator
from tickets.claims.allocation import serialize_claimed_tickets
from tickets.models.claims import Claim, ClaimHour
from tickets.models.clients import ApiClient


class ClaimPaginator(CappedPaginator):
    """Paginate only the newest claims, up to a limit."""

    @property
    def _is_filtered(self) -> bool:
        return True

    @cached_property
    def _newest(self) -> list[int]:
        return list(self.object_list.values_list("pk", flat=True)[: self.limit])

    def page(self, number: int | str) -> Page:
        page = super().page(number)
        rows: Any = page.object_list
        page.object_list = rows.select_related("client").defer("numbers", "ticket_details")
        return page


class ClaimedDrawFilter(DrawDateFilter):
    def draw_days(self, model_admin: "admin.ModelAdmin[Any]") -> Iterable[date]:
        return claimed_draws()[:MAX_DRAW_CHOICES]


class ClaimedMonthFilter(DrawMonthFilter):
    @classmethod
    def draw_days(cls) -> Iterable[date]:
        return claimed_draws()


def claimed_draws() -> QuerySet[ClaimHour, date]:
    """Return the dates of draws with claims, newest first, from the hourly counts."""
    hours = ClaimHour.objects.filter(claims__gt=0).order_by("-draw_date")
    return hours.values_list("draw_date", flat=True).distinct()


def tickets_json(numbers: list[list[int]]) -> list[dict[str, Any]]:
    return [{"white_balls": white_balls, "powerball": powerball} for *white_balls, powerball in numbers]


def tickets_cell(numbers: list[list[int]]) -> str:
    return "; ".join(f"{' '.join(map(str, white_balls))} +{powerball}" for *white_balls, powerball in numbers)


@admin.register(Claim)
class ClaimAdmin(ReadOnlyAdminMixin, ExportMixin):
    exported = [
        *(ExportColumn("id"), ExportColumn("client", "client__name"), ExportColumn("mode")),
        *(ExportColumn("count"), ExportColumn("draw_date"), ExportColumn("created_at")),
        ExportColumn("tickets", "numbers", in_json=tickets_json, in_csv=tickets_cell),
    ]
    list_display = [
        "id",
        "client",
        "mode",
        "count",
        date_column("draw_date"),
        datetime_column("created_at", "created"),
    ]
    ordering = ["-id"]
    sortable_by = ()
    list_filter = ["mode", ClaimedDrawFilter, ClaimedMonthFilter]
    hierarchy = ClaimedMonthFilter
    search_fields = ["client__name"]  # shows the search box; see get_search_results
    search_help_text = "Client name or part of it"
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER  # facets would count every claim
    paginator = ClaimPaginator
    fields = readonly_fields = (
        "client_link",
        "mode",
        "count",
        "draw_date",
        "asked_draw_date",
        "created_at",
        "idempotency_key",
        "request_id",
        "ticket_table",
    )

    class Media:
        css = BALLS_CSS

    def get_changelist(self, request: HttpRequest, **options: Any) -> type[ChangeList]:
        return CappedChangeList

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Claim], search_term: str
    ) -> tuple[QuerySet[Claim], bool]:
        name = search_term.strip()
        if not name:
            return queryset, False
        if (client := ApiClient.objects.filter(name=name).first()) is not None:
            return queryset.filter(client=client), False  # one client, so the index provides the order
        clients = list(ApiClient.objects.filter(name__icontains=name).values_list("pk", flat=True))
        return queryset.filter(client__in=clients), False

    @admin.display(description="client")
    def client_link(self, claim: Claim) -> str:
        url = reverse("admin:tickets_apiclient_change", args=[claim.client_id])
        return format_html('<a href="{}">{}</a>', url, claim.client)

    @admin.display(description="tickets")
    def ticket_table(self, claim: Claim) -> str:
        # Read from the claim, since retention deletes the ticket rows.
        draw = Draw.objects.filter(draw_date=claim.draw_date).first()
        rows = format_html_join(
            "",
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            (
                (
                    render_balls(ticket["white_balls"], ticket["powerball"], draw),
                    ticket["strategy"],
                    f"{ticket['confidence']:.3f}",
                    prize_text(ticket["result"]),
                )
                for ticket in serialize_claimed_tickets(claim, draw)
            ),
        )
        return format_html(
            "<table><thead><tr><th>Numbers</th><th>Strategy</th><th>Confidence</th><th>Won</th></tr></thead>"
            "<tbody>{}</tbody></table>",
            rows,
        )


def prize_text(result: dict[str, Any] | None) -> str:
    if result is None:
        return "not drawn yet"
    prize = result["prize_usd"]
    return prize if isinstance(prize, str) else f"${prize:,}"
