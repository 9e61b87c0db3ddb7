"""A pipeline run: accepted once, executed step by step, each step recorded; then the signal.

    data → analytics → evaluation → adaptive_weights → training → predictions → predictions_generated

A required step that fails stops the run, with its error and without the signal. One mode that fails is
recorded and the others go on. A run whose process was killed is taken up at the step that had not ended.
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
from predictions.powerball import check_ticket_day
from predictions.signals import predictions_generated, send_logged
from predictions.workqueue import clusters
from predictions.workqueue.leases import DATABASE_OUTAGES, LeaseLost, backoff_delay, lease_holder, renewing
from shiolplus.logs.context import current_request, log_ids
from shiolplus.logs.safe_text import describe_error

logger = logging.getLogger(__name__)

SOURCES = ("ny", "texas", "bundled", "none")


def accept_run(
    *,
    source: str,
    draw_date: date | None = None,
    modes: Sequence[str] | None = None,
    pipeline_run_id: str | None = None,
    enqueue: bool = True,
) -> tuple[PipelineRun, bool]:
    """Create a run with its six steps and, in the same transaction, enqueue it; (run, whether it is new).

    The same `pipeline_run_id` again gives the run that has it. ValueError on a bad value, or when that run
    was asked for another draw, source or modes.
    """
    wanted: dict[str, Any] = {
        "source": source,
        "draw_date": draw_date or upcoming_draw(),
        "modes": list(modes or MODE_NAMES),
    }
    _check_wanted(**wanted)
    run_id = new_run_id("pipeline") if pipeline_run_id is None else check_run_id(pipeline_run_id)
    noted = {"redeliver_after": lease_expiry(timezone.now()), "request_id": current_request()}
    with transaction.atomic():
        run, created = PipelineRun.objects.get_or_create(pipeline_run_id=run_id, defaults=wanted | noted)
        if not created:
            _check_same(run, wanted, ignore=[] if draw_date else ["draw_date"])
            return run, False
        PipelineStep.objects.bulk_create(
            PipelineStep(run=run, number=number, name=name) for number, name in enumerate(STEPS, start=1)
        )
        if enqueue:
            enqueue_run(run)
    with log_ids(run=run_id):
        logger.info("pipeline for the draw of %s is accepted", run.draw_date)
    return run, True


def enqueue_run(run: PipelineRun) -> None:
    """Send a task for the run; on the database broker it is a row of the caller's transaction."""
    async_task(
        "predictions.tasks.run_pipeline", run.pk, task_name=f"pipeline {run.pk}", cluster=clusters.HEAVY
    )


def _check_wanted(source: str, draw_date: date, modes: Sequence[str]) -> None:
    if source not in SOURCES:
        raise ValueError(f"source {source!r}: allowed are {', '.join(SOURCES)}")
    if unknown := [mode for mode in modes if mode not in MODE_NAMES]:
        raise ValueError(f"modes {', '.join(unknown)}: allowed are {', '.join(MODE_NAMES)}")
    check_ticket_day(draw_date)


def _check_same(run: PipelineRun, wanted: dict[str, Any], ignore: Sequence[str]) -> None:
    for name, value in wanted.items():
        if name not in ignore and getattr(run, name) != value:
            raise ValueError(
                f"pipeline_run_id {run.pipeline_run_id!r} is a run with {name} {getattr(run, name)}"
            )


Watcher = Callable[[PipelineStep], None]


def execute(run: PipelineRun, watch: Watcher = lambda step: None) -> bool:
    """Execute a run's steps in this process; False when another has it, or had it.

    `watch` is called after each change of a step. What is not a step's own failure is recorded and raised;
    an outage of the database is not the run's end: it is left to be taken up again.
    """
    if PipelineRun.objects.acquire(run.pk, lease_holder()) is None:
        logger.info("pipeline %s is another's or has ended; nothing is done twice", run)
        return False
    run.refresh_from_db()
    with log_ids(request=run.request_id, run=run.pipeline_run_id), renewing([run]):
        try:
            if _take_steps(run, watch):
                _end(run, PipelineRun.Status.COMPLETED)
                send_logged(predictions_generated, PipelineRun, f"pipeline {run}", run=run)
        except LeaseLost:
            logger.warning("pipeline %s was taken over by another", run)
        except DATABASE_OUTAGES as error:
            _release_after_outage(run, error)
    return True


