"""Strata: how many of the five white balls fall into each range of numbers, by a table of probabilities.

`cuts` are the last balls of all strata but the last: (23, 46) makes 1-23, 24-46 and 47-69. A composition
is a tuple of counts, one a stratum, that sum to five; the table gives every possible one its probability.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise, product
from typing import Any

from predictions.powerball import WHITE_BALLS, WHITE_MAX

MAX_STRATA = 6  # 252 compositions: the sampler's table is indexed by one byte

Counts = tuple[int, ...]
Table = tuple[tuple[Counts, float], ...]  # in the order of `compositions`


def stratum_sizes(cuts: tuple[int, ...], balls: int = WHITE_MAX) -> Counts:
    """How many balls each stratum has; ValueError unless the cuts part the balls into 2 to MAX_STRATA."""
    sizes = tuple(higher - lower for lower, higher in pairwise((0, *cuts, balls)))
    if not 2 <= len(sizes) <= MAX_STRATA or min(sizes) < 1:
        raise ValueError(f"the cuts {list(cuts)} do not part {balls} balls into 2 to {MAX_STRATA} strata")
    return sizes


@lru_cache(maxsize=64)
def compositions(cuts: tuple[int, ...], balls: int = WHITE_MAX) -> tuple[Counts, ...]:
    """Every way to spread five balls over the strata, in ascending order; ValueError for bad cuts."""
    sizes = stratum_sizes(cuts, balls)
    spreads = product(*(range(min(size, WHITE_BALLS) + 1) for size in sizes))
    return tuple(counts for counts in spreads if sum(counts) == WHITE_BALLS)


def hypergeometric_table(cuts: tuple[int, ...], balls: int = WHITE_MAX) -> Table:
    """The compositions' law in a fair draw; with equal weights it makes the uniform law again."""
    sizes, sets = stratum_sizes(cuts, balls), math.comb(balls, WHITE_BALLS)
    return tuple(
        (counts, math.prod(map(math.comb, sizes, counts)) / sets) for counts in compositions(cuts, balls)
    )


def balanced_table(cuts: tuple[int, ...], share: float, balls: int = WHITE_MAX) -> Table:
    """A fair draw's law, of which `share` is kept to the balanced compositions.

    Balanced are those whose counts differ by at most one: with three strata, one or two balls in each.
    ValueError unless 0 <= share < 1, for a share of 1 would call most draws impossible, and where no
    balanced composition is possible.
    """
    if not 0 <= share < 1:
        raise ValueError(f"share {share} is not in [0, 1)")
    fair = hypergeometric_table(cuts, balls)
    balanced = math.fsum(chance for counts, chance in fair if _is_balanced(counts))
    if not balanced:
        raise ValueError(f"the cuts {list(cuts)} leave no balanced composition")
    return tuple(
        (counts, chance * (1 - share + (share / balanced if _is_balanced(counts) else 0)))
        for counts, chance in fair
    )


def _is_balanced(counts: Counts) -> bool:
    return max(counts) - min(counts) <= 1


@dataclass(frozen=True)
class Strata:
    """Cuts of the 69 white balls and the law of the counts between them.

    The table lists every possible composition once, in ascending order, each with a positive probability,
    for a zero would make a real draw impossible; they sum to one. ValueError otherwise.
    """

    cuts: tuple[int, ...]
    table: Table

    def __post_init__(self) -> None:
        listed = tuple(counts for counts, _ in self.table)
        if not all(type(number) is int for number in (*self.cuts, *(n for counts in listed for n in counts))):
            raise ValueError("strata: cuts and counts must be integers")
        if listed != (possible := compositions(self.cuts)):
            raise ValueError(f"strata: the table must list all {len(possible)} compositions, ascending")
        chances = [chance for _, chance in self.table]
        if not all(math.isfinite(chance) and chance > 0 for chance in chances):
            raise ValueError("strata: every probability must be positive and finite")
        if abs(math.fsum(chances) - 1) > 1e-9:
            raise ValueError(f"strata: the probabilities sum to {math.fsum(chances)}, not to 1")

    def as_json(self) -> dict[str, Any]:
        """The stored form, which `from_json` reads back."""
        return {"cuts": list(self.cuts), "table": [[list(counts), chance] for counts, chance in self.table]}

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "Strata":
        """Strata from their stored form; ValueError when it is not one."""
        try:
            return cls(
                cuts=tuple(stored["cuts"]),
                table=tuple((tuple(counts), float(chance)) for counts, chance in stored["table"]),
            )
        except (KeyError, TypeError, OverflowError) as error:
            raise ValueError(f"not stored strata: {error!r}") from error
