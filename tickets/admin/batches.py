"""The admin's pages for batches: to browse, and to choose some to retry, to cancel or to purge."""

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
from tickets.admin.batch_pages import CHANGE_BATCH_PERMISSION, MAX_SELECTED, address_of
from tickets.admin.cancel import CancelPage
from tickets.admin.purge import PurgePage
from tickets.admin.retry import ENDED_SHORT, RetryPage
from tickets.admin.scores import ScoreInline
from tickets.models import TicketBatch

Batches = QuerySet[TicketBatch]

PURGE, RETRY, CANCEL = "pregeneratedticket_purge", "ticketbatch_retry", "ticketbatch_cancel"
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
    search_help_text = "A run's id or a part of it"
    exclude = ["rate"]  # the progress says it
    readonly_fields = ["progress"]
    inlines = [ScoreInline]
    actions = ["retry_selected", "cancel_selected", "purge_selected"]
    action_pages = [RetryPage, CancelPage]

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
        return request.user.has_perm(PurgePage.permission)

    def has_steer_permission(self, request: HttpRequest) -> bool:
        """Who may have batches tried again, or cancelled; the rows themselves nobody edits."""
        return request.user.has_perm(CHANGE_BATCH_PERMISSION)

    @admin.action(description="Purge the tickets of the selected batches", permissions=["purge"])
    def purge_selected(self, request: HttpRequest, batches: Batches) -> HttpResponse | None:
        return self._shown_first(request, PURGE, batches)

    @admin.action(description="Retry the selected batches", permissions=["steer"])
    def retry_selected(self, request: HttpRequest, batches: Batches) -> HttpResponse | None:
        return self._shown_first(request, RETRY, batches)

    @admin.action(description="Cancel the selected batches", permissions=["steer"])
    def cancel_selected(self, request: HttpRequest, batches: Batches) -> HttpResponse | None:
        return self._shown_first(request, CANCEL, batches)

    def _shown_first(self, request: HttpRequest, page: str, batches: Batches) -> HttpResponse | None:
        """To the page that previews what would become of the selected."""
        pks = list(batches.values_list("pk", flat=True)[: MAX_SELECTED + 1])
        if len(pks) > MAX_SELECTED:
            text = (
                f"Select at most {MAX_SELECTED} batches, or open the action's page, which can name them all."
            )
            self.message_user(request, text, messages.ERROR)
            return None
        return HttpResponseRedirect(address_of(page, sorted(pks)))

    def row_actions(self, request: HttpRequest, batch: TicketBatch) -> list[Button]:
        may_steer, may_purge = self.has_steer_permission(request), self.has_purge_permission(request)
        offered = [
            ("Retry", RETRY, may_steer and batch.status in ENDED_SHORT),
            ("Cancel", CANCEL, may_steer and batch.status in TicketBatch.UNFINISHED),
            ("Purge its tickets", PURGE, may_purge),
        ]
        return [(title, address_of(page, [batch.pk])) for title, page, is_offered in offered if is_offered]
