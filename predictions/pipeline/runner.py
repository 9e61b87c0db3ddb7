"""Pipeline runs: accepted once, executed step by step, each step recorded.

    data → analytics → evaluation → adaptive_weights → training → predictions → predictions_generated

If a required step fails, the run fails and the signal is not sent. A mode that fails is recorded and the
others go on. A run whose process was killed continues at its first unfinished step.
"""

import logging
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone
from django_q.tasks import async_task

from predictions.draws.sources import upcoming_draw
from predictions.models import PipelineRun, PipelineStep, check_run_id, lease_expiry, new_run_id
from predictions.modes.registry import MODE_NAMES
from predictions.pipeline.steps import RESTORERS, STEPS, Status, StepContext, StepFailed, record_progress
from predictions.powerball import check_ticket_date
from predictions.signals import predictions_generated, send_logged
from predictions.workqueue import clusters
from predictions.workqueue.leases import DATABASE_OUTAGES, LeaseLost, backoff_delay, lease_holder, renewing
from shiolplus.logs.context import current_request, log_ids
from shiolplus.logs.safe_text import describe_error

logger = logging.getLogger(__name__)

SOURCES = ("ny", "texas", "bundled", "none")

Watcher = Callable[[PipelineStep], None]


def accept_run(
    *,
    source: str,
    draw_date: date | None = None,
    modes: Sequence[str] | None = None,
    pipeline_run_id: str | None = None,
    enqueue: bool = True,
) -> tuple[PipelineRun, bool]:
    """Create a run with its six steps and enqueue it in the same transaction; return (run, created).

    An existing `pipeline_run_id` returns its run. Raise ValueError for an invalid value, or if that run has
    another draw, source or modes.
    """
    requested: dict[str, Any] = {
        "source": source,
        "draw_date": draw_date or upcoming_draw(),
        "modes": list(modes or MODE_NAMES),
    }
    _check_request(**requested)
    run_id = new_run_id("pipeline") if pipeline_run_id is None else check_run_id(pipeline_run_id)
    defaults = requested | {
        "redeliver_after": lease_expiry(timezone.now()),
        "request_id": current_request(),
    }
    with transaction.atomic():
        run, created = PipelineRun.objects.get_or_create(pipeline_run_id=run_id, defaults=defaults)
        if not created:
            _check_same_request(run, requested, ignore=[] if draw_date else ["draw_date"])
            return run, False
        PipelineStep.objects.bulk_create(
            PipelineStep(run=run, number=number, name=name) for number, name in enumerate(STEPS, start=1)
        )
        if enqueue:
            enqueue_run(run)
    with log_ids(run=run_id):
        logger.info("Pipeline run for the draw of %s accepted", run.draw_date)
    return run, True


def enqueue_run(run: PipelineRun) -> None:
    """Enqueue a task that executes the run, as part of the caller's transaction."""
    async_task(
        "predictions.tasks.run_pipeline", run.pk, task_name=f"pipeline {run.pk}", cluster=clusters.HEAVY
    )


def _check_request(source: str, draw_date: date, modes: Sequence[str]) -> None:
    if source not in SOURCES:
        raise ValueError(f"source {source!r}: allowed are {', '.join(SOURCES)}")
    if unknown := [mode for mode in modes if mode not in MODE_NAMES]:
        raise ValueError(f"modes {', '.join(unknown)}: allowed are {', '.join(MODE_NAMES)}")
    check_ticket_date(draw_date)


def _check_same_request(run: PipelineRun, requested: dict[str, Any], ignore: Sequence[str]) -> None:
    for name, value in requested.items():
        if name not in ignore and getattr(run, name) != value:
            raise ValueError(
                f"pipeline_run_id {run.pipeline_run_id!r} belongs to a run with {name} {getattr(run, name)}"
            )


