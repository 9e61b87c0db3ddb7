"""Confidence: the percentile of a ticket's likelihood among uniform tickets, comparable between modes.

It is not a probability of winning, which is the same for every ticket: 1 in 292,201,338.
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

REFERENCE_SEED = 20151007  # any fixed number would do
REFERENCE_TICKETS = 200_000
_SCORE_GRID = 2.0**40  # logs are rounded to this grid so that sums are exact and equal scores tie


@lru_cache(maxsize=1)
def reference_tickets() -> Tickets:
    """Return the fixed sample of uniform tickets that scores are compared with, shape (200000, 6)."""
    return sample(uniform_component(), REFERENCE_TICKETS, generator_for(REFERENCE_SEED))


class ConfidenceScale:
    """Computes the share of reference tickets that are less likely under a component than a given ticket.

    Ties count half. The result is in [0, 1], and exactly 0.5 for every ticket if the component is uniform.
    """

    def __init__(self, component: Component) -> None:
        white = component.white_distribution
        self._white = _by_ball([_round_to_grid(log) for log in white.log_weights])
        self._powerball = _by_ball(
            [_round_to_grid(math.log(probability)) for probability in component.powerball_probabilities]
        )
        self._digits, self._offsets = _composition_scores(white)
        self._reference = np.sort(self._score(reference_tickets()))

    def of(self, tickets: Tickets) -> NDArray[np.float64]:
        """Return the confidence of each ticket, shape (tickets,)."""
        scores = self._score(tickets)
        below = np.searchsorted(self._reference, scores, side="left")
        below_or_equal = np.searchsorted(self._reference, scores, side="right")
        return (below + below_or_equal) / (2.0 * REFERENCE_TICKETS)

    def _score(self, tickets: Tickets) -> NDArray[np.float64]:
        """Return the exact log-likelihood of each ticket up to a constant."""
        scores = self._powerball[tickets[:, WHITE_BALLS]]
        for column in range(WHITE_BALLS):
            scores = scores + self._white[tickets[:, column]]
        if len(self._offsets) > 1:
            codes = sum(self._digits[tickets[:, column]] for column in range(WHITE_BALLS))
            scores = scores + self._offsets[codes]
        return scores


@lru_cache(maxsize=12)  # 1.6 MB each; enough for the components of all modes
def _cached_scale(component: Component) -> ConfidenceScale:
    return ConfidenceScale(component)


def confidence_scale(component: Component) -> ConfidenceScale:
    """Return a component's cached scale, which does not depend on the strategy's name or share."""
    return _cached_scale(replace(component, strategy="", share=1.0))


def _round_to_grid(log: float) -> float:
    return round(log * _SCORE_GRID) / _SCORE_GRID


def _by_ball(values: Sequence[float]) -> NDArray[np.float64]:
    """Return the values indexed by ball number; index 0 is unused."""
    return np.array([0.0, *values])


def _composition_scores(white: WhiteBallDistribution) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return what each ball adds to a ticket's composition code, shape (70,), and the score of each code.

    The code of a composition has its counts as digits in base 6. Scores are relative to the first
    composition's, so that they are exactly zero for a uniform distribution.
    """
    base = WHITE_BALLS + 1
    digits = [base**stratum for stratum, weights in enumerate(white.weights) for _ in range(len(weights))]
    if len(white.weights) == 1:
        return np.array([0, *digits]), np.zeros(1)
    scores = np.zeros(base ** len(white.weights))
    first = next(iter(white.offsets.values()))
    for counts, offset in white.offsets.items():
        code = sum(count * base**stratum for stratum, count in enumerate(counts))
        scores[code] = _round_to_grid(offset - first)
    return np.array([0, *digits]), scores
