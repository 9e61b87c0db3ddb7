"""The page that cancels batches which are queued or being made: shown first, and then done."""

from typing import Any

from django import forms
from django.http import HttpRequest

from tickets.admin.batch_pages import BatchesPage, BatchIds, PreviewRow
from tickets.generation.lifecycle import cancel_batch
from tickets.models import TicketBatch


class CancelForm(forms.Form):
    batches = BatchIds("Left empty: all that are queued or running.")


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
            return PreviewRow(batch, blocked_reason=f"it is {batch.status}: left as it is")
        stays = f"its {batch.stored:,} tickets stay" if batch.stored else "it has no tickets yet"
        old = "; what it was to replace stays" if batch.replaces else ""
        return PreviewRow(batch, stays + old)

    def apply(self, request: HttpRequest, batch: TicketBatch) -> str:
        if not cancel_batch(batch, f"cancelled by {request.user.get_username()}"):
            return ""
        batch.refresh_from_db(fields=["stored"])
        return f"Cancelled; its {batch.stored:,} tickets stay."
