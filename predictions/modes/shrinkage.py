"""Modes that learn one component: a raw model's weights, drawn towards uniform by a measured strength."""

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from predictions.distributions.components import Component, shrink
from predictions.modes.base import (
    HELD_OUT,
    DependencyPredictions,
    Mixture,
    Mode,
    held_out,
    losses_of,
    measured_skill,
)
from predictions.modes.features import History

# How much of a model's opinion is kept. The smallest is not zero: a mode keeps an opinion of its own even
# where the evidence prefers none, and what that costs is measured and shown.
STRENGTHS = (0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0)

# For each draw, the raw weights a model gives before it: white (draws, 69) and Powerball (draws, 26).
RawWeights = tuple[NDArray[np.float64], NDArray[np.float64]]


def raw_weights(white: NDArray[np.float64], powerball: NDArray[np.float64]) -> RawWeights:
    """From chances, clipped to 0.001 … 0.999: the odds q / (1 - q) of white balls, the Powerballs' own."""
    white, powerball = np.clip(white, 0.001, 0.999), np.clip(powerball, 0.001, 0.999)
    return white / (1 - white), powerball


class ShrinkageMode(Mode):
    """The strength is the best on HELD_OUT draws, for a model that had seen only the draws before them.

    The skill is then measured on the HELD_OUT draws after those, and the model learns anew from all.
    """

    strength_: float
    model_: Any

    @abstractmethod
    def fit_raw(self, history: History, seed: int) -> Any:
        """The raw model of this history."""

    @abstractmethod
    def raw_weights(self, model: Any, history: History, draws: range) -> RawWeights:
        """A raw model's weights for each of these draws, from the draws before it."""

    def fit(self, history: History, seed: int, *, measure: bool = True) -> Self:
        self.check_enough(history)
        newest = held_out(history)
        older = range(newest.start - HELD_OUT, newest.start)
        raw = self._out_of_sample(history, older, seed)
        self.strength_ = best_strength(self.name, raw, history, older)
        if measure:
            raw = self._out_of_sample(history, newest, seed)
            self.walk_ = [[law] for law in shrunk_laws(self.name, raw, self.strength_)]
            self.skill_ = measured_skill(self.walk_, history)
        self.model_ = self.fit_raw(history, seed)
        return self

    def _out_of_sample(self, history: History, draws: range, seed: int) -> RawWeights:
        """The weights of a model that knows nothing of these draws but what came before each."""
        return self.raw_weights(self.fit_raw(history.before(draws.start), seed), history, draws)

    def predict_many(self, history: History, draws: range, parts: DependencyPredictions) -> list[Mixture]:
        raw = self.raw_weights(self.model_, history, draws)
        return [[law] for law in shrunk_laws(self.name, raw, self.strength_)]


def shrunk_laws(strategy: str, raw: RawWeights, strength: float) -> list[Component]:
    """Each draw's weights as a whole component, drawn towards uniform."""
    return [shrink_component(strategy, white, red, strength) for white, red in zip(*raw, strict=True)]


def shrink_component(
    strategy: str, white: Sequence[float], powerball: Sequence[float], strength: float
) -> Component:
    return Component(strategy, 1.0, shrink(white, strength), shrink(powerball, strength))


def best_strength(strategy: str, raw: RawWeights, history: History, draws: range) -> float:
    """The strength with the least log-loss on these draws."""

    def loss(strength: float) -> float:
        laws = [[law] for law in shrunk_laws(strategy, raw, strength)]
        return math.fsum(losses_of(laws, history, draws))

    return min(STRENGTHS, key=loss)