def execute(run: PipelineRun, watch: Watcher = lambda step: None) -> bool:
    """Execute a run's steps in this process; return False if it is leased elsewhere or has ended.

    `watch` is called after each change of a step. An unexpected error is recorded and re-raised. A database
    outage does not fail the run: its lease is released and it is retried later.
    """
    if PipelineRun.objects.acquire(run.pk, lease_holder()) is None:
        logger.info("Pipeline run %s is leased by another worker or has ended; skipped", run)
        return False
    run.refresh_from_db()
    with log_ids(request=run.request_id, run=run.pipeline_run_id), renewing([run]):
        try:
            if _run_steps(run, watch):
                _finish_run(run, PipelineRun.Status.COMPLETED)
                send_logged(predictions_generated, PipelineRun, f"pipeline {run}", run=run)
        except LeaseLost:
            logger.warning("Pipeline run %s was taken over by another worker", run)
        except DATABASE_OUTAGES as error:
            _release_after_outage(run, error)
    return True


def _run_steps(run: PipelineRun, watch: Watcher) -> bool:
    """Execute the unfinished steps in order; return False if one failed, and with it the run."""
    context = StepContext(run)
    for step in run.steps.all():
        if step.finished_at:
            if restore := RESTORERS.get(step.name):
                restore(context, step.detail)
            continue
        _update_step(run, step, watch, status=Status.RUNNING, started_at=timezone.now())
        try:
            outcome = STEPS[step.name](context)
        except StepFailed as error:
            _fail_run(run, step, str(error), watch)
            return False
        except (LeaseLost, *DATABASE_OUTAGES):
            raise
        except BaseException as error:  # the queue ends a task at its time limit with a SystemExit
            _fail_run(run, step, describe_error(error), watch)
            raise
        _update_step(
            run,
            step,
            watch,
            status=outcome.status,
            summary=outcome.summary,
            detail=outcome.detail,
            finished_at=timezone.now(),
        )
    return True


def _update_step(run: PipelineRun, step: PipelineStep, watch: Watcher, **values: Any) -> None:
    """Save a step and renew the run's lease; raise LeaseLost if another worker owns the run."""
    for name, value in values.items():
        setattr(step, name, value)
    with transaction.atomic():
        if step.finished_at:
            record_progress(run)
        elif not PipelineRun.objects.renew(run):
            raise LeaseLost
        step.save(update_fields=list(values))
    if step.finished_at:
        logger.info("Step %d %s: %s; %s", step.number, step.name, step.status, step.error or step.summary)
    watch(step)


def _fail_run(run: PipelineRun, step: PipelineStep, error: str, watch: Watcher) -> None:
    _update_step(run, step, watch, status=Status.FAILED, error=error, finished_at=timezone.now())
    run.steps.filter(status=Status.PENDING).update(
        status=Status.SKIPPED, summary=f"not reached: {step.name} failed"
    )
    _finish_run(run, PipelineRun.Status.FAILED, f"{step.name}: {error}")


def _finish_run(run: PipelineRun, status: str, error: str = "") -> None:
    run.status, run.error, run.finished_at = status, error, timezone.now()
    if not PipelineRun.objects.owned_by(run).update(status=status, error=error, finished_at=run.finished_at):
        raise LeaseLost
    if error:
        logger.error("Pipeline run %s failed: %s", run, error)


def _release_after_outage(run: PipelineRun, error: Exception) -> None:
    """Release the lease after a database outage, with exponential backoff.

    If the database is still unavailable, the lease expires by itself.
    """
    logger.error("Pipeline run %s interrupted by a database outage, will be retried: %s", run, error)
    retry_at = timezone.now() + timedelta(seconds=backoff_delay(run.attempts))
    try:
        PipelineRun.objects.owned_by(run).update(
            token=None, lease_until=retry_at, redeliver_after=retry_at, error=f"interrupted: {error}"
        )
    except DATABASE_OUTAGES:
        logger.warning("Pipeline run %s keeps its lease until it expires", run)


def fail_abandoned(run: PipelineRun, error: str) -> bool:
    """Fail a run without a lease; return False if a worker has acquired it meanwhile, or it has ended."""
    failed = {"status": PipelineRun.Status.FAILED, "error": error, "finished_at": timezone.now()}
    with transaction.atomic():
        if not PipelineRun.objects.unleased().filter(pk=run.pk).update(**failed):
            return False
        run.steps.filter(status=Status.RUNNING).update(**failed | {"status": Status.FAILED})
        run.steps.filter(status=Status.PENDING).update(status=Status.SKIPPED, summary="not reached")
    logger.error("Pipeline run %s failed: %s", run, error)
    return True
