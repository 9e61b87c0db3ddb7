"""Make one TicketBatch: win it, draw its tickets chunk by chunk, finish it with its reason.

Chunk i is a pure function of the row (prediction, seed, counts, chunk size) and of no table. A ticket that
exists already for its draw, be it from another batch or an earlier place of this one, is refused by the
table, drawn again by the same component from a stream of its own, and says so in its metadata:
{"place": j, "round": r}. So a batch can be made again, ticket for ticket.
"""

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property

import numpy as np
from django.db import transaction
from django.db.models import F
from django.utils import timezone
from numpy.typing import NDArray

from predictions.confidence import ConfidenceScale, scale_of
from predictions.distribution import components_from_json
from predictions.log_ids import log_ids
from predictions.sampling import SAMPLER_VERSION, Tickets, component_order, draw_tickets, generator_for
from tickets.models import GenerationRun, Origin, TicketBatch
from tickets.store import TicketRow, clear_old_batch_tickets, insert_rows

logger = logging.getLogger(__name__)

MAX_ROUNDS = 50  # of replacing tickets that exist already; then the draw's tickets are all but used up

Watcher = Callable[[TicketBatch], None]


class GenerationError(Exception):
    """A batch that cannot be made, with the reason for people."""


class Lost(Exception):
    """The batch is no longer ours: it was cancelled, or finished elsewhere."""


class Recipe:
    """What a batch's row says of its tickets, and nothing else."""

    def __init__(self, batch: TicketBatch) -> None:
        if batch.prediction is None or batch.seed is None:
            raise GenerationError(f"{batch.mode} has no prediction for the draw of {batch.draw_date}")
        if batch.sampler_version != SAMPLER_VERSION:
            raise GenerationError(
                f"the batch was planned for sampler version {batch.sampler_version}; "
                f"this is version {SAMPLER_VERSION}"
            )
        self.batch = batch
        self.seed = batch.seed
        try:
            self.components = components_from_json(batch.prediction.components)
        except ValueError as error:
            raise GenerationError(f"the prediction of {batch.mode} is broken: {error}") from error
        self.order = component_order(batch.component_counts, self.seed)

    @cached_property
    def scales(self) -> list[ConfidenceScale]:
        return [scale_of(component) for component in self.components]

    def chunks(self) -> Iterator[tuple[int, NDArray[np.int64]]]:
        """Each chunk's number and the places of its tickets in the batch."""
        size = self.batch.chunk_size
        for number, first in enumerate(range(0, self.batch.requested, size)):
            yield number, np.arange(first, min(first + size, self.batch.requested))

    def rows(self, chunk: int, places: NDArray[np.int64], number: int) -> list[TicketRow]:
        """The tickets of some places in round `number`: 0 for the first draw, then the replacements."""
        makers = self.order[places]
        tickets = draw_tickets(self.components, makers, generator_for(self.seed, chunk, number))
        confidences = self._confidences(tickets, makers)
        return [
            TicketRow(
                balls[:5],
                balls[5],
                confidence,
                self.components[maker].strategy,
                json.dumps({"place": place, "round": number}) if number else None,
            )
            for balls, confidence, maker, place in zip(
                tickets.tolist(), confidences.tolist(), makers.tolist(), places.tolist(), strict=True
            )
        ]

    def _confidences(self, tickets: Tickets, makers: NDArray[np.uint8]) -> NDArray[np.float64]:
        confidences = np.empty(len(tickets))
        for index in np.unique(makers):
            made = makers == index
            confidences[made] = self.scales[index].of(tickets[made])
        return confidences


def make_batch(batch_pk: int, watch: Watcher = lambda batch: None) -> bool:
    """Make a queued batch; False when somebody else has it or had it. `watch` is called after each chunk.

    Every end is recorded on the row. Only what must stop the process, such as the queue's time limit, is
    raised again.
    """
    won = TicketBatch.objects.filter(pk=batch_pk, status=TicketBatch.Status.QUEUED).update(
        status=TicketBatch.Status.RUNNING, started_at=timezone.now(), attempts=F("attempts") + 1
    )
    if not won:
        logger.info("batch %d is not queued (any more); nothing is done twice", batch_pk)
        return False
    batch = TicketBatch.objects.select_related("run", "prediction").get(pk=batch_pk)
    with log_ids(run=batch.run.pipeline_run_id, batch=batch.pk):
        _make(batch, watch)
    return True


