"""How much a component prefers a ticket: a percentile among uniform tickets, on one scale for every mode.

It is not a chance of winning, which is the same for every ticket: 1 in 292,201,338.
"""

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from predictions.distribution import Component, uniform_component
from predictions.powerball import WHITE_BALLS
from predictions.sampling import Tickets, generator_for, sample

REFERENCE_SEED = 20151007  # the first draw date of the era: any fixed number would do
REFERENCE_TICKETS = 200_000
_SCORE_GRID = 2.0**40  # log-weights are rounded to this grid so that their sums, and so ties, are exact


@lru_cache(maxsize=1)
def _reference_tickets() -> Tickets:
    return sample(uniform_component(), REFERENCE_TICKETS, generator_for(REFERENCE_SEED))


class ConfidenceScale:
    """How much a component prefers a ticket: the share of uniform tickets it finds less likely.

    Ties count half; the comparison is with one fixed set of 200,000 uniform tickets. In [0, 1], 0.5 where
    the component has no opinion. It is not a chance of winning, which is the same for every ticket.
    """

    def __init__(self, component: Component) -> None:
        self._white = _gridded_logs(component.white)
        self._red = _gridded_logs(component.powerball)
        self._reference = np.sort(self._score(_reference_tickets()))

    def of(self, tickets: Tickets) -> NDArray[np.float64]:
        """The confidence of each ticket."""
        scores = self._score(tickets)
        less = np.searchsorted(self._reference, scores, side="left")
        not_more = np.searchsorted(self._reference, scores, side="right")
        return (less + not_more) / (2.0 * REFERENCE_TICKETS)

    def _score(self, tickets: Tickets) -> NDArray[np.float64]:
        scores = self._red[tickets[:, WHITE_BALLS]]
        for column in range(WHITE_BALLS):
            scores = scores + self._white[tickets[:, column]]
        return scores


def _gridded_logs(weights: Sequence[float]) -> NDArray[np.float64]:
    """Log-weights indexed by ball number (index 0 is unused)."""
    return np.array([0.0] + [round(math.log(weight) * _SCORE_GRID) / _SCORE_GRID for weight in weights])
