"""The admin's pages for batches: to browse, and to choose some whose tickets are purged."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import urlencode

from predictions.admin.browsing import DrawDateFilter, MoreThanFields, ReadOnly, day, minute, shortened
from tickets.admin.scores import ScoreInline
from tickets.models import TicketBatch

PURGE_PERMISSION = "tickets.delete_pregeneratedticket"
SELECTED_AT_MOST = 200  # their ids travel in an address
PROGRESS_CSS = {"all": ["tickets/progress.css"]}  # wherever a page shows a progress_bar


def progress_bar(generated: int, requested: int) -> str:
    """How far something is: 1,500 of 2,000 (75 %)."""
    share = generated / requested if requested else 0.0
    return format_html(
        '<progress value="{}" max="{}" class="share" aria-hidden="true"></progress> {} of {} ({})',
        generated,
        requested or 1,
        f"{generated:,}",
        f"{requested:,}",
        f"{int(share * 100)}\N{NO-BREAK SPACE}%",  # never rounded up to a hundred
    )


@admin.register(TicketBatch)
class TicketBatchAdmin(ReadOnly, MoreThanFields):
    list_display = [
        "id",
        "mode",
        "status",
        day("draw_date"),
        "progress",
        "in_stock",
        minute("created_at", "created"),
        shortened("error", 30),
    ]
    list_filter = ["status", "mode", DrawDateFilter, "origin", ("created_at", admin.DateFieldListFilter)]
    search_fields = ["run__pipeline_run_id"]
    search_help_text = "A run's id or a part of it"
    exclude = ["rate"]  # the progress says it
    readonly_fields = ["progress"]
    inlines = [ScoreInline]
    actions = ["purge_selected"]
    change_form_template = "admin/tickets/ticketbatch/change_form.html"

    class Media:
        css = PROGRESS_CSS

    @admin.display(description="made")
    def progress(self, batch: TicketBatch) -> str:
        bar = progress_bar(batch.generated, batch.requested)
        if batch.seconds_left is None:
            return bar
        return format_html("{}, {}/s, {} s left", bar, f"{batch.rate:,.0f}", f"{batch.seconds_left:,.0f}")

    @admin.display(description="in stock", ordering="stored")
    def in_stock(self, batch: TicketBatch) -> str:
        return f"{batch.stored:,}"

    def has_purge_permission(self, request: HttpRequest) -> bool:
        """Who may delete tickets; Django asks this before it offers the action."""
        return request.user.has_perm(PURGE_PERMISSION)

    @admin.action(description="Purge the tickets of the selected batches", permissions=["purge"])
    def purge_selected(self, request: HttpRequest, batches: QuerySet[TicketBatch]) -> HttpResponse | None:
        pks = list(batches.values_list("pk", flat=True)[: SELECTED_AT_MOST + 1])
        if len(pks) > SELECTED_AT_MOST:
            text = f"Select at most {SELECTED_AT_MOST} batches, or purge by mode, draw date and days instead."
            self.message_user(request, text, messages.ERROR)
            return None
        return HttpResponseRedirect(purge_address(*sorted(pks)))

    def page_context(self, request: HttpRequest, batch: TicketBatch) -> dict[str, Any]:
        may_purge = self.has_purge_permission(request)
        return {"purge_address": purge_address(batch.pk)} if may_purge else {}


def purge_address(*batches: object) -> str:
    """Of the page that shows what a purge of these batches would delete."""
    named = urlencode({"batches": " ".join(map(str, batches))})
    return f"{reverse('admin:tickets_pregeneratedticket_purge')}?{named}"
