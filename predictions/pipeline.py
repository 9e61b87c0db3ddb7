"""A pipeline run: accepted once, executed step by step, each step recorded; then the signal.

    data → analytics → evaluation → adaptive_weights → training → predictions → predictions_generated

A required step that fails stops the run, with its error and without the signal. One mode that fails is
recorded and the others go on.
"""

import logging
from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

from django.db import transaction
from django.utils import timezone
from django_q.tasks import async_task

from predictions import clusters
from predictions.draws import upcoming_draw
from predictions.log_ids import log_ids
from predictions.models import PipelineRun, PipelineStep, check_run_id, new_run_id
from predictions.modes import MODE_NAMES
from predictions.powerball import check_ticket_day
from predictions.signals import predictions_generated
from predictions.steps import STEPS, Status, StepFailed, Work

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
    with transaction.atomic():
        run, created = PipelineRun.objects.get_or_create(pipeline_run_id=run_id, defaults=wanted)
        if not created:
            _check_same(run, wanted, ignore=[] if draw_date else ["draw_date"])
            return run, False
        PipelineStep.objects.bulk_create(
            PipelineStep(run=run, number=number, name=name) for number, name in enumerate(STEPS, start=1)
        )
        if enqueue:
            async_task("predictions.tasks.run_pipeline", run.pk, cluster=clusters.HEAVY)
    return run, True


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
    """Execute a run's steps in this process; False when someone else has started it already.

    `watch` is called after each change of a step. What is not a step's own failure is recorded and raised.
    """
    won = (
        PipelineRun.objects.unfinished().filter(pk=run.pk, started_at=None).update(started_at=timezone.now())
    )
    if not won:
        logger.info("pipeline %s was started before; nothing is done twice", run)
        return False
    with log_ids(run=run.pipeline_run_id):
        if _take_steps(run, watch):
            _finish(run, PipelineRun.Status.COMPLETED)
            _send(run)
    return True


def _take_steps(run: PipelineRun, watch: Watcher) -> bool:
    """Take the six steps in order; False when one has failed, and with it the run."""
    work = Work(run)
    for step in run.steps.all():
        _set(step, watch, status=Status.RUNNING, started_at=timezone.now())
        try:
            outcome = STEPS[step.name](work)
        except StepFailed as error:
            _fail(run, step, str(error), watch)
            return False
        except BaseException as error:  # the queue ends a task that takes too long with a SystemExit
            _fail(run, step, f"{type(error).__name__}: {error}", watch)
            raise
        _set(
            step,
            watch,
            status=outcome.status,
            summary=outcome.summary,
            detail=outcome.detail,
            finished_at=timezone.now(),
        )
    return True


def _set(step: PipelineStep, watch: Watcher, **values: Any) -> None:
    for name, value in values.items():
        setattr(step, name, value)
    step.save(update_fields=list(values))
    if step.finished_at:
        logger.info("step %d %s: %s; %s", step.number, step.name, step.status, step.error or step.summary)
    watch(step)


def _fail(run: PipelineRun, step: PipelineStep, error: str, watch: Watcher) -> None:
    _set(step, watch, status=Status.FAILED, error=error, finished_at=timezone.now())
    run.steps.filter(status=Status.PENDING).update(
        status=Status.SKIPPED, summary=f"not reached: {step.name} failed"
    )
    _finish(run, PipelineRun.Status.FAILED, f"{step.name}: {error}")


def _finish(run: PipelineRun, status: str, error: str = "") -> None:
    run.status, run.error, run.finished_at = status, error, timezone.now()
    run.save(update_fields=["status", "error", "finished_at"])
    if error:
        logger.error("pipeline %s failed: %s", run, error)


def _send(run: PipelineRun) -> None:
    """Tell whoever listens; their trouble is logged and is not the pipeline's."""
    for receiver, answer in predictions_generated.send_robust(sender=PipelineRun, run=run):
        if isinstance(answer, Exception):
            logger.error("%s failed on pipeline %s", receiver.__qualname__, run, exc_info=answer)
