"""Queue tasks: they take ids, may run twice, and return a small dict."""

from collections.abc import Sequence
from datetime import date, datetime

from predictions.models import Draw
from tickets.generation.worker import run_next_batch
from tickets.models import TicketBatch
from tickets.scoring.scorer import score_draw, score_if_drawn
from tickets.store.purge import purge_in_task
from tickets.store.retention import apply_retention


def generate_ticket_batch(sent_for: int) -> dict[str, str | int | None]:
    """Run a time slice of the highest-priority batch, and score it if its draw is over.

    The task only wakes a worker; the batch `sent_for` may be running elsewhere.
    """
    pk = run_next_batch()
    if pk is None:
        return {"sent_for": sent_for, "batch": None}
    batch = TicketBatch.objects.get(pk=pk)
    score_if_drawn(batch.draw_date)
    return {"sent_for": sent_for, "batch": pk, "status": batch.status, "stored": batch.stored}


def purge_ticket_batch(batch_pk: int, before: str | None, request_id: str = "") -> dict[str, int]:
    instant = None if before is None else datetime.fromisoformat(before)
    deleted = purge_in_task(batch_pk, instant, request_id)
    return {"batch": batch_pk, "deleted": deleted}


def clean_up_tickets() -> dict[str, int]:
    return apply_retention()


def score_draws(days: Sequence[date]) -> dict[str, int]:
    draws = Draw.objects.filter(draw_date__in=days).order_by("draw_date")
    return {"draws": len(draws), "scored": sum(len(score_draw(draw)) for draw in draws)}