def _make(batch: TicketBatch, watch: Watcher) -> None:
    try:
        _fill(batch, watch)
    except Lost:
        logger.warning("batch %d of %s was taken away while it was made", batch.pk, batch.mode)
    except GenerationError as error:
        finish_batch(batch, TicketBatch.Status.FAILED, str(error))
    except Exception as error:
        logger.exception("batch %d of %s broke", batch.pk, batch.mode)
        finish_batch(batch, TicketBatch.Status.FAILED, f"{type(error).__name__}: {error}")
    except BaseException as error:
        finish_batch(batch, TicketBatch.Status.FAILED, f"stopped: {type(error).__name__} {error}".strip())
        raise
    else:
        finish_batch(batch, TicketBatch.Status.READY)


def _fill(batch: TicketBatch, watch: Watcher) -> None:
    if batch.run.auto_cleanup and batch.run.cleanup_days:
        deleted = clear_old_batch_tickets(batch.run.cleanup_days, batch.mode)
        logger.info("%s: %d tickets older than %d days deleted", batch.mode, deleted, batch.run.cleanup_days)
    recipe = Recipe(batch)
    for chunk, places in recipe.chunks():
        if places[0] >= batch.generated:  # earlier chunks were committed by an earlier attempt
            _store_chunk(batch, recipe, chunk, places)
            batch.refresh_from_db(fields=["generated", "stored", "replaced", "status"])
            watch(batch)


def _store_chunk(batch: TicketBatch, recipe: Recipe, chunk: int, places: NDArray[np.int64]) -> None:
    """One transaction: the chunk's tickets, the replacements they need, and the batch's counts."""
    rows = recipe.rows(chunk, places, 0)
    created_at = timezone.now()
    with transaction.atomic():
        # First of all, so that PostgreSQL locks the row: a batch cancelled meanwhile gets no more tickets.
        ours = TicketBatch.objects.filter(pk=batch.pk, status=TicketBatch.Status.RUNNING)
        if not ours.update(attempts=F("attempts")):
            raise Lost
        replaced, number = 0, 0
        while refused := insert_rows(batch, rows, created_at):
            number += 1
            if number > MAX_ROUNDS:
                raise GenerationError(
                    f"{len(refused)} of {len(places)} tickets of chunk {chunk} exist already for "
                    f"{batch.draw_date} after {MAX_ROUNDS} tries"
                )
            replaced += len(refused) if number == 1 else 0
            places = places[refused]
            rows = recipe.rows(chunk, places, number)
        if replaced:
            ours.update(replaced=F("replaced") + replaced)


def finish_batch(batch: TicketBatch, status: str, error: str = "") -> None:
    """Record a batch's end and, with the last of them, the run's."""
    with transaction.atomic():
        run = GenerationRun.objects.select_for_update().get(pk=batch.run_id)
        TicketBatch.objects.filter(pk=batch.pk, status__in=TicketBatch.UNFINISHED).update(
            status=status, error=error, finished_at=timezone.now()
        )
        finish_run(run)
    if error:
        logger.error("batch %d of %s failed: %s", batch.pk, batch.mode, error)
    else:
        logger.info("batch %d of %s is %s", batch.pk, batch.mode, status)


def finish_run(run: GenerationRun) -> None:
    """Give a run its final state once none of its batches is unfinished; in the caller's transaction."""
    batches = list(run.batches.filter(origin=Origin.GENERATED).values_list("mode", "status", "error"))
    if any(status in TicketBatch.UNFINISHED for _, status, _ in batches):
        return
    run.status = _run_status([status for _, status, _ in batches])
    run.error = "; ".join(f"{mode}: {error}" for mode, _, error in batches if error)
    run.finished_at = timezone.now()
    run.save(update_fields=["status", "error", "finished_at"])


def _run_status(batches: Sequence[str]) -> str:
    ends = set(batches)
    if ends == {TicketBatch.Status.READY}:
        return GenerationRun.Status.COMPLETED
    if TicketBatch.Status.READY in ends:
        return GenerationRun.Status.PARTIAL
    if ends == {TicketBatch.Status.CANCELLED}:
        return GenerationRun.Status.CANCELLED
    return GenerationRun.Status.FAILED
