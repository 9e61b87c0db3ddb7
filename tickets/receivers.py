"""Who starts a batch: the end of a pipeline run. Who has it scored: the arrival of its draw."""

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


def make_tickets(sender: type[PipelineRun], run: PipelineRun, **kwargs: Any) -> None:
    """Enqueue a batch of every mode of the run, for the draw it predicted; sent twice, made once."""
    with log_ids(request=run.request_id), transaction.atomic():
        BatchTicketGenerator(modes=run.modes).generate_batch(
            pipeline_run_id=run.pipeline_run_id, draw_date=run.draw_date
        )


def enqueue_missing_batches() -> int:
    """Make the tickets of completed runs whose process died before the signal; returns how many runs.

    Only for draws still to come: tickets for a draw that is over are nobody's loss.
    """
    made = GenerationRun.objects.filter(pipeline_run_id=OuterRef("pipeline_run_id"), origin=Origin.GENERATED)
    completed = PipelineRun.objects.filter(
        status=PipelineRun.Status.COMPLETED, draw_date__gte=upcoming_draw()
    )
    missed = list(completed.exclude(Exists(made)))
    return sum(_resume(run) for run in missed)


def _resume(run: PipelineRun) -> bool:
    try:
        make_tickets(PipelineRun, run)
    except ValueError:
        logger.exception("the tickets of pipeline %s cannot be ordered", run)
        return False
    return True


def enqueue_scoring(sender: type[Draw], dates: Sequence[date], **kwargs: Any) -> None:
    """Enqueue the scoring of what is due; nothing where no batch is.

    That is more than the batches for these dates: one that was still being made when its draw came, or whose
    task was lost, is scored with the next draw that comes.
    """
    days = [draw.draw_date for draw in draws_to_score()]
    if not days:
        return
    # Named, for a task enqueued by a worker goes to that worker's own queue otherwise.
    async_task("tickets.tasks.score_draws", days, task_name="score draws", cluster=clusters.DEFAULT)
    logger.info("%d draws arrived; scoring of %s enqueued", len(dates), ", ".join(map(str, days)))


def connect() -> None:
    """Listen to the pipeline and to the imports; called once, when the app is ready."""
    predictions_generated.connect(make_tickets, dispatch_uid="tickets.make_tickets")
    draws_stored.connect(enqueue_scoring, dispatch_uid="tickets.enqueue_scoring")
