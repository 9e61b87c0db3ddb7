"""The states of a batch, and of its run with it: enqueued, passed on, ended, cancelled, tried again.

    queued → running → ready | failed | cancelled;  failed or cancelled → queued, its tickets kept

Who makes a batch proves with its token that it is still the one; who does not gets `Lost`, and nothing of
what it would write is written.
"""

import logging
from collections.abc import Sequence
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
from tickets.store.purge import enqueue_purge_of_replaced

logger = logging.getLogger(__name__)

Status = TicketBatch.Status
LEASE_CLEARED: dict[str, Any] = {"token": None, "lease_until": None}


def enqueue(batches: Sequence[TicketBatch]) -> None:
    """Send a task for each; on the database broker they are rows of the caller's transaction.

    A task is a permit to make the batch that is next, whichever it was sent for. The queue is named, for a
    task enqueued by a worker goes to that worker's own queue otherwise.
    """
    for batch in batches:
        async_task(
            "tickets.tasks.generate_ticket_batch",
            batch.pk,
            task_name=f"batch {batch.pk}",
            cluster=clusters.DEFAULT,
        )


def requeue(batch: TicketBatch) -> None:
    """Give back a batch that is not done yet, with a task that goes on with it."""
    with transaction.atomic():
        given = TicketBatch.objects.owned_by(batch).update(
            status=Status.QUEUED, redeliver_after=lease_expiry(timezone.now()), **LEASE_CLEARED
        )
        if not given:
            raise LeaseLost
        enqueue([batch])


def requeue_with_backoff(batch: TicketBatch, error: str) -> None:
    """Give back a batch that met an outage, to be taken up after a while.

    If not even that can be written, the lease runs out; after its last attempt it has failed.
    """
    later = timezone.now() + timedelta(seconds=backoff_delay(batch.attempts))
    logger.error("batch %d of %s met an outage and is taken up again: %s", batch.pk, batch.mode, error)
    try:
        if batch.attempts >= TicketBatch.MAX_ATTEMPTS:
            finish_batch(batch, Status.FAILED, attempts_exhausted_message(batch, error))
        else:
            TicketBatch.objects.owned_by(batch).update(
                status=Status.QUEUED, token=None, lease_until=later, redeliver_after=later, error=error
            )
    except LeaseLost:
        logger.warning("batch %d of %s was taken away meanwhile", batch.pk, batch.mode)
    except DATABASE_OUTAGES:
        logger.warning("batch %d of %s keeps its lease until it runs out", batch.pk, batch.mode)


def attempts_exhausted_message(batch: TicketBatch, last: str) -> str:
    """Why a batch is not begun again."""
    return (
        f"given up after {batch.attempts} attempts without a further ticket; "
        f"the last: {last or 'its process was killed'}"
    )


def finish_batch(batch: TicketBatch, status: str, error: str = "") -> None:
    """Record the end of a batch that is ours and, with the last of them, its run's; Lost if it is not."""
    _finish(batch, TicketBatch.objects.owned_by(batch), status, error)


def fail_if_exhausted(batch: TicketBatch) -> bool:
    """Fail a batch that was begun too often; False when it has been taken or ended meanwhile."""
    try:
        _finish(
            batch,
            TicketBatch.objects.out_of_attempts().filter(pk=batch.pk),
            Status.FAILED,
            attempts_exhausted_message(batch, batch.error),
        )
    except LeaseLost:
        return False
    return True


def cancel_batch(batch: TicketBatch, reason: str = "") -> bool:
    """Cancel a batch that is queued or being made; its tickets stay. False when it has ended already."""
    try:
        _finish(batch, TicketBatch.objects.unfinished().filter(pk=batch.pk), Status.CANCELLED, reason)
    except LeaseLost:
        return False
    return True


def _finish(batch: TicketBatch, rows: Any, status: str, error: str) -> None:
    with transaction.atomic():
        run = GenerationRun.objects.select_for_update().get(pk=batch.run_id)
        if not rows.update(
            status=status, error=error, finished_at=timezone.now(), rate=None, **LEASE_CLEARED
        ):
            raise LeaseLost
        if status == Status.READY:
            enqueue_purge_of_replaced(batch)  # not before: until now the old tickets are the stock
        finish_run(run)
    level = logging.ERROR if status == Status.FAILED else logging.INFO
    logger.log(level, "batch %d of %s is %s%s", batch.pk, batch.mode, status, f": {error}" if error else "")


def retry_batch(batch: TicketBatch) -> bool:
    """Queue a failed or cancelled batch anew; it goes on where it stopped. False when it is neither.

    One that never had a prediction gets the newest; without one still, it fails again by name.
    """
    with transaction.atomic():
        run = GenerationRun.objects.select_for_update().get(pk=batch.run_id)
        ended = TicketBatch.objects.filter(pk=batch.pk, status__in=[Status.FAILED, Status.CANCELLED])
        anew = {"status": Status.QUEUED, "attempts": 0, "error": "", "finished_at": None}
        if not ended.update(redeliver_after=lease_expiry(timezone.now()), **anew, **LEASE_CLEARED):
            return False
        batch.refresh_from_db()
        if batch.prediction_id is None and not freeze_recipe(batch):
            batch.save()
        run.status, run.error, run.finished_at = GenerationRun.Status.RUNNING, "", None
        run.save(update_fields=["status", "error", "finished_at"])
        enqueue([batch])
    return True


def finish_run(run: GenerationRun) -> None:
    """Give a run its final state once none of its batches is unfinished; in the caller's transaction."""
    batches = list(run.batches.generated().values_list("mode", "status", "error"))
    if any(status in TicketBatch.UNFINISHED for _, status, _ in batches):
        return
    run.status = _run_status([status for _, status, _ in batches])
    run.error = "; ".join(f"{mode}: {error}" for mode, _, error in batches if error)
    run.finished_at = timezone.now()
    run.save(update_fields=["status", "error", "finished_at"])


def _run_status(batches: Sequence[str]) -> str:
    ends = set(batches)
    if ends == {Status.READY}:
        return GenerationRun.Status.COMPLETED
    if Status.READY in ends:
        return GenerationRun.Status.PARTIAL
    if ends == {Status.CANCELLED}:
        return GenerationRun.Status.CANCELLED
    return GenerationRun.Status.FAILED
