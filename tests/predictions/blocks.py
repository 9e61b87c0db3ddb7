"""Laws whose weights are even over blocks of balls: few enough cases to enumerate, exact enough to count.

One set of balls stands for all with as many balls of each block. Two blocks make one stratum of 1-23,
24-46 and 47-69.
"""

import math
from itertools import accumulate, pairwise, product
from typing import Any

import numpy as np
from scipy import stats

from predictions.distributions.components import Component, white_log_likelihood
from predictions.distributions.sampling import Tickets
from tests.factories import component_with

SIZES = (12, 11, 10, 13, 12, 11)
WEIGHTS = (1.0, 2.5, 7.0, 0.8, 4.0, 3.0)
EDGES = (0, *accumulate(SIZES))


def block_component(**changes: Any) -> Component:
    """A law with one weight a block, changed."""
    white = [weight for size, weight in zip(SIZES, WEIGHTS, strict=True) for _ in range(size)]
    return component_with(white=white, **changes)


def block_chances(component: Component) -> dict[tuple[int, ...], float]:
    """The exact chance of every spread of five balls over the blocks, by the law's own likelihood."""
    chances = {}
    for counts in product(range(6), repeat=len(SIZES)):
        if sum(counts) == 5:
            balls = [edge + 1 + i for edge, count in zip(EDGES, counts, strict=False) for i in range(count)]
            sets = math.prod(math.comb(size, count) for size, count in zip(SIZES, counts, strict=True))
            chances[counts] = sets * math.exp(white_log_likelihood(component, balls))
    return chances


def block_p_value(component: Component, tickets: Tickets) -> float:
    """The chi-square test of the tickets' spreads over the blocks against the component's law."""
    seen = dict.fromkeys(chances := block_chances(component), 0)
    white = tickets[:, :5]
    counts = [((white > low) & (white <= high)).sum(axis=1) for low, high in pairwise(EDGES)]
    for spread, number in zip(*np.unique(np.array(counts).T, axis=0, return_counts=True), strict=True):
        seen[tuple(spread.tolist())] += int(number)
    expected = np.array(list(chances.values())) * len(tickets)
    observed = np.array(list(seen.values()))
    often = expected >= 5  # the rarer spreads are counted together
    return float(
        stats.chisquare(
            [*observed[often], observed[~often].sum()], [*expected[often], expected[~often].sum()]
        ).pvalue
    )
