"""Proof that a batch is reproducible: make it again in memory and compare it with the table."""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tickets.generation.worker import GenerationError, Recipe
from tickets.models import Origin, PreGeneratedTicket, TicketBatch
from tickets.store import TicketRow


@dataclass
class Verification:
    """How a batch's stored tickets compare with its recipe."""

    equal: int = 0  # stored as first drawn
    replaced: int = 0  # stored as the recorded replacement of a ticket that existed already
    missing: int = 0  # drawn, but no longer (or not yet) in the table
    unexplained: int = 0  # in the table, but the recipe does not make it

    @property
    def is_reproducible(self) -> bool:
        """Whether every ticket ever stored is in the table and is the one the recipe makes."""
        return not self.missing and not self.unexplained

    def summary(self) -> str:
        return (
            f"{self.equal} equal, {self.replaced} replaced, {self.missing} missing, "
            f"{self.unexplained} unexplained"
        )


# What the table holds of a ticket, by its numbers: (confidence, strategy, metadata).
StoredTickets = dict[tuple[int, ...], tuple[float, str | None, str | None]]


def verify_batch(batch: TicketBatch) -> Verification:
    """Compare a generated batch with its recipe; GenerationError when it has none."""
    if batch.origin != Origin.GENERATED:
        raise GenerationError("its tickets were handed in, not drawn from a prediction")
    recipe = Recipe(batch)
    stored = _stored(batch)
    replacements = _replacements(stored)
    verification = Verification()
    for chunk, places in recipe.chunks():
        if places[0] < batch.generated:
            _verify_chunk(verification, recipe, chunk, places, stored, replacements)
    verification.unexplained = len(stored)
    return verification


def _stored(batch: TicketBatch) -> StoredTickets:
    fields = ("n1", "n2", "n3", "n4", "n5", "powerball", "confidence_score", "strategy_used", "metadata")
    rows = PreGeneratedTicket.objects.of_batch(batch).order_by().values_list(*fields)
    return {row[:6]: row[6:] for row in rows.iterator()}


def _replacements(stored: StoredTickets) -> dict[int, int]:
    """The round that filled a place, for the places that were drawn again."""
    records: list[dict[str, Any]] = [json.loads(text) for _, _, text in stored.values() if text]
    return {record["place"]: record["round"] for record in records}


def _verify_chunk(
    verification: Verification,
    recipe: Recipe,
    chunk: int,
    places: NDArray[np.int64],
    stored: StoredTickets,
    replacements: dict[int, int],
) -> None:
    """Take out of `stored` what the recipe makes for a chunk, round by round."""
    number = 0
    while len(places):
        rows = recipe.rows(chunk, places, number)
        filled_later = np.array([replacements.get(int(place), 0) > number for place in places])
        for row, later in zip(rows, filled_later, strict=True):
            if later:
                continue
            if not _pop_match(stored, row):
                verification.missing += 1
            elif number:
                verification.replaced += 1
            else:
                verification.equal += 1
        places, number = places[filled_later], number + 1


def _pop_match(stored: StoredTickets, row: TicketRow) -> bool:
    key = (*row.white_balls, row.powerball)
    if stored.get(key) != (row.confidence, row.strategy, row.metadata):
        return False
    del stored[key]
    return True
