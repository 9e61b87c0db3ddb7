"""Who starts a batch: the end of a pipeline run."""

from typing import Any

from django.db import transaction

from predictions.models import PipelineRun
from predictions.signals import predictions_generated
from tickets.batch_generator import BatchTicketGenerator


def make_tickets(sender: type[PipelineRun], run: PipelineRun, **kwargs: Any) -> None:
    """Enqueue a batch of every mode of the run, for the draw it predicted; sent twice, made once."""
    with transaction.atomic():
        BatchTicketGenerator(modes=run.modes).generate_batch(
            pipeline_run_id=run.pipeline_run_id, draw_date=run.draw_date
        )


def connect() -> None:
    """Listen to the pipeline; called once, when the app is ready."""
    predictions_generated.connect(make_tickets, dispatch_uid="tickets.make_tickets")
