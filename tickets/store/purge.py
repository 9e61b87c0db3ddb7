"""Purges requested by staff: preview and deletion, inline or, if large, in background tasks."""

import logging
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import NamedTuple

from django.db import transaction
from django_q.tasks import async_task

from predictions.modes.registry import check_mode
from predictions.workqueue import clusters
from shiolplus.logs.context import current_request, log_ids
from tickets.models import TicketBatch
from tickets.store import count_unpurgeable_claims, find_purgeable_tickets, purge_batch

logger = logging.getLogger(__name__)

INLINE_LIMIT = 50_000  # tickets, a few seconds
TASK_LIMIT = 500_000  # tickets per task, well within the queue's time limit


class PurgeCandidate(NamedTuple):
    batch: TicketBatch
    tickets: int


def purge_candidates(
    batches: Sequence[int] = (),
    mode: str | None = None,
    draw_date: date | None = None,
    before: datetime | None = None,
) -> list[PurgeCandidate]:
    """Return the batches with tickets to delete. Raise ValueError for an unknown mode."""
    queryset = TicketBatch.objects.select_related("run").filter(stored__gt=0).order_by("id")
    if batches:
        queryset = queryset.filter(pk__in=batches)
    if mode is not None:
        queryset = queryset.filter(mode=check_mode(mode))
    if draw_date is not None:
        queryset = queryset.filter(draw_date=draw_date)
    candidates = []
    for batch in queryset:
        if before is None:  # avoids counting a million rows
            tickets = batch.stored - count_unpurgeable_claims(batch)
        else:
            tickets = find_purgeable_tickets(batch, before).count()
        if tickets:
            candidates.append(PurgeCandidate(batch, tickets))
    return candidates


def needs_background(candidates: Sequence[PurgeCandidate]) -> bool:
    return sum(candidate.tickets for candidate in candidates) > INLINE_LIMIT


def enqueue_purge(batches: Iterable[int], before: datetime | None = None) -> None:
    """Enqueue one task per batch, all or none."""
    with transaction.atomic():
        for batch_pk in batches:
            logger.info("Enqueued the purge of batch %d", batch_pk)
            async_task(
                "tickets.tasks.purge_ticket_batch",
                batch_pk,
                None if before is None else before.isoformat(),
                current_request(),
                task_name=f"purge of batch {batch_pk}",
                cluster=clusters.DEFAULT,
            )


def purge_in_task(batch_pk: int, before: datetime | None, request_id: str = "") -> int:
    """Delete up to TASK_LIMIT tickets of a batch and enqueue the rest."""
    batch = TicketBatch.objects.select_related("run").get(pk=batch_pk)
    with log_ids(request=request_id, batch=batch_pk):
        deleted = purge_batch(batch, before=before, at_most=TASK_LIMIT)
        logger.info("Purged %d tickets of batch %d (%s)", deleted, batch.pk, batch.mode)
        if deleted == TASK_LIMIT:
            enqueue_purge([batch_pk], before)
    return deleted
