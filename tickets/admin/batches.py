"""Admin pages for ticket batches, with actions to retry, cancel and purge them."""

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.html import format_html

from shiolplus.adminsite.action_pages import ActionAdmin, Button
from shiolplus.adminsite.columns import (
    DrawDateFilter,
    ReadOnlyAdminMixin,
    date_column,
    datetime_column,
    truncated_column,
)
from shiolplus.adminsite.export import ExportColumn, ExportMixin
from tickets.admin.batch_pages import CHANGE_BATCH_PERMISSION, MAX_SELECTED, preview_url
from tickets.admin.cancel import CancelPage
from tickets.admin.purge import PurgePage
from tickets.admin.retry import RETRYABLE, RetryPage
from tickets.admin.scores import ScoreInline
from tickets.models import TicketBatch

Batches = QuerySet[TicketBatch]

PURGE, RETRY, CANCEL = "pregeneratedticket_purge", "ticketbatch_retry", "ticketbatch_cancel"
PROGRESS_CSS = {"all": ["tickets/progress.css"]}  # required by every page with a progress_bar


def progress_bar(generated: int, requested: int) -> str:
    """Return a progress bar with its figures, such as 1,500 of 2,000 (75 %)."""
    share = generated / requested if requested else 0.0
    return format_html(
        '<progress value="{}" max="{}" class="share" aria-hidden="true"></progress> {} of {} ({})',
        generated,
        requested or 1,
        f"{generated:,}",
        f"{requested:,}",
        f"{int(share * 100)}\N{NO-BREAK SPACE}%",  # rounded down, so that 100 % means done
    )


@admin.register(TicketBatch)
class TicketBatchAdmin(ReadOnlyAdminMixin, ExportMixin, ActionAdmin):
    exported = [
        *(ExportColumn("id"), ExportColumn("pipeline_run_id", "run__pipeline_run_id"), ExportColumn("mode")),
        *map(ExportColumn, ["origin", "status", "draw_date", "requested", "generated", "stored", "replaced"]),
        *map(ExportColumn, ["attempts", "priority", "created_at", "started_at", "finished_at", "error"]),
    ]
    list_display = [
        "id",
        "mode",
        "status",
        date_column("draw_date"),
        "progress",
        "in_stock",
        datetime_column("created_at", "created"),
        truncated_column("error", 30),
    ]
    date_hierarchy = "draw_date"
    list_filter = ["status", "mode", DrawDateFilter, "origin", ("created_at", admin.DateFieldListFilter)]
    search_fields = ["run__pipeline_run_id"]
    search_help_text = "Run id or part of it"
    exclude = ["rate"]  # shown by progress
    readonly_fields = ["progress"]
    inlines = [ScoreInline]
    actions = ["retry_selected", "cancel_selected", "purge_selected"]
    action_pages = [RetryPage, CancelPage]

    class Media:
        css = PROGRESS_CSS

    @admin.display(description="generated")
    def progress(self, batch: TicketBatch) -> str:
        bar = progress_bar(batch.generated, batch.requested)
        if batch.seconds_left is None:
            return bar
        return format_html("{}, {}/s, {} s left", bar, f"{batch.rate:,.0f}", f"{batch.seconds_left:,.0f}")

    @admin.display(description="in stock", ordering="stored")
    def in_stock(self, batch: TicketBatch) -> str:
        return f"{batch.stored:,}"

    def has_purge_permission(self, request: HttpRequest) -> bool:
        # Called by Django for actions with permissions=["purge"].
        return request.user.has_perm(PurgePage.permission)

    def has_change_batch_permission(self, request: HttpRequest) -> bool:
        # Not has_change_permission, which is False for everybody because rows are read-only.
        return request.user.has_perm(CHANGE_BATCH_PERMISSION)

    @admin.action(description="Purge the tickets of the selected batches", permissions=["purge"])
    def purge_selected(self, request: HttpRequest, batches: Batches) -> HttpResponse | None:
        return self._redirect_to_preview(request, PURGE, batches)

    @admin.action(description="Retry the selected batches", permissions=["change_batch"])
    def retry_selected(self, request: HttpRequest, batches: Batches) -> HttpResponse | None:
        return self._redirect_to_preview(request, RETRY, batches)

    @admin.action(description="Cancel the selected batches", permissions=["change_batch"])
    def cancel_selected(self, request: HttpRequest, batches: Batches) -> HttpResponse | None:
        return self._redirect_to_preview(request, CANCEL, batches)

    def _redirect_to_preview(self, request: HttpRequest, page: str, batches: Batches) -> HttpResponse | None:
        pks = list(batches.values_list("pk", flat=True)[: MAX_SELECTED + 1])
        if len(pks) > MAX_SELECTED:
            text = f"Select at most {MAX_SELECTED} batches, or use the action's own page for all of them."
            self.message_user(request, text, messages.ERROR)
            return None
        return HttpResponseRedirect(preview_url(page, sorted(pks)))

    def row_actions(self, request: HttpRequest, batch: TicketBatch) -> list[Button]:
        may_change, may_purge = self.has_change_batch_permission(request), self.has_purge_permission(request)
        actions = [
            ("Retry", RETRY, may_change and batch.status in RETRYABLE),
            ("Cancel", CANCEL, may_change and batch.status in TicketBatch.UNFINISHED),
            ("Purge tickets", PURGE, may_purge),
        ]
        return [(title, preview_url(page, [batch.pk])) for title, page, is_allowed in actions if is_allowed]
