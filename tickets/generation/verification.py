"""Verification: generate a batch again in memory and compare it with the stored tickets."""

import json
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tickets.generation.worker import GenerationError, Recipe
from tickets.models import Origin, PreGeneratedTicket, TicketBatch


@dataclass
class Verification:
    equal: int = 0  # stored as first sampled
    replaced: int = 0  # stored as the recorded replacement of a ticket that already existed
    missing: int = 0  # sampled, but no longer (or not yet) in the table
    unexplained: int = 0  # in the table, but not in the recipe

    @property
    def is_reproducible(self) -> bool:
        return not self.missing and not self.unexplained

    def summary(self) -> str:
        return (
            f"{self.equal} equal, {self.replaced} replaced, {self.missing} missing, "
            f"{self.unexplained} unexplained"
        )


# Maps the numbers to confidence, strategy and metadata.
StoredTickets = dict[tuple[int, ...], tuple[float, str | None, str | None]]


def verify_batch(batch: TicketBatch) -> Verification:
    """Compare a batch's stored tickets with its recipe. Raise GenerationError if it has none."""
    if batch.origin != Origin.GENERATED:
        raise GenerationError("its tickets were inserted, not generated from a prediction")
    recipe = Recipe(batch)
    fields = ("n1", "n2", "n3", "n4", "n5", "powerball", "confidence_score", "strategy_used", "metadata")
    rows = PreGeneratedTicket.objects.of_batch(batch).order_by().values_list(*fields)
    stored: StoredTickets = {row[:6]: row[6:] for row in rows.iterator()}
    replacements = [json.loads(metadata) for _, _, metadata in stored.values() if metadata]
    replacement_rounds = {record["place"]: record["round"] for record in replacements}
    verification = Verification()
    for chunk, indices in recipe.chunks():
        if indices[0] < batch.generated:
            _verify_chunk(verification, recipe, chunk, indices, stored, replacement_rounds)
    verification.unexplained = len(stored)
    return verification


def _verify_chunk(
    verification: Verification,
    recipe: Recipe,
    chunk: int,
    indices: NDArray[np.int64],
    stored: StoredTickets,
    replacement_rounds: dict[int, int],
) -> None:
    """Count a chunk's tickets round by round, removing matches from `stored`."""
    round_number = 0
    while len(indices):
        rows = recipe.rows(chunk, indices, round_number)
        is_replaced = np.array([replacement_rounds.get(int(index), 0) > round_number for index in indices])
        for row, replaced in zip(rows, is_replaced, strict=True):
            if replaced:
                continue
            numbers = (*row.white_balls, row.powerball)
            if stored.get(numbers) != (row.confidence, row.strategy, row.metadata):
                verification.missing += 1
                continue
            del stored[numbers]
            if round_number:
                verification.replaced += 1
            else:
                verification.equal += 1
        indices, round_number = indices[is_replaced], round_number + 1
