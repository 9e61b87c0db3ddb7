"""The admin's pages for batches: to browse, and to purge the selected ones after a preview."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.http import urlencode

from predictions.admin.browsing import DrawDateFilter, ReadOnly, day, minute, shortened
from tickets.models import TicketBatch
from tickets.store import purge_batch

PURGE_PERMISSION = "tickets.delete_pregeneratedticket"


def progress_bar(generated: int, requested: int) -> str:
    """How far something is: 1,500 of 2,000 (75 %)."""
    share = generated / requested if requested else 0.0
    return format_html(
        '<progress value="{}" max="{}" style="width: 4em" aria-hidden="true"></progress> {} of {} ({})',
        generated,
        requested or 1,
        f"{generated:,}",
        f"{requested:,}",
        f"{int(share * 100)}\N{NO-BREAK SPACE}%",  # never rounded up to a hundred
    )


@admin.register(TicketBatch)
class TicketBatchAdmin(ReadOnly, admin.ModelAdmin):
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
    actions = ["purge_selected"]
    change_form_template = "admin/tickets/ticketbatch/change_form.html"

    @admin.display(description="made")
    def progress(self, batch: TicketBatch) -> str:
        return progress_bar(batch.generated, batch.requested)

    @admin.display(description="in stock", ordering="stored")
    def in_stock(self, batch: TicketBatch) -> str:
        return f"{batch.stored:,}"

    def get_urls(self) -> list[URLPattern]:
        purge = path("purge/", self.admin_site.admin_view(self.purge), name="tickets_ticketbatch_purge")
        return [purge, *super().get_urls()]

    def has_purge_permission(self, request: HttpRequest) -> bool:
        """Who may delete tickets; Django asks this before it offers the action."""
        return request.user.has_perm(PURGE_PERMISSION)

    @admin.action(description="Purge the tickets of the selected batches", permissions=["purge"])
    def purge_selected(self, request: HttpRequest, batches: QuerySet[TicketBatch]) -> HttpResponse:
        ids = [("batch", pk) for pk in batches.values_list("pk", flat=True)]
        return HttpResponseRedirect(f"{reverse('admin:tickets_ticketbatch_purge')}?{urlencode(ids)}")

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        context = (extra_context or {}) | {"may_purge": self.has_purge_permission(request)}
        return super().change_view(request, object_id, form_url, context)

    def purge(self, request: HttpRequest) -> HttpResponse:
        """GET shows how many tickets of which batches will go; POST deletes them."""
        if not self.has_purge_permission(request):
            raise PermissionDenied
        batches = self._named_batches(request)
        if not batches:
            self.message_user(request, "No batch was named; select some first.", messages.WARNING)
            return HttpResponseRedirect(reverse("admin:tickets_ticketbatch_changelist"))
        if request.method == "POST":
            return self._purge(request, batches)
        context = self.admin_site.each_context(request) | {
            "title": "Purge tickets",
            "opts": self.opts,
            "batches": batches,
            "total": sum(batch.stored for batch in batches),
        }
        return TemplateResponse(request, "admin/tickets/ticketbatch/purge.html", context)

    def _named_batches(self, request: HttpRequest) -> list[TicketBatch]:
        given = (request.POST if request.method == "POST" else request.GET).getlist("batch")
        ids = [int(pk) for pk in given if pk.isascii() and pk.isdigit() and len(pk) < 19]
        return list(TicketBatch.objects.select_related("run").filter(pk__in=ids).order_by("pk"))

    def _purge(self, request: HttpRequest, batches: list[TicketBatch]) -> HttpResponse:
        total = 0
        for batch in batches:
            deleted = purge_batch(batch)
            total += deleted
            self.log_change(request, batch, f"Purged {deleted} tickets.")
        self.message_user(request, f"{total} tickets purged.", messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:tickets_ticketbatch_changelist"))
