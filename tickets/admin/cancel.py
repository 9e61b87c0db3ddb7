"""Action page that cancels queued and running batches."""

from typing import Any

from django import forms
from django.http import HttpRequest

from tickets.admin.batch_pages import BatchesPage, BatchIds, PreviewRow
from tickets.generation.lifecycle import cancel_batch
from tickets.models import TicketBatch


class CancelForm(forms.Form):
    batches = BatchIds("Leave empty for all queued and running batches.")


class CancelPage(BatchesPage):
    slug = "cancel"
    title = "Cancel batches"
    form_class = CancelForm
    template = "admin/tickets/ticketbatch/cancel.html"
    past_participle = "cancelled"

    def default_queryset(self) -> Any:
        return TicketBatch.objects.unfinished()

    def describe(self, batch: TicketBatch) -> PreviewRow:
        if batch.status not in TicketBatch.UNFINISHED:
            return PreviewRow(batch, blocked_reason=f"Already {batch.status}; nothing to cancel")
        kept = f"{batch.stored:,} tickets" if batch.stored else "no tickets yet"
        replaced = "; the batches it was to replace" if batch.replaces else ""
        return PreviewRow(batch, kept + replaced)

    def apply(self, request: HttpRequest, batch: TicketBatch) -> str:
        if not cancel_batch(batch, f"cancelled by {request.user.get_username()}"):
            return ""
        batch.refresh_from_db(fields=["stored"])
        return f"Cancelled; {batch.stored:,} stored tickets kept."
