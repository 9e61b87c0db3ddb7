"""Purges that people ask for: what would go, and its deletion, here or, where it is much, by tasks."""

import logging
from collections.abc import Sequence
from datetime import date, datetime
from typing import NamedTuple

from django.db import transaction
from django_q.tasks import async_task

from predictions.modes.registry import check_mode
from predictions.workqueue import clusters
from shiolplus.logs.context import current_request, log_ids
from tickets.models import TicketBatch
from tickets.store import purge_batch, tickets_of_batch, unpurgeable_claims

logger = logging.getLogger(__name__)

INLINE_LIMIT = 50_000  # tickets deleted while a person waits, a few seconds; more are left to tasks
TASK_LIMIT = 500_000  # tickets one task deletes before the next goes on, well within the queue's time limit


class PurgeCandidate(NamedTuple):
    """A batch, and how many of its tickets a purge would delete."""

    batch: TicketBatch
    tickets: int


def purge_candidates(
    batches: Sequence[int] = (),
    mode: str | None = None,
    draw_date: date | None = None,
    before: datetime | None = None,
) -> list[PurgeCandidate]:
    """The batches with tickets that a purge would delete, made before an instant, and how many.

    What is not named is not asked. ValueError for a bad mode.
    """
    rows = TicketBatch.objects.select_related("run").filter(stored__gt=0).order_by("id")
    if batches:
        rows = rows.filter(pk__in=batches)
    if mode is not None:
        rows = rows.filter(mode=check_mode(mode))
    if draw_date is not None:
        rows = rows.filter(draw_date=draw_date)
    counted = [PurgeCandidate(batch, _count(batch, before)) for batch in rows]
    return [one for one in counted if one.tickets]


def _count(batch: TicketBatch, before: datetime | None) -> int:
    if before is None:  # all of it, and no million rows need be counted
        return batch.stored - unpurgeable_claims(batch)
    return tickets_of_batch(batch, before).count()


def needs_background(doomed: Sequence[PurgeCandidate]) -> bool:
    """Whether a purge takes longer than a person should wait."""
    return sum(one.tickets for one in doomed) > INLINE_LIMIT


def enqueue_purge(doomed: Sequence[PurgeCandidate], before: datetime | None) -> None:
    """Leave the deletion to tasks, one a batch."""
    with transaction.atomic():
        for batch, _ in doomed:
            _enqueue(batch.pk, before)


def enqueue_purge_of_replaced(batch: TicketBatch) -> None:
    """Leave to tasks what a batch replaces; in the transaction in which it becomes ready."""
    for replaced in batch.replaces:
        _enqueue(replaced, None)


def purge_in_task(batch_pk: int, before: datetime | None, request_id: str = "") -> int:
    """Delete a task's part of a batch's tickets and enqueue the rest; delivered twice is done once."""
    batch = TicketBatch.objects.select_related("run").get(pk=batch_pk)
    with log_ids(request=request_id, batch=batch_pk):
        deleted = purge_batch(batch, before=before, at_most=TASK_LIMIT)
        logger.info("%s: %d tickets purged", batch.mode, deleted)
        if deleted == TASK_LIMIT:
            _enqueue(batch_pk, before)
    return deleted


def _enqueue(batch_pk: int, before: datetime | None) -> None:
    logger.info("the purge of batch %d is enqueued", batch_pk)
    async_task(
        "tickets.tasks.purge_ticket_batch",
        batch_pk,
        None if before is None else before.isoformat(),
        current_request(),
        task_name=f"purge of batch {batch_pk}",
        cluster=clusters.DEFAULT,
    )