def _take_steps(run: PipelineRun, watch: Watcher) -> bool:
    """Take the steps that have not ended, in order; False when one has failed, and with it the run."""
    work = StepContext(run)
    for step in run.steps.all():
        if step.finished_at:
            RESTORERS.get(step.name, _restore_nothing)(work, step.detail)
            continue
        _update_step(run, step, watch, status=Status.RUNNING, started_at=timezone.now())
        try:
            outcome = STEPS[step.name](work)
        except StepFailed as error:
            _fail(run, step, str(error), watch)
            return False
        except (LeaseLost, *DATABASE_OUTAGES):
            raise
        except BaseException as error:  # the queue ends a task that takes too long with a SystemExit
            _fail(run, step, describe_error(error), watch)
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


def _restore_nothing(work: StepContext, detail: dict[str, Any]) -> None:
    """What a step leaves that leaves nothing for the next."""


def _update_step(run: PipelineRun, step: PipelineStep, watch: Watcher, **values: Any) -> None:
    """Write a step, if the run is still ours."""
    for name, value in values.items():
        setattr(step, name, value)
    with transaction.atomic():
        if step.finished_at:
            record_progress(run)
        elif not PipelineRun.objects.renew(run):
            raise LeaseLost
        step.save(update_fields=list(values))
    if step.finished_at:
        logger.info("step %d %s: %s; %s", step.number, step.name, step.status, step.error or step.summary)
    watch(step)


def _fail(run: PipelineRun, step: PipelineStep, error: str, watch: Watcher) -> None:
    _update_step(run, step, watch, status=Status.FAILED, error=error, finished_at=timezone.now())
    run.steps.filter(status=Status.PENDING).update(
        status=Status.SKIPPED, summary=f"not reached: {step.name} failed"
    )
    _end(run, PipelineRun.Status.FAILED, f"{step.name}: {error}")


def _end(run: PipelineRun, status: str, error: str = "") -> None:
    run.status, run.error, run.finished_at = status, error, timezone.now()
    if not PipelineRun.objects.owned_by(run).update(status=status, error=error, finished_at=run.finished_at):
        raise LeaseLost
    if error:
        logger.error("pipeline %s failed: %s", run, error)


def _release_after_outage(run: PipelineRun, error: Exception) -> None:
    """Let go of a run that met an outage, to be taken up after a while; if not even that can be written,
    the lease runs out.
    """
    logger.error("pipeline %s met an outage of the database and is taken up again: %s", run, error)
    later = timezone.now() + timedelta(seconds=backoff_delay(run.attempts))
    try:
        PipelineRun.objects.owned_by(run).update(
            token=None, lease_until=later, redeliver_after=later, error=f"interrupted: {error}"
        )
    except DATABASE_OUTAGES:
        logger.warning("pipeline %s keeps its lease until it runs out", run)


def fail_abandoned(run: PipelineRun, error: str) -> bool:
    """Fail a run that is nobody's; False when somebody has taken it meanwhile, or it has ended."""
    with transaction.atomic():
        if (
            not PipelineRun.objects.unleased()
            .filter(pk=run.pk)
            .update(status=PipelineRun.Status.FAILED, error=error, finished_at=timezone.now())
        ):
            return False
        run.steps.filter(status=Status.RUNNING).update(
            status=Status.FAILED, error=error, finished_at=timezone.now()
        )
        run.steps.filter(status=Status.PENDING).update(status=Status.SKIPPED, summary="not reached")
    logger.error("pipeline %s failed: %s", run, error)
    return True
