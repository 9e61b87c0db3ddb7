"""What the queue's workers call: ids in, a small dict out."""

from collections.abc import Sequence
from datetime import date, datetime

from predictions.models import Draw
from tickets.generation.worker import run_next_batch
from tickets.models import TicketBatch
from tickets.scoring.scorer import score_draw, score_if_drawn
from tickets.store.purge import purge_in_task
from tickets.store.retention import apply_retention


def generate_ticket_batch(sent_for: int) -> dict[str, str | int | None]:
    """Make a slice of the batch that is next, and score it if it is done and its draw is over.

    The task is a permit: the batch it was sent for may be another's by now, and one delivered twice finds
    something else to do, or nothing.
    """
    pk = run_next_batch()
    if pk is None:
        return {"sent_for": sent_for, "batch": None}
    batch = TicketBatch.objects.get(pk=pk)
    score_if_drawn(batch.draw_date)
    return {"sent_for": sent_for, "batch": pk, "status": batch.status, "stored": batch.stored}


def purge_ticket_batch(batch_pk: int, before: str | None, request_id: str = "") -> dict[str, int]:
    """Delete a part of a batch's tickets, or of those made before an instant, and enqueue the rest."""
    instant = None if before is None else datetime.fromisoformat(before)
    deleted = purge_in_task(batch_pk, instant, request_id)
    return {"batch": batch_pk, "deleted": deleted}


def clean_up_tickets() -> dict[str, int]:
    """Delete what the modes' policies no longer keep. A second delivery finds nothing left."""
    return apply_retention()


def score_draws(days: Sequence[date]) -> dict[str, int]:
    """Score the batches for some draws. A second delivery finds them scored and makes nothing."""
    draws = Draw.objects.filter(draw_date__in=days).order_by("draw_date")
    return {"draws": len(draws), "scored": sum(len(score_draw(draw)) for draw in draws)}
