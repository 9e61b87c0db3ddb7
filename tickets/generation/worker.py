"""Make one TicketBatch: take it, draw its tickets chunk by chunk, finish it with its reason.

Chunk i is a pure function of the row (prediction, seed, counts, chunk size) and of no table. A ticket that
exists already for its draw, be it from another batch or an earlier place of this one, is refused by the
table, drawn again by the same component from a stream of its own, and says so in its metadata:
{"place": j, "round": r}. So a batch can be made again, ticket for ticket, and one whose process was killed
goes on at its last committed chunk as if nothing had been.
"""

import json
import logging
import time
from collections.abc import Callable, Iterator
from functools import cached_property

import numpy as np
from django.db import transaction
from django.db.models import F
from django.utils import timezone
from numpy.typing import NDArray

from predictions.distributions.components import components_from_json
from predictions.distributions.confidence import ConfidenceScale, scale_of
from predictions.distributions.sampling import (
    SAMPLER_VERSION,
    Tickets,
    component_order,
    draw_tickets,
    generator_for,
)
from predictions.workqueue import clusters
from predictions.workqueue.leases import DATABASE_OUTAGES, LeaseLost, lease_holder
from shiolplus.logs.context import log_ids
from shiolplus.logs.safe_text import describe_error
from tickets.generation.lifecycle import finish_batch, requeue, requeue_with_backoff
from tickets.models import TicketBatch
from tickets.store import TicketRow, clear_old_batch_tickets, insert_rows
from tickets.store.insertion import refresh_statistics
from tickets.store.write_ahead_log import truncate_log

logger = logging.getLogger(__name__)

SLICE_SECONDS = 60  # a task makes tickets for so long and leaves the rest to another: see the queue's timeout
MAX_ROUNDS = 50  # of replacing tickets that exist already; then the draw's tickets are all but used up

Watcher = Callable[[TicketBatch], None]


class GenerationError(Exception):
    """A batch that cannot be made, with the reason for people."""


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
    def confidence_scales(self) -> list[ConfidenceScale]:
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
            confidences[made] = self.confidence_scales[index].of(tickets[made])
        return confidences


def run_next_batch() -> int | None:
    """Make a slice of the batch that is next: of those to be had, the highest priority, then the oldest.

    Its key; None when there is none, or others took them all.
    """
    free = TicketBatch.objects.generated().unleased().filter(attempts__lt=TicketBatch.MAX_ATTEMPTS)
    for pk in free.order_by("-priority", "id").values_list("pk", flat=True):
        if run_batch(pk, seconds=SLICE_SECONDS):
            return pk
    return None


def run_batch(batch_pk: int, watch: Watcher = lambda batch: None, seconds: float | None = None) -> bool:
    """Make a batch, or what `seconds` allow of it; False when somebody else has it, or it has ended.

    `watch` is called after each chunk. Every end is recorded on the row: an outage of the database, or the
    queue's time limit, is not one, so the batch is taken up again. Only what must stop the process is raised.
    """
    if TicketBatch.objects.acquire(batch_pk, lease_holder()) is None:
        logger.info("batch %d is another's or has ended; nothing is done twice", batch_pk)
        return False
    batch = TicketBatch.objects.select_related("run", "prediction").get(pk=batch_pk)
    until = None if seconds is None else time.monotonic() + seconds
    with log_ids(request=batch.run.request_id, run=batch.run.pipeline_run_id, batch=batch.pk):
        _make(batch, watch, until)
    _truncate_log()
    return True


def _truncate_log() -> None:
    """Shrink SQLite's log after a batch; one that cannot be shrunk now is left to the watchdog."""
    try:
        truncate_log()
    except DATABASE_OUTAGES as error:
        logger.warning("SQLite's write-ahead log is not truncated now: %s", error)


def _make(batch: TicketBatch, watch: Watcher, until: float | None) -> None:
    try:
        _fill_and_finish(batch, watch, until)
    except LeaseLost:
        logger.warning("batch %d of %s was taken away while it was made", batch.pk, batch.mode)
    except DATABASE_OUTAGES as error:
        requeue_with_backoff(batch, describe_error(error))
    except SystemExit as error:  # also what the queue raises when a task takes too long
        requeue_with_backoff(batch, f"stopped: {type(error).__name__} {error}".strip())
        raise


def _fill_and_finish(batch: TicketBatch, watch: Watcher, until: float | None) -> None:
    try:
        if not _generate_chunks(batch, watch, until):
            requeue(batch)
            return
    except GenerationError as error:
        finish_batch(batch, TicketBatch.Status.FAILED, str(error))
    except (LeaseLost, *DATABASE_OUTAGES):
        raise
    except Exception as error:
        logger.exception("batch %d of %s broke", batch.pk, batch.mode)
        finish_batch(batch, TicketBatch.Status.FAILED, describe_error(error))
    except KeyboardInterrupt:
        finish_batch(batch, TicketBatch.Status.FAILED, "stopped: KeyboardInterrupt")
        raise
    else:
        finish_batch(batch, TicketBatch.Status.READY)


def _generate_chunks(batch: TicketBatch, watch: Watcher, until: float | None) -> bool:
    """Store the chunks that are not stored yet; False when the time is over before the last."""
    if not batch.generated:
        _clean_up(batch, until)
    recipe = Recipe(batch)
    for chunk, places in recipe.chunks():
        if places[0] < batch.generated:
            continue  # committed by an earlier attempt
        if until is not None and (time.monotonic() >= until or clusters.is_stopping()):
            return False
        _store_chunk(batch, recipe, chunk, places)
        refresh_statistics(chunk + 1)
        batch.refresh_from_db(fields=["generated", "stored", "replaced", "status", "rate"])
        watch(batch)
    return True


def _clean_up(batch: TicketBatch, until: float | None) -> None:
    """Delete the mode's old tickets, as the run was asked to, for as long as the slice lasts."""
    days = batch.run.policy.get(batch.mode, {}).get("cleanup_days", batch.run.cleanup_days)
    if not batch.run.auto_cleanup or days is None:
        return

    def renew(deleted: int) -> None:
        if not TicketBatch.objects.renew(batch, attempts=1):
            raise LeaseLost

    deleted = clear_old_batch_tickets(days, batch.mode, watch=renew, until=until)
    logger.info("%s: %d tickets older than %d days deleted", batch.mode, deleted, days)


def _store_chunk(batch: TicketBatch, recipe: Recipe, chunk: int, places: NDArray[np.int64]) -> None:
    """One transaction: the chunk's tickets, the replacements they need, and the batch's counts."""
    started, size = time.monotonic(), len(places)
    rows = recipe.rows(chunk, places, 0)
    created_at = timezone.now()
    with transaction.atomic():
        # First of all, so that PostgreSQL locks the row: a batch cancelled meanwhile gets no more tickets.
        # The chunk is progress, so attempts count anew with this one.
        if not TicketBatch.objects.renew(batch, attempts=1):
            raise LeaseLost
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
        TicketBatch.objects.filter(pk=batch.pk).update(
            replaced=F("replaced") + replaced, rate=size / (time.monotonic() - started)
        )
