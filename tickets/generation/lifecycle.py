"""State changes of ticket batches and of the generation run that owns them.

    queued → running → ready | failed | cancelled
    failed or cancelled → queued (retry; stored tickets are kept)

A worker proves ownership of a batch with its fencing token, else LeaseLost is raised.
"""

import logging
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone
from django_q.tasks import async_task

from predictions.models import lease_expiry
from predictions.workqueue import clusters
from predictions.workqueue.leases import DATABASE_OUTAGES, LeaseLost, backoff_delay
from tickets.generation.planning import freeze_recipe
from tickets.models import GenerationRun, TicketBatch
from tickets.models.generation import TicketBatchQuerySet
from tickets.store.purge import enqueue_purge

logger = logging.getLogger(__name__)

Status = TicketBatch.Status
LEASE_CLEARED: dict[str, Any] = {"token": None, "lease_until": None}


def enqueue_batches(batches: Iterable[TicketBatch]) -> None:
    """Enqueue one task per batch, as part of the caller's transaction.

    A task only wakes a worker, which runs the highest-priority queued batch. The queue is named, since a
    worker's default is its own.
    """
    for batch in batches:
        async_task(
            "tickets.tasks.generate_ticket_batch",
            batch.pk,
            task_name=f"batch {batch.pk}",
            cluster=clusters.DEFAULT,
        )


def requeue(batch: TicketBatch) -> None:
    """Release a batch after its time slice and enqueue a task that continues it."""
    with transaction.atomic():
        released = TicketBatch.objects.owned_by(batch).update(
            status=Status.QUEUED, redeliver_after=lease_expiry(timezone.now()), **LEASE_CLEARED
        )
        if not released:
            raise LeaseLost
        enqueue_batches([batch])


def requeue_with_backoff(batch: TicketBatch, error: str) -> None:
    """Requeue a batch after a database outage, or fail it after its last attempt."""
    logger.error("Batch %d (%s) interrupted by an outage, will be retried: %s", batch.pk, batch.mode, error)
    retry_at = timezone.now() + timedelta(seconds=backoff_delay(batch.attempts))
    try:
        if batch.attempts >= TicketBatch.MAX_ATTEMPTS:
            finish_batch(batch, Status.FAILED, attempts_exhausted_message(batch, error))
        else:
            TicketBatch.objects.owned_by(batch).update(
                status=Status.QUEUED, token=None, lease_until=retry_at, redeliver_after=retry_at, error=error
            )
    except LeaseLost:
        logger.warning("Batch %d was taken over by another worker", batch.pk)
    except DATABASE_OUTAGES:
        # The reaper then requeues it.
        logger.warning("Batch %d keeps its lease until it expires", batch.pk)


def attempts_exhausted_message(batch: TicketBatch, last_error: str) -> str:
    return f"no progress after {batch.attempts} attempts; last error: {last_error or 'worker process killed'}"


def finish_batch(batch: TicketBatch, status: str, error: str = "") -> None:
    """Finish a batch, and its run if it was the last one. Raise LeaseLost unless the worker owns it."""
    if not _finish(batch, TicketBatch.objects.owned_by(batch), status, error):
        raise LeaseLost


def fail_if_exhausted(batch: TicketBatch) -> bool:
    """Fail a batch without attempts left. Return False if it has changed meanwhile."""
    exhausted = TicketBatch.objects.out_of_attempts().filter(pk=batch.pk)
    return _finish(batch, exhausted, Status.FAILED, attempts_exhausted_message(batch, batch.error))


def cancel_batch(batch: TicketBatch, reason: str = "") -> bool:
    """Cancel an unfinished batch, keeping its tickets. Return False if it has already finished."""
    unfinished = TicketBatch.objects.unfinished().filter(pk=batch.pk)
    return _finish(batch, unfinished, Status.CANCELLED, reason)


def _finish(batch: TicketBatch, rows: TicketBatchQuerySet, status: str, error: str) -> bool:
    """Finish the batch if `rows` still contains it. Return False otherwise."""
    with transaction.atomic():
        run = GenerationRun.objects.select_for_update().get(pk=batch.run_id)
        if not rows.update(
            status=status, error=error, finished_at=timezone.now(), rate=None, **LEASE_CLEARED
        ):
            return False
        if status == Status.READY and batch.replaces:
            # Not earlier: until now, the replaced tickets were in stock.
            enqueue_purge(batch.replaces)
        finish_run_if_done(run)
    level = logging.ERROR if status == Status.FAILED else logging.INFO
    logger.log(level, "Batch %d (%s) %s%s", batch.pk, batch.mode, status, f": {error}" if error else "")
    return True


def retry_batch(batch: TicketBatch) -> bool:
    """Queue a failed or cancelled batch again; it continues where it stopped.

    Return False in another state. A batch without a prediction gets the newest one.
    """
    with transaction.atomic():
        run = GenerationRun.objects.select_for_update().get(pk=batch.run_id)
        finished = TicketBatch.objects.filter(pk=batch.pk, status__in=[Status.FAILED, Status.CANCELLED])
        if not finished.update(
            status=Status.QUEUED,
            attempts=0,
            error="",
            finished_at=None,
            redeliver_after=lease_expiry(timezone.now()),
            **LEASE_CLEARED,
        ):
            return False
        batch.refresh_from_db()
        if batch.prediction_id is None and not freeze_recipe(batch):
            batch.save()
        run.status, run.error, run.finished_at = GenerationRun.Status.RUNNING, "", None
        run.save(update_fields=["status", "error", "finished_at"])
        enqueue_batches([batch])
    return True


def finish_run_if_done(run: GenerationRun) -> None:
    """Set the final state of a run once all its batches have finished."""
    batches = list(run.batches.generated().values_list("mode", "status", "error"))
    statuses = {status for _, status, _ in batches}
    if not statuses.isdisjoint(TicketBatch.UNFINISHED):
        return
    if Status.READY in statuses:
        is_complete = statuses == {Status.READY}
        run.status = GenerationRun.Status.COMPLETED if is_complete else GenerationRun.Status.PARTIAL
    elif statuses == {Status.CANCELLED}:
        run.status = GenerationRun.Status.CANCELLED
    else:
        run.status = GenerationRun.Status.FAILED
    run.error = "; ".join(f"{mode}: {error}" for mode, _, error in batches if error)
    run.finished_at = timezone.now()
    run.save(update_fields=["status", "error", "finished_at"])
