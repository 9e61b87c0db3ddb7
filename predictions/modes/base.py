"""The contract of a mode, and the honest measurement that every learned mode shares."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from predictions.distribution import UNIFORM_LOG_LOSS, Component, log_loss, shrink
from predictions.features import History

# How much of a model's opinion is kept. The smallest is not zero: a mode keeps an opinion of its own even
# where the evidence prefers none, and what that costs is measured and shown.
STRENGTHS = (0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0)
HELD_OUT = 200  # draws that choose the strength, and as many later ones that measure the result


class Mode(ABC):
    """A way to predict: fit on past draws, give one mixture of components for the next.

    The constructor only stores parameters; what is learned ends in an underscore; randomness comes in as
    the seed. `fit` and `predict` see nothing but the history they are given.
    """

    name: ClassVar[str]
    code_version: ClassVar[int]  # raised when the same draws and parameters would give another model
    suffix: ClassVar[str]  # of the artefact's file name
    minimum_draws: ClassVar[int]
    libraries: ClassVar[tuple[str, ...]]  # whose versions are recorded with a model, where installed

    @abstractmethod
    def parameters(self) -> dict[str, Any]:
        """What the constructor was given."""

    @abstractmethod
    def fit(self, history: History, seed: int) -> Self:
        """Learn from all draws of the history; ValueError when there are too few."""

    @abstractmethod
    def predict(self, history: History) -> list[Component]:
        """The law of the draw that follows the history."""

    @abstractmethod
    def skill(self) -> "Skill":
        """How the fitted recipe did on draws it had not seen."""

    @abstractmethod
    def save(self, path: Path) -> None:
        """Write the fitted model; no pickle."""

    @classmethod
    @abstractmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote; ValueError for anything else. The caller has checked the digest."""

    def check_enough(self, history: History) -> None:
        """Raise ValueError when the history is too short to learn from."""
        if len(history) < self.minimum_draws:
            raise ValueError(
                f"{self.name} learns from at least {self.minimum_draws} draws of the 69/26 era; "
                f"there are {len(history)}"
            )


@dataclass(frozen=True)
class Skill:
    """Log-loss in nats a draw over `draws_tested` draws that neither the fit nor the strength had seen."""

    strength: float
    draws_tested: int
    log_loss: float
    uniform_log_loss: float
    skill_nats: float  # uniform minus the mode: above zero is better than chance
    skill_se: float

    def as_json(self) -> dict[str, float]:
        return asdict(self)


# For each draw, the raw weights a model gives before it: white (draws, 69) and Powerball (draws, 26).
RawWeights = tuple[NDArray[np.float64], NDArray[np.float64]]


def measured_skill(name: str, history: History, weights_of: Callable[[int, int], RawWeights]) -> Skill:
    """Choose the strength on older draws, then measure it on the newest ones.

    `weights_of(first, count)` fits on the draws before `first` and gives the raw weights for the `count`
    draws from there on, each from its own past only.
    """
    tested_from = len(history) - HELD_OUT
    chosen_from = tested_from - HELD_OUT
    older = weights_of(chosen_from, HELD_OUT)
    strength = min(STRENGTHS, key=lambda one: np.mean(_losses(name, history, chosen_from, older, one)))
    newest = weights_of(tested_from, HELD_OUT)
    losses = _losses(name, history, tested_from, newest, strength)
    gains = [UNIFORM_LOG_LOSS - loss for loss in losses]
    return Skill(
        strength=strength,
        draws_tested=HELD_OUT,
        log_loss=math.fsum(losses) / HELD_OUT,
        uniform_log_loss=UNIFORM_LOG_LOSS,
        skill_nats=math.fsum(gains) / HELD_OUT,
        skill_se=float(np.std(gains, ddof=1)) / math.sqrt(HELD_OUT),
    )


def _losses(name: str, history: History, first: int, weights: RawWeights, strength: float) -> list[float]:
    return [
        log_loss(
            [shrunk_component(name, white, red, strength)],
            history.white[first + offset].tolist(),
            int(history.powerball[first + offset]),
        ).joint
        for offset, (white, red) in enumerate(zip(*weights, strict=True))
    ]


def shrunk_component(
    name: str, white: Sequence[float], powerball: Sequence[float], strength: float
) -> Component:
    """A whole mixture's only component, its raw weights drawn towards uniform."""
    return Component(name, 1.0, shrink(white, strength), shrink(powerball, strength))


def odds(chances: NDArray[np.float64]) -> NDArray[np.float64]:
    """A ball's weight q / (1 - q) from its chance q, clipped to 0.001 … 0.999."""
    clipped = np.clip(chances, 0.001, 0.999)
    return clipped / (1 - clipped)
