"""The contract of a mode, and the honest measurement that every mode shares."""

import json
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from predictions.distributions.components import UNIFORM_LOG_LOSS, Component, log_loss
from predictions.modes.features import History

HELD_OUT = 200  # draws that choose a strength, and as many later ones that measure the result

Mixture = list[Component]  # a mode's law of one draw
DependencyPredictions = Mapping[
    str, Sequence[Mixture]
]  # other modes' laws, one for each draw that is asked for


class Mode(ABC):
    """A way to predict: fit on past draws, give one mixture of components for the next.

    The constructor only stores parameters; what is learned ends in an underscore; randomness comes in as
    the seed. Nothing is seen but the history that is given, and of it nothing from a draw on that is asked
    for. What a mode is made of beside the history comes in as the laws of other modes, its parts.
    """

    name: ClassVar[str]
    code_version: ClassVar[int]  # raised when the same draws and parameters would give another model
    suffix: ClassVar[str]  # of the artefact's file name
    minimum_draws: ClassVar[int]
    libraries: ClassVar[tuple[str, ...]]  # whose versions are recorded with a model, where installed
    requires: ClassVar[tuple[str, ...]] = ()  # modes whose laws it is made of: without one it fails by name
    optional: ClassVar[tuple[str, ...]] = ()  # modes whose laws it takes in where they are to be had

    skill_: "Skill | None" = None
    walk_: list[Mixture]  # after a measured fit: its laws of the held-out draws, each from its own past

    def parameters(self) -> dict[str, Any]:
        """What the constructor was given, which is all that it stores."""
        return {name: value for name, value in vars(self).items() if not name.endswith("_")}

    @abstractmethod
    def fit(self, history: History, seed: int, *, measure: bool = True) -> Self:
        """Learn from all draws of the history; ValueError when there are too few.

        `measure` also fits on the draws before the newest HELD_OUT and takes the skill on those.
        """

    @abstractmethod
    def predict_many(self, history: History, draws: range, parts: DependencyPredictions) -> list[Mixture]:
        """The law of each of these draws, from the fitted model and the draws before it.

        `parts[mode][i]` is that mode's law of draw `draws[i]`. ValueError when a needed one is missing.
        """

    @abstractmethod
    def save(self, path: Path) -> None:
        """Write the fitted model; no pickle."""

    @classmethod
    @abstractmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote; ValueError for anything else. The caller has checked the digest."""

    @classmethod
    def from_state(cls, path: Path, state: Any) -> Self:
        """A mode with the parameters and the skill of a state; ValueError when it is not this mode's."""
        mine = isinstance(state, dict) and state.get("mode") == cls.name
        if not mine or state.get("code_version") != cls.code_version:
            raise ValueError(
                f"{path.name} is not a model that {cls.name} version {cls.code_version} has saved"
            )
        try:
            mode = cls(**state["parameters"])
            mode.skill_ = None if state["skill"] is None else Skill(**state["skill"])
        except (KeyError, TypeError) as error:
            raise ValueError(f"{path.name} is not a model that {cls.name} has saved: {error!r}") from error
        return mode

    def predict(self, history: History, parts: Mapping[str, Mixture] | None = None) -> Mixture:
        """The law of the draw that follows the history."""
        following = range(len(history), len(history) + 1)
        return self.predict_many(history, following, {name: [law] for name, law in (parts or {}).items()})[0]

    def note(self, available: Sequence[str]) -> str:
        """What is left out of a prediction when only these parts are to be had; empty when nothing is."""
        return ""

    def check_enough(self, history: History) -> None:
        """Raise ValueError when the history is too short to learn from."""
        if len(history) < self.minimum_draws:
            raise ValueError(
                f"{self.name} learns from at least {self.minimum_draws} draws of the 69/26 era; "
                f"there are {len(history)}"
            )

    def check_dependencies(self, parts: DependencyPredictions) -> None:
        """Raise ValueError, naming the mode and what it lacks, unless every needed part is there."""
        if missing := [name for name in self.requires if name not in parts]:
            raise ValueError(f"{self.name} is made of {' and '.join(self.requires)}: {missing[0]} has no law")


@dataclass(frozen=True)
class Skill:
    """Log-loss in nats a draw over `draws_tested` draws that nothing had seen that was fitted or fixed."""

    draws_tested: int
    log_loss: float
    uniform_log_loss: float
    skill_nats: float  # uniform minus the mode: above zero is better than chance
    skill_se: float

    def as_json(self) -> dict[str, float]:
        return asdict(self)


def held_out(history: History) -> range:
    """The newest draws, which measure the result."""
    return range(len(history) - HELD_OUT, len(history))


def losses_of(laws: Sequence[Mixture], history: History, draws: range) -> list[float]:
    """Each law's joint log-loss, in nats, on its own draw."""
    return [log_loss(law, *history.numbers(draw)).joint for law, draw in zip(laws, draws, strict=True)]


def measured_skill(walk: Sequence[Mixture], history: History) -> Skill:
    """What laws of the held-out draws, each made before its draw, were worth beside uniform."""
    losses = losses_of(walk, history, held_out(history))
    gains = [UNIFORM_LOG_LOSS - loss for loss in losses]
    return Skill(
        draws_tested=len(losses),
        log_loss=math.fsum(losses) / len(losses),
        uniform_log_loss=UNIFORM_LOG_LOSS,
        skill_nats=math.fsum(gains) / len(gains),
        skill_se=float(np.std(gains, ddof=1)) / math.sqrt(len(gains)),
    )


# Models that are a few numbers: a JSON file that names its mode


def write_state(path: Path, mode: Mode, **learned: Any) -> None:
    """Leave a mode's parameters, skill and learned numbers as JSON."""
    path.write_text(json.dumps(state_of(mode) | learned))


def state_of(mode: Mode) -> dict[str, Any]:
    """What every artefact says of itself, whatever else is in it."""
    return {
        "mode": mode.name,
        "code_version": mode.code_version,
        "parameters": mode.parameters(),
        "skill": mode.skill_.as_json() if mode.skill_ else None,
    }


def read_state(path: Path) -> dict[str, Any]:
    """What `write_state` left; ValueError when it is no JSON."""
    try:
        state: dict[str, Any] = json.loads(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{path.name} is not a model's file: {error}") from error
    return state
