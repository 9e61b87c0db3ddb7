"""Run ticket batches: sample and store their tickets chunk by chunk.

Chunk i is a pure function of the batch row, so a batch is reproducible and resumes after its last committed
chunk. A ticket that already exists for its draw is replaced by the same component from a separate random
stream; its metadata records {"place": index in the batch, "round": r}.
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
from predictions.distributions.confidence import ConfidenceScale, confidence_scale
from predictions.distributions.sampling import (
    SAMPLER_VERSION,
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

SLICE_SECONDS = 60  # per task, well below the queue's timeout; the next task continues the batch
MAX_ROUNDS = 50  # of replacements; beyond that, the draw's tickets are almost exhausted

Watcher = Callable[[TicketBatch], None]


class GenerationError(Exception):
    """A batch cannot be generated; the message is shown to staff."""


class Recipe:
    """The tickets that a batch row defines. Raise GenerationError if it is incomplete or outdated."""

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
            raise GenerationError(f"the prediction of {batch.mode} is invalid: {error}") from error
        self.order = component_order(batch.component_counts, self.seed)

    @cached_property
    def confidence_scales(self) -> list[ConfidenceScale]:
        return [confidence_scale(component) for component in self.components]

    def chunks(self, start: int = 0) -> Iterator[tuple[int, NDArray[np.int64]]]:
        """Yield the number and ticket indices of each chunk that begins at or after `start`."""
        size = self.batch.chunk_size
        for chunk, first in enumerate(range(0, self.batch.requested, size)):
            if first >= start:
                yield chunk, np.arange(first, min(first + size, self.batch.requested))

    def rows(self, chunk: int, indices: NDArray[np.int64], round_number: int) -> list[TicketRow]:
        """Return the tickets at these indices; rounds after 0 are replacements."""
        component_indices = self.order[indices]
        random = generator_for(self.seed, chunk, round_number)
        tickets = draw_tickets(self.components, component_indices, random)
        confidences = np.empty(len(tickets))
        for component_index in np.unique(component_indices):
            mask = component_indices == component_index
            confidences[mask] = self.confidence_scales[component_index].of(tickets[mask])
        return [
            TicketRow(
                balls[:5],
                balls[5],
                confidence,
                self.components[component_index].strategy,
                json.dumps({"place": index, "round": round_number}) if round_number else None,
            )
            for balls, confidence, component_index, index in zip(
                tickets.tolist(),
                confidences.tolist(),
                component_indices.tolist(),
                indices.tolist(),
                strict=True,
            )
        ]


def run_next_batch() -> int | None:
    """Run a time slice of the oldest unleased batch of the highest priority, and return its key."""
    unleased = TicketBatch.objects.generated().unleased().filter(attempts__lt=TicketBatch.MAX_ATTEMPTS)
    for pk in unleased.order_by("-priority", "id").values_list("pk", flat=True):
        if run_batch(pk, seconds=SLICE_SECONDS):
            return pk
    return None


def run_batch(batch_pk: int, watch: Watcher = lambda batch: None, seconds: float | None = None) -> bool:
    """Run a batch for at most `seconds`, calling `watch` after each chunk.

    Return False if it has finished or is leased by another worker. A database outage or the queue's time
    limit requeues it.
    """
    if TicketBatch.objects.acquire(batch_pk, lease_holder()) is None:
        logger.info("Batch %d has finished or is leased by another worker", batch_pk)
        return False
    batch = TicketBatch.objects.select_related("run", "prediction").get(pk=batch_pk)
    deadline = None if seconds is None else time.monotonic() + seconds
    with log_ids(request=batch.run.request_id, run=batch.run.pipeline_run_id, batch=batch.pk):
        try:
            generate_chunks(batch, watch, deadline)
        except LeaseLost:
            logger.warning("Batch %d (%s) was taken over by another worker", batch.pk, batch.mode)
        except DATABASE_OUTAGES as error:
            requeue_with_backoff(batch, describe_error(error))
        except SystemExit as error:  # also raised by the queue's time limit
            requeue_with_backoff(batch, f"stopped: {type(error).__name__} {error}".strip())
            raise
    try:
        truncate_log()
    except DATABASE_OUTAGES as error:  # the watchdog tries again
        logger.warning("The write-ahead log could not be truncated: %s", error)
    return True


def generate_chunks(batch: TicketBatch, watch: Watcher, deadline: float | None) -> None:
    """Store the missing chunks and mark the batch as ready or failed; at the deadline, requeue it.

    Raise LeaseLost and database outages.
    """
    try:
        delete_expired_tickets(batch, deadline)
        recipe = Recipe(batch)
        for chunk, indices in recipe.chunks(batch.generated):
            if deadline is not None and (time.monotonic() >= deadline or clusters.is_stopping()):
                requeue(batch)
                return
            store_chunk(batch, recipe, chunk, indices)
            refresh_statistics(chunk + 1)
            batch.refresh_from_db(fields=["generated", "stored", "replaced", "status", "rate"])
            watch(batch)
    except (LeaseLost, *DATABASE_OUTAGES):
        raise
    except GenerationError as error:
        finish_batch(batch, TicketBatch.Status.FAILED, str(error))
    except Exception as error:
        logger.exception("Batch %d (%s) raised an unexpected error", batch.pk, batch.mode)
        finish_batch(batch, TicketBatch.Status.FAILED, describe_error(error))
    except KeyboardInterrupt:
        finish_batch(batch, TicketBatch.Status.FAILED, "stopped: KeyboardInterrupt")
        raise
    else:
        finish_batch(batch, TicketBatch.Status.READY)


def delete_expired_tickets(batch: TicketBatch, deadline: float | None) -> None:
    """Delete the mode's expired tickets before the first chunk."""
    days = batch.run.policy.get(batch.mode, {}).get("cleanup_days", batch.run.cleanup_days)
    if batch.generated or not batch.run.auto_cleanup or days is None:
        return

    def renew(deleted: int) -> None:
        if not TicketBatch.objects.renew(batch, attempts=1):
            raise LeaseLost

    deleted = clear_old_batch_tickets(days, batch.mode, watch=renew, until=deadline)
    logger.info("Deleted %d %s tickets older than %d days", deleted, batch.mode, days)


def store_chunk(batch: TicketBatch, recipe: Recipe, chunk: int, indices: NDArray[np.int64]) -> None:
    """Store a chunk, its replacements and the batch's progress in one transaction."""
    started, size = time.monotonic(), len(indices)
    rows = recipe.rows(chunk, indices, 0)
    created_at = timezone.now()
    with transaction.atomic():
        # First, to lock the row: a cancelled batch must not get more tickets. Progress resets the attempts.
        if not TicketBatch.objects.renew(batch, attempts=1):
            raise LeaseLost
        replaced, round_number = 0, 0
        while rejected := insert_rows(batch, rows, created_at):
            round_number += 1
            if round_number > MAX_ROUNDS:
                raise GenerationError(
                    f"{len(rejected)} of {len(indices)} tickets of chunk {chunk} already exist for "
                    f"{batch.draw_date} after {MAX_ROUNDS} rounds of replacements"
                )
            replaced += len(rejected) if round_number == 1 else 0
            indices = indices[rejected]
            rows = recipe.rows(chunk, indices, round_number)
        TicketBatch.objects.filter(pk=batch.pk).update(
            replaced=F("replaced") + replaced, rate=size / (time.monotonic() - started)
        )
