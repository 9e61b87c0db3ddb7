"""Regeneration: replace the unclaimed tickets of a mode and draw with a new batch.

The old tickets are purged once the new batch is ready, so the mode never runs out of stock.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from django.db import transaction

from predictions.draws.sources import upcoming_draw
from predictions.models import Prediction
from tickets.generation.generator import BatchTicketGenerator
from tickets.models import GenerationRun, TicketBatch
from tickets.models.policies import MAX_BATCH_SIZE, get_policy
from tickets.store.purge import PurgeCandidate, purge_candidates


@dataclass(frozen=True)
class Regeneration:
    mode: str
    draw_date: date
    prediction: Prediction
    size: int
    replaced: Sequence[PurgeCandidate]
    unfinished: Sequence[TicketBatch]  # not replaced


def plan_regeneration(mode: str, draw_date: date, size: int | None = None) -> Regeneration:
    """Plan a regeneration, by default of the stock or the mode's batch size, or raise ValueError."""
    policy, prediction = get_policy(mode), Prediction.objects.newest(mode, draw_date)
    if draw_date < upcoming_draw():
        raise ValueError(f"the draw of {draw_date} is over")
    if policy.paused:
        raise ValueError("it is paused")
    if prediction is None:
        raise ValueError(f"it has no prediction for {draw_date}; run the pipeline first")
    unfinished = list(TicketBatch.objects.unfinished().filter(mode=mode, draw_date=draw_date).order_by("id"))
    candidates = purge_candidates(mode=mode, draw_date=draw_date)
    replaced = [candidate for candidate in candidates if candidate.batch not in unfinished]
    in_stock = sum(candidate.tickets for candidate in replaced)
    return Regeneration(
        mode=mode,
        draw_date=draw_date,
        prediction=prediction,
        size=size or min(MAX_BATCH_SIZE, max(in_stock, policy.batch_size)),
        replaced=replaced,
        unfinished=unfinished,
    )


def regenerate(
    mode: str, draw_date: date, size: int | None, run_id: str
) -> tuple[GenerationRun, list[TicketBatch] | None]:
    """Create the run and return it with the batches to replace, or with None if it already exists.

    Raise ValueError as plan_regeneration does.
    """
    if run := GenerationRun.objects.filter(pipeline_run_id=run_id).first():
        return run, None
    plan = plan_regeneration(mode, draw_date, size)
    replaced = [candidate.batch for candidate in plan.replaced]
    with transaction.atomic():  # no worker may see the batch before `replaces` is set
        generator = BatchTicketGenerator(plan.size, [mode], auto_cleanup=False)
        result = generator.generate_batch(run_id, draw_date=draw_date)
        run = GenerationRun.objects.get(pk=result["generation_run_id"])
        if not result["created"]:
            return run, None
        TicketBatch.objects.filter(run=run, mode=mode).update(replaces=[batch.pk for batch in replaced])
    return run, replaced
