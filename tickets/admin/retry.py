"""The page that has failed or cancelled batches made after all: shown first, and then queued again."""

from typing import Any

from django import forms
from django.http import HttpRequest
from django.utils.html import format_html

from predictions.draws.sources import upcoming_draw
from predictions.models import Prediction
from shiolplus.adminsite.columns import minute_text
from tickets.admin.batch_pages import BatchesPage, BatchIds, PreviewRow, is_over
from tickets.generation.lifecycle import retry_batch
from tickets.models import TicketBatch

ENDED_SHORT = (TicketBatch.Status.FAILED, TicketBatch.Status.CANCELLED)


class RetryForm(forms.Form):
    batches = BatchIds("Left empty: all failed ones whose draw has not been held.")


class RetryPage(BatchesPage):
    slug = "retry"
    title = "Retry failed batches"
    form_class = RetryForm
    template = "admin/tickets/ticketbatch/retry.html"
    past_participle = "queued again"

    def default_queryset(self) -> Any:
        failed = TicketBatch.objects.filter(status=TicketBatch.Status.FAILED)
        return failed.filter(draw_date__gte=upcoming_draw())

    def preview(self, asked: dict[str, Any]) -> dict[str, Any]:
        shown = super().preview(asked)
        return shown | {"needs_cluster": not shown["nothing_to_do"]}

    def describe(self, batch: TicketBatch) -> PreviewRow:
        if batch.status not in ENDED_SHORT:
            return PreviewRow(batch, blocked_reason=f"it is {batch.status}: left as it is")
        over = "; its draw is over, so nobody can claim these tickets" if is_over(batch) else ""
        return PreviewRow(batch, format_html("{}{}", _drawn_from(batch), over))

    def apply(self, request: HttpRequest, batch: TicketBatch) -> str:
        made = f"{batch.generated:,} of {batch.requested:,} tickets"
        return f"Queued again; it goes on at {made}." if retry_batch(batch) else ""


def _drawn_from(batch: TicketBatch) -> str:
    """Of which prediction its tickets will be: its own, or what it gets where it never had one."""
    law, whose = batch.prediction, "its prediction"
    if law is None:
        law, whose = Prediction.objects.newest(batch.mode, batch.draw_date), "the newest prediction"
    if law is None:
        return "no prediction for its draw: it will fail again; run the pipeline first"
    return format_html("{} of {}", whose, minute_text(law.created_at))
