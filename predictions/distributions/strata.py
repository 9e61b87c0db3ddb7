"""Strata: ranges of white balls with a table of probabilities of the counts per range.

`cuts` are the last balls of all strata except the last: (23, 46) makes 1-23, 24-46 and 47-69. A composition
is a tuple of counts, one per stratum, that sum to five; the table has a probability for every possible one.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise, product
from typing import Any

from predictions.powerball import WHITE_BALLS, WHITE_MAX

MAX_STRATA = 6  # 252 compositions; the sampler indexes them with one byte

Counts = tuple[int, ...]
Table = tuple[tuple[Counts, float], ...]  # in the order of `compositions`


def stratum_sizes(cuts: tuple[int, ...], balls: int = WHITE_MAX) -> Counts:
    """Return the number of balls per stratum. Raise ValueError unless there are 2 to MAX_STRATA strata."""
    sizes = tuple(higher - lower for lower, higher in pairwise((0, *cuts, balls)))
    if not 2 <= len(sizes) <= MAX_STRATA or min(sizes) < 1:
        raise ValueError(f"the cuts {list(cuts)} do not divide {balls} balls into 2 to {MAX_STRATA} strata")
    return sizes


@lru_cache(maxsize=64)
def compositions(cuts: tuple[int, ...], balls: int = WHITE_MAX) -> tuple[Counts, ...]:
    """Return all compositions in ascending order. Raise ValueError if the cuts are invalid."""
    sizes = stratum_sizes(cuts, balls)
    candidates = product(*(range(min(size, WHITE_BALLS) + 1) for size in sizes))
    return tuple(counts for counts in candidates if sum(counts) == WHITE_BALLS)


def hypergeometric_table(cuts: tuple[int, ...], balls: int = WHITE_MAX) -> Table:
    """Return the table of a fair draw, which with equal weights gives the uniform distribution."""
    sizes, sets = stratum_sizes(cuts, balls), math.comb(balls, WHITE_BALLS)
    return tuple(
        (counts, math.prod(map(math.comb, sizes, counts)) / sets) for counts in compositions(cuts, balls)
    )


def balanced_table(cuts: tuple[int, ...], share: float, balls: int = WHITE_MAX) -> Table:
    """Mix the table of a fair draw with its restriction to balanced compositions, weighted by `share`.

    The counts of a balanced composition differ by at most one: with three strata, one or two balls in each.
    Raise ValueError if no composition is balanced, or if the share is not in [0, 1): a share of 1 would make
    most draws impossible.
    """
    if not 0 <= share < 1:
        raise ValueError(f"share {share} is not in [0, 1)")
    fair = hypergeometric_table(cuts, balls)
    balanced = math.fsum(probability for counts, probability in fair if _is_balanced(counts))
    if not balanced:
        raise ValueError(f"the cuts {list(cuts)} leave no balanced composition")
    return tuple(
        (counts, probability * (1 - share + (share / balanced if _is_balanced(counts) else 0)))
        for counts, probability in fair
    )


def _is_balanced(counts: Counts) -> bool:
    return max(counts) - min(counts) <= 1


@dataclass(frozen=True)
class Strata:
    """Cuts of the 69 white balls and the distribution of the counts per stratum.

    The table lists every composition once, in ascending order. The probabilities sum to 1 and are positive,
    because a zero would make a real draw impossible. Anything else raises ValueError.
    """

    cuts: tuple[int, ...]
    table: Table

    def __post_init__(self) -> None:
        rows = tuple(counts for counts, _ in self.table)
        if not all(type(number) is int for number in (*self.cuts, *(n for counts in rows for n in counts))):
            raise ValueError("strata: cuts and counts must be integers")
        if rows != (expected := compositions(self.cuts)):
            raise ValueError(f"strata: the table must list all {len(expected)} compositions, ascending")
        probabilities = [probability for _, probability in self.table]
        if not all(math.isfinite(probability) and probability > 0 for probability in probabilities):
            raise ValueError("strata: every probability must be positive and finite")
        if abs(math.fsum(probabilities) - 1) > 1e-9:
            raise ValueError(f"strata: the probabilities sum to {math.fsum(probabilities)}, not to 1")

    def as_json(self) -> dict[str, Any]:
        return {
            "cuts": list(self.cuts),
            "table": [[list(counts), probability] for counts, probability in self.table],
        }

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "Strata":
        """Return strata from their stored form. Raise ValueError if the form is invalid."""
        try:
            return cls(
                cuts=tuple(stored["cuts"]),
                table=tuple((tuple(counts), float(probability)) for counts, probability in stored["table"]),
            )
        except (KeyError, TypeError, OverflowError) as error:
            raise ValueError(f"not stored strata: {error!r}") from error
