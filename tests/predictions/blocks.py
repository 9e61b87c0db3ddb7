"""Components with equal weights within blocks of balls, so that all cases can be enumerated.

A set of balls represents all sets with the same counts per block. Two blocks form one stratum (1-23, 24-46,
47-69).
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
    """Return a component with one weight per block."""
    white = [weight for size, weight in zip(SIZES, WEIGHTS, strict=True) for _ in range(size)]
    return component_with(white=white, **changes)


def block_probabilities(component: Component) -> dict[tuple[int, ...], float]:
    """Return the exact probability of all counts of five balls per block, from the component's likelihood."""
    probabilities = {}
    for counts in product(range(6), repeat=len(SIZES)):
        if sum(counts) == 5:
            balls = [edge + 1 + i for edge, count in zip(EDGES, counts, strict=False) for i in range(count)]
            sets = math.prod(math.comb(size, count) for size, count in zip(SIZES, counts, strict=True))
            probabilities[counts] = sets * math.exp(white_log_likelihood(component, balls))
    return probabilities


def block_p_value(component: Component, tickets: Tickets) -> float:
    """Return the p-value of a chi-square test of the tickets' counts per block against the component."""
    totals = dict.fromkeys(probabilities := block_probabilities(component), 0)
    white = tickets[:, :5]
    counts = [((white > low) & (white <= high)).sum(axis=1) for low, high in pairwise(EDGES)]
    for row, total in zip(*np.unique(np.array(counts).T, axis=0, return_counts=True), strict=True):
        totals[tuple(row.tolist())] += int(total)
    expected = np.array(list(probabilities.values())) * len(tickets)
    observed = np.array(list(totals.values()))
    frequent = expected >= 5  # rare cases are pooled
    return float(
        stats.chisquare(
            [*observed[frequent], observed[~frequent].sum()], [*expected[frequent], expected[~frequent].sum()]
        ).pvalue
    )
