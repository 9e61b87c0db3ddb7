"""What the queue lost is found by our own rows: overdue work is sent again, hopeless work is given up."""

import logging
from collections.abc import Callable
from typing import Any, NamedTuple

from django.db import transaction

from predictions.models import LeasedQuerySet, PipelineRun
from predictions.pipeline.runner import enqueue_run, fail_abandoned
from tickets.generation.lifecycle import enqueue, fail_if_exhausted
from tickets.models import TicketBatch
from tickets.receivers import enqueue_missing_batches

logger = logging.getLogger(__name__)


class ReapResult(NamedTuple):
    """What a pass of the reaper did."""

    batches: int = 0  # sent again
    runs: int = 0  # pipeline runs sent again
    failed: int = 0
    signalled: int = 0  # completed pipeline runs whose tickets nobody had ordered


def reap() -> ReapResult:
    """One pass; safe to run in several places at once, since every change is won by one UPDATE."""
    return ReapResult(
        failed=_give_up_batches() + _give_up_runs(),
        batches=_resend_due(TicketBatch.objects.generated(), lambda batch: enqueue([batch])),
        runs=_resend_due(PipelineRun.objects.all(), enqueue_run),
        signalled=enqueue_missing_batches(),
    )


def _give_up_batches() -> int:
    return sum(fail_if_exhausted(batch) for batch in TicketBatch.objects.generated().out_of_attempts())


def _give_up_runs() -> int:
    return sum(
        fail_abandoned(
            run,
            f"given up after {run.attempts} attempts that got no further; "
            f"the last: {run.error or 'its process was killed'}",
        )
        for run in PipelineRun.objects.out_of_attempts()
    )


def _resend_due(rows: LeasedQuerySet, enqueue: Callable[[Any], None]) -> int:
    """Send a task for each row that is due, and put the next one off; both or neither."""
    sent = 0
    for row in rows.overdue():
        with transaction.atomic():
            if rows.postpone(row):
                enqueue(row)
                sent += 1
                logger.warning("%s is overdue: another task is sent", row)
    return sent
