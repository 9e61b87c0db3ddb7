"""A mode made anew: one batch more, and when that is ready, the others' unclaimed tickets are purged.

Until then the old tickets are the stock, so the shelf is never empty, and whatever becomes of the new batch,
nothing is lost: one that fails or is cancelled replaces nothing, and tried again it replaces all the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from django.db import transaction

from predictions.draws.sources import upcoming_draw
from predictions.models import Prediction
from tickets.generation.generator import BatchTicketGenerator
from tickets.models import GenerationRun, TicketBatch
from tickets.models.policies import MAX_BATCH_SIZE, policy_of
from tickets.store.purge import PurgeCandidate, purge_candidates


@dataclass(frozen=True)
class Regeneration:
    """What a mode's tickets for a draw would be made of, how many, and which batches' would go for them."""

    mode: str
    draw_date: date
    law: Prediction
    size: int
    replaced: Sequence[PurgeCandidate]
    unfinished: Sequence[TicketBatch]  # still being made, so not replaced


def regeneration(mode: str, draw_date: date, size: int | None = None) -> Regeneration:
    """What would be done; ValueError with the reason where it cannot be.

    Without a size, as many as are in stock unclaimed, and at least as many as the mode's policy says.
    """
    policy, law = policy_of(mode), Prediction.objects.newest(mode, draw_date)
    if draw_date < upcoming_draw():
        raise ValueError(f"the draw of {draw_date} is over")
    if policy.paused:
        raise ValueError("it is paused")
    if law is None:
        raise ValueError(f"there is no prediction of it for {draw_date}; run the pipeline first")
    unfinished = list(TicketBatch.objects.unfinished().filter(mode=mode, draw_date=draw_date).order_by("id"))
    ended = [one for one in purge_candidates(mode=mode, draw_date=draw_date) if one.batch not in unfinished]
    in_stock = sum(one.tickets for one in ended)
    return Regeneration(
        mode=mode,
        draw_date=draw_date,
        law=law,
        size=size or min(MAX_BATCH_SIZE, max(in_stock, policy.batch_size)),
        replaced=ended,
        unfinished=unfinished,
    )


def regenerate(
    mode: str, draw_date: date, size: int | None, run_id: str
) -> tuple[GenerationRun, list[TicketBatch] | None]:
    """Order the new batch; its run and the batches it replaces, or None where the run exists already.

    ValueError with the reason where it cannot be made.
    """
    if run := GenerationRun.objects.filter(pipeline_run_id=run_id).first():
        return run, None
    asked = regeneration(mode, draw_date, size)
    replaced = [one.batch for one in asked.replaced]
    with transaction.atomic():  # so that no worker sees the batch before it knows what it replaces
        generator = BatchTicketGenerator(asked.size, [mode], auto_cleanup=False)
        result = generator.generate_batch(run_id, draw_date=draw_date)
        run = GenerationRun.objects.get(pk=result["generation_run_id"])
        if not result["created"]:
            return run, None
        TicketBatch.objects.filter(run=run, mode=mode).update(replaces=[one.pk for one in replaced])
    return run, replaced
