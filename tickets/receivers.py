"""Signal receivers: pipeline runs start ticket batches, and new draws start their scoring."""

import logging
from collections.abc import Sequence
from datetime import date
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef
from django_q.tasks import async_task

from predictions.draws.sources import upcoming_draw
from predictions.models import Draw, PipelineRun
from predictions.signals import draws_stored, predictions_generated
from predictions.workqueue import clusters
from shiolplus.logs.context import log_ids
from tickets.generation.generator import BatchTicketGenerator
from tickets.models import GenerationRun, Origin
from tickets.scoring.scorer import draws_to_score

logger = logging.getLogger(__name__)


def enqueue_generation(sender: type[PipelineRun], run: PipelineRun, **kwargs: Any) -> None:
    """Enqueue one batch per mode of a pipeline run, unless it already has a generation run."""
    with log_ids(request=run.request_id), transaction.atomic():
        BatchTicketGenerator(modes=run.modes).generate_batch(
            pipeline_run_id=run.pipeline_run_id, draw_date=run.draw_date
        )


def enqueue_missing_batches() -> int:
    """Enqueue batches of completed pipeline runs whose signal was lost; return the number of runs.

    Runs for past draws are ignored.
    """
    generated = GenerationRun.objects.filter(
        pipeline_run_id=OuterRef("pipeline_run_id"), origin=Origin.GENERATED
    )
    completed = PipelineRun.objects.filter(
        status=PipelineRun.Status.COMPLETED, draw_date__gte=upcoming_draw()
    )
    resumed = 0
    for run in list(completed.exclude(Exists(generated))):
        try:
            enqueue_generation(PipelineRun, run)
            resumed += 1
        except ValueError:
            logger.exception("Tickets of pipeline run %s could not be enqueued", run)
    return resumed


def enqueue_scoring(sender: type[Draw], dates: Sequence[date], **kwargs: Any) -> None:
    """Enqueue the scoring of all due draws, including earlier ones that were missed."""
    days = [draw.draw_date for draw in draws_to_score()]
    if not days:
        return
    # Named, since a task enqueued inside a worker would otherwise go to that worker's own queue.
    async_task("tickets.tasks.score_draws", days, task_name="score draws", cluster=clusters.DEFAULT)
    logger.info("%d new draws; enqueued the scoring of %s", len(dates), ", ".join(map(str, days)))


def connect() -> None:
    predictions_generated.connect(enqueue_generation, dispatch_uid="tickets.enqueue_generation")
    draws_stored.connect(enqueue_scoring, dispatch_uid="tickets.enqueue_scoring")
