"""Action page that queues failed and cancelled batches again."""

from typing import Any

from django import forms
from django.http import HttpRequest
from django.utils.html import format_html

from predictions.draws.sources import upcoming_draw
from predictions.models import Prediction
from shiolplus.adminsite.columns import format_minute
from tickets.admin.batch_pages import BatchesPage, BatchIds, PreviewRow
from tickets.generation.lifecycle import retry_batch
from tickets.models import TicketBatch

RETRYABLE = (TicketBatch.Status.FAILED, TicketBatch.Status.CANCELLED)


class RetryForm(forms.Form):
    batches = BatchIds("Leave empty for all failed batches of upcoming draws.")


class RetryPage(BatchesPage):
    slug = "retry"
    title = "Retry failed batches"
    form_class = RetryForm
    template = "admin/tickets/ticketbatch/retry.html"
    past_participle = "queued again"

    def default_queryset(self) -> Any:
        failed = TicketBatch.objects.filter(status=TicketBatch.Status.FAILED)
        return failed.filter(draw_date__gte=upcoming_draw())

    def preview_context(self, cleaned_data: dict[str, Any]) -> dict[str, Any]:
        preview = super().preview_context(cleaned_data)
        return preview | {"needs_cluster": not preview["nothing_to_do"]}

    def describe(self, batch: TicketBatch) -> PreviewRow:
        if batch.status not in RETRYABLE:
            return PreviewRow(batch, blocked_reason=f"Already {batch.status}; nothing to retry")
        is_past = batch.draw_date < upcoming_draw()
        warning = "; the draw is over, so its tickets cannot be claimed" if is_past else ""
        return PreviewRow(batch, format_html("{}{}", prediction_text(batch), warning))

    def apply(self, request: HttpRequest, batch: TicketBatch) -> str:
        progress = f"{batch.generated:,} of {batch.requested:,} tickets"
        return f"Queued again; continues at {progress}." if retry_batch(batch) else ""


def prediction_text(batch: TicketBatch) -> str:
    """Describe the prediction that a retry samples from: the batch's own, otherwise the newest."""
    prediction, text = batch.prediction, "its prediction"
    if prediction is None:
        prediction, text = Prediction.objects.newest(batch.mode, batch.draw_date), "the newest prediction"
    if prediction is None:
        return "no prediction for its draw, so it will fail again; run the pipeline first"
    return format_html("{} of {}", text, format_minute(prediction.created_at))
