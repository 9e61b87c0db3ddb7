"""What the queue's workers call: ids in, a small dict out."""

from collections.abc import Sequence
from datetime import date, datetime

from predictions.models import Draw
from tickets.generation import make_batch
from tickets.models import TicketBatch
from tickets.purging import purge_in_task
from tickets.scoring import score_draw, score_if_drawn


def generate_ticket_batch(batch_pk: int) -> dict[str, str | int]:
    """Make one queued batch, and score it if its draw is over. A second delivery finds it taken and goes."""
    made = make_batch(batch_pk)
    batch = TicketBatch.objects.get(pk=batch_pk)
    if made:
        score_if_drawn(batch.draw_date)
    return {"batch": batch.pk, "mode": batch.mode, "status": batch.status, "stored": batch.stored}


def purge_ticket_batch(batch_pk: int, before: str | None) -> dict[str, int]:
    """Delete a part of a batch's tickets, or of those made before an instant, and enqueue the rest."""
    deleted = purge_in_task(batch_pk, None if before is None else datetime.fromisoformat(before))
    return {"batch": batch_pk, "deleted": deleted}


def score_draws(days: Sequence[date]) -> dict[str, int]:
    """Score the batches for some draws. A second delivery finds them scored and makes nothing."""
    draws = Draw.objects.filter(draw_date__in=days).order_by("draw_date")
    return {"draws": len(draws), "scored": sum(len(score_draw(draw)) for draw in draws)}
