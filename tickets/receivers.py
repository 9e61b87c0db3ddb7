"""Who starts a batch: the end of a pipeline run."""

from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef

from predictions.draws import upcoming_draw
from predictions.models import PipelineRun
from predictions.signals import predictions_generated
from tickets.batch_generator import BatchTicketGenerator
from tickets.models import GenerationRun, Origin


def make_tickets(sender: type[PipelineRun], run: PipelineRun, **kwargs: Any) -> None:
    """Enqueue a batch of every mode of the run, for the draw it predicted; sent twice, made once."""
    with transaction.atomic():
        BatchTicketGenerator(modes=run.modes).generate_batch(
            pipeline_run_id=run.pipeline_run_id, draw_date=run.draw_date
        )


def resume_missed() -> int:
    """Make the tickets of completed runs whose process died before the signal; returns how many runs.

    Only for draws still to come: tickets for a draw that is over are nobody's loss.
    """
    made = GenerationRun.objects.filter(pipeline_run_id=OuterRef("pipeline_run_id"), origin=Origin.GENERATED)
    completed = PipelineRun.objects.filter(
        status=PipelineRun.Status.COMPLETED, draw_date__gte=upcoming_draw()
    )
    missed = list(completed.exclude(Exists(made)))
    for run in missed:
        make_tickets(PipelineRun, run)
    return len(missed)


def connect() -> None:
    """Listen to the pipeline; called once, when the app is ready."""
    predictions_generated.connect(make_tickets, dispatch_uid="tickets.make_tickets")
