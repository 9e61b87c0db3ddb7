"""Modes with one component: the weights of a raw model, shrunk towards uniform by a tuned strength."""

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
    joint_losses,
    measure_skill,
)
from predictions.modes.features import History

# The exponent applied to raw weights. Never zero, so that modes differ from the baseline even where the data
# favours uniform; the cost of that shows in their measured skill.
STRENGTHS = (0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0)

# White weights of shape (draws, 69) and Powerball weights of shape (draws, 26), known before each draw.
RawWeights = tuple[NDArray[np.float64], NDArray[np.float64]]


def raw_weights(white: NDArray[np.float64], powerball: NDArray[np.float64]) -> RawWeights:
    """Return weights for predicted probabilities: the odds q / (1 - q) of white balls, q of Powerballs.

    Shapes (draws, 69) and (draws, 26). Probabilities are clipped to 0.001 … 0.999.
    """
    white, powerball = np.clip(white, 0.001, 0.999), np.clip(powerball, 0.001, 0.999)
    return white / (1 - white), powerball


class ShrinkageMode(Mode):
    """Tunes the strength on HELD_OUT draws with a model fitted on the draws before them.

    The skill is measured on the HELD_OUT draws after those; the final model is fitted on all draws.
    """

    strength_: float
    model_: Any

    @abstractmethod
    def fit_raw(self, history: History, seed: int) -> Any:
        """Return a raw model fitted on the history, or None if the mode needs none."""

    @abstractmethod
    def raw_weights(self, model: Any, history: History, draws: range) -> RawWeights:
        """Return a raw model's weights for each of these draws, computed from the draws before it."""

    def fit(self, history: History, seed: int, *, measure: bool = True) -> Self:
        self.check_enough(history)
        newest = held_out(history)
        older = range(newest.start - HELD_OUT, newest.start)
        raw = self._out_of_sample(history, older, seed)
        self.strength_ = best_strength(self.name, raw, history, older)
        if measure:
            raw = self._out_of_sample(history, newest, seed)
            self.walk_ = shrink_all(self.name, raw, self.strength_)
            self.skill_ = measure_skill(self.walk_, history)
        self.model_ = self.fit_raw(history, seed)
        return self

    def _out_of_sample(self, history: History, draws: range, seed: int) -> RawWeights:
        """Return weights of these draws from a model fitted on the draws before the first of them."""
        return self.raw_weights(self.fit_raw(history.before(draws.start), seed), history, draws)

    def predict_many(
        self, history: History, draws: range, dependencies: DependencyPredictions
    ) -> list[Mixture]:
        raw = self.raw_weights(self.model_, history, draws)
        return shrink_all(self.name, raw, self.strength_)


def shrink_all(strategy: str, raw: RawWeights, strength: float) -> list[Mixture]:
    """Return a mixture of one shrunk component per draw."""
    return [[shrink_component(strategy, white, red, strength)] for white, red in zip(*raw, strict=True)]


def shrink_component(
    strategy: str, white: Sequence[float], powerball: Sequence[float], strength: float
) -> Component:
    return Component(strategy, 1.0, shrink(white, strength), shrink(powerball, strength))


def best_strength(strategy: str, raw: RawWeights, history: History, draws: range) -> float:
    """Return the strength with the lowest log-loss on these draws."""

    def loss(strength: float) -> float:
        return math.fsum(joint_losses(shrink_all(strategy, raw, strength), history, draws))

    return min(STRENGTHS, key=loss)
