"""Recover work that the queue has lost: enqueue overdue rows again, fail rows without attempts left."""

import logging
from collections.abc import Callable
from typing import Any, NamedTuple

from django.db import transaction

from predictions.models import LeasedQuerySet, PipelineRun
from predictions.pipeline.runner import enqueue_run, fail_abandoned
from tickets.generation.lifecycle import enqueue_batches, fail_if_exhausted
from tickets.models import TicketBatch
from tickets.receivers import enqueue_missing_batches

logger = logging.getLogger(__name__)


class ReapResult(NamedTuple):
    batches: int = 0  # enqueued again
    runs: int = 0  # pipeline runs enqueued again
    failed: int = 0  # batches and pipeline runs
    signalled: int = 0  # completed pipeline runs without batches


def reap() -> ReapResult:
    """Run one pass. A single UPDATE decides which of several hosts makes each change."""
    exhausted_batches = TicketBatch.objects.generated().out_of_attempts()
    exhausted_runs = PipelineRun.objects.out_of_attempts()
    return ReapResult(
        failed=sum(fail_if_exhausted(batch) for batch in exhausted_batches)
        + sum(fail_exhausted_run(run) for run in exhausted_runs),
        batches=enqueue_overdue(TicketBatch.objects.generated(), lambda batch: enqueue_batches([batch])),
        runs=enqueue_overdue(PipelineRun.objects.all(), enqueue_run),
        signalled=enqueue_missing_batches(),
    )


def fail_exhausted_run(run: PipelineRun) -> bool:
    last_error = run.error or "worker process killed"
    return fail_abandoned(run, f"no progress after {run.attempts} attempts; last error: {last_error}")


def enqueue_overdue(rows: LeasedQuerySet, enqueue: Callable[[Any], None]) -> int:
    count = 0
    for row in rows.overdue():
        with transaction.atomic():
            if rows.postpone(row):
                enqueue(row)
                count += 1
                logger.warning("%s is overdue; enqueued again", row)
    return count
