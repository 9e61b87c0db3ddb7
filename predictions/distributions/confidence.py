"""How much a component prefers a ticket: a percentile among uniform tickets, on one scale for every mode.

It is not a chance of winning, which is the same for every ticket: 1 in 292,201,338.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from predictions.distributions.components import Component, WhiteBallDistribution, uniform_component
from predictions.distributions.sampling import Tickets, generator_for, sample
from predictions.powerball import WHITE_BALLS

REFERENCE_SEED = 20151007  # the first draw date of the era: any fixed number would do
REFERENCE_TICKETS = 200_000
_SCORE_GRID = 2.0**40  # logs are rounded to this grid so that their sums, and so ties, are exact


@lru_cache(maxsize=1)
def reference_tickets() -> Tickets:
    """The fixed uniform tickets that every component is asked about."""
    return sample(uniform_component(), REFERENCE_TICKETS, generator_for(REFERENCE_SEED))


class ConfidenceScale:
    """The share of the reference tickets that a component finds less likely than a ticket.

    Ties count half. In [0, 1]; exactly 0.5 where the component has no opinion.
    """

    def __init__(self, component: Component) -> None:
        law = component.white_law
        self._white = _by_ball([_on_grid(log) for log in law.log_weights])
        self._powerball = _by_ball([_on_grid(math.log(chance)) for chance in component.powerball_chances])
        self._digits, self._offsets = _composition_scores(law)
        self._reference = np.sort(self._score(reference_tickets()))

    def of(self, tickets: Tickets) -> NDArray[np.float64]:
        """The confidence of each ticket."""
        scores = self._score(tickets)
        less = np.searchsorted(self._reference, scores, side="left")
        not_more = np.searchsorted(self._reference, scores, side="right")
        return (less + not_more) / (2.0 * REFERENCE_TICKETS)

    def _score(self, tickets: Tickets) -> NDArray[np.float64]:
        """The exact log-likelihood but for a constant."""
        scores = self._powerball[tickets[:, WHITE_BALLS]]
        for column in range(WHITE_BALLS):
            scores = scores + self._white[tickets[:, column]]
        if len(self._offsets) > 1:
            codes = sum(self._digits[tickets[:, column]] for column in range(WHITE_BALLS))
            scores = scores + self._offsets[codes]
        return scores


@lru_cache(maxsize=12)  # of 1.6 MB each: as many laws as v1 and its neighbours have between them
def _scale_of_law(component: Component) -> ConfidenceScale:
    return ConfidenceScale(component)


def scale_of(component: Component) -> ConfidenceScale:
    """A component's scale, kept for its next batch; its name and share have no say in it."""
    return _scale_of_law(replace(component, strategy="", share=1.0))


def _on_grid(log: float) -> float:
    return round(log * _SCORE_GRID) / _SCORE_GRID


def _by_ball(values: Sequence[float]) -> NDArray[np.float64]:
    """Indexed by ball number: index 0 is unused."""
    return np.array([0.0, *values])


def _composition_scores(law: WhiteBallDistribution) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """What each ball adds to its ticket's composition code, and the score of each code.

    The code is the composition's counts as the digits of a number. Scores are relative to the first one's,
    so that those of a law without an opinion are all exactly zero.
    """
    base = WHITE_BALLS + 1
    digits = [base**stratum for stratum, weights in enumerate(law.weights) for _ in range(len(weights))]
    if len(law.weights) == 1:
        return np.array([0, *digits]), np.zeros(1)
    scores = np.zeros(base ** len(law.weights))
    first = next(iter(law.offsets.values()))
    for counts, offset in law.offsets.items():
        code = sum(count * base**stratum for stratum, count in enumerate(counts))
        scores[code] = _on_grid(offset - first)
    return np.array([0, *digits]), scores
