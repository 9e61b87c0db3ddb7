"""The contract of all modes, and how their skill is measured."""

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

HELD_OUT = 200  # newest draws, which measure the skill; a strength is chosen on as many draws before them

Mixture = list[Component]  # a mode's prediction of one draw
DependencyPredictions = Mapping[str, Sequence[Mixture]]  # by mode: one mixture per requested draw


class Mode(ABC):
    """A model that is fitted on past draws and predicts each draw as a mixture of components.

    The constructor only stores parameters, learned attributes end in an underscore, and randomness comes from
    the seed. A prediction depends only on the draws before the predicted one and, for a mode that combines
    others, on their predictions (`dependencies`).
    """

    name: ClassVar[str]
    code_version: ClassVar[int]  # increase it if the same draws and parameters give a different model
    suffix: ClassVar[str]  # of the artefact file
    minimum_draws: ClassVar[int]
    libraries: ClassVar[tuple[str, ...]]  # versions to record with a model; may be missing
    requires: ClassVar[tuple[str, ...]] = ()  # modes whose predictions it needs
    optional: ClassVar[tuple[str, ...]] = ()  # modes whose predictions it uses if available

    skill_: "Skill | None" = None
    walk_: list[Mixture]  # after a measured fit: out-of-sample predictions of the held-out draws

    def parameters(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if not name.endswith("_")}

    @abstractmethod
    def fit(self, history: History, seed: int, *, measure: bool = True) -> Self:
        """Fit on all draws of the history. Raise ValueError if there are too few.

        With `measure`, also fit without the newest HELD_OUT draws and measure the skill on them.
        """

    @abstractmethod
    def predict_many(
        self, history: History, draws: range, dependencies: DependencyPredictions
    ) -> list[Mixture]:
        """Return a mixture for each of these draws, computed from the fitted model and the draws before it.

        `dependencies[mode][i]` is the mixture of another mode for `draws[i]`. Raise ValueError if a required
        mode is missing.
        """

    @abstractmethod
    def save(self, path: Path) -> None:
        """Write the fitted model. The format must not use pickle."""

    @classmethod
    @abstractmethod
    def load(cls, path: Path) -> Self:
        """Read a saved model whose digest is verified. Raise ValueError for any other content."""

    @classmethod
    def from_state(cls, path: Path, state: Any) -> Self:
        """Return a mode with stored parameters and skill. Raise ValueError for another mode or version."""
        is_own = isinstance(state, dict) and state.get("mode") == cls.name
        if not is_own or state.get("code_version") != cls.code_version:
            raise ValueError(f"{path.name} is not a saved model of {cls.name} version {cls.code_version}")
        try:
            mode = cls(**state["parameters"])
            mode.skill_ = None if state["skill"] is None else Skill(**state["skill"])
        except (KeyError, TypeError) as error:
            raise ValueError(f"{path.name} is not a saved model of {cls.name}: {error!r}") from error
        return mode

    def predict(self, history: History, dependencies: Mapping[str, Mixture] | None = None) -> Mixture:
        """Return the mixture of the draw after the history."""
        next_draw = range(len(history), len(history) + 1)
        by_mode = {name: [mixture] for name, mixture in (dependencies or {}).items()}
        return self.predict_many(history, next_draw, by_mode)[0]

    def note(self, available: Sequence[str]) -> str:
        """Return what a prediction lacks if only these dependencies are available; empty if nothing."""
        return ""

    def check_enough(self, history: History) -> None:
        if len(history) < self.minimum_draws:
            raise ValueError(
                f"{self.name} learns from at least {self.minimum_draws} draws of the 69/26 era; "
                f"there are {len(history)}"
            )

    def check_dependencies(self, dependencies: DependencyPredictions) -> None:
        if missing := [name for name in self.requires if name not in dependencies]:
            raise ValueError(
                f"{self.name} requires {' and '.join(self.requires)}: {missing[0]} has no prediction"
            )


@dataclass(frozen=True)
class Skill:
    """Mean log-loss, in nats per draw, on draws that were used neither for fitting nor for tuning."""

    draws_tested: int
    log_loss: float
    uniform_log_loss: float
    skill_nats: float  # uniform minus the mode: positive is better than chance
    skill_se: float

    def as_json(self) -> dict[str, float]:
        return asdict(self)


def held_out(history: History) -> range:
    return range(len(history) - HELD_OUT, len(history))


def joint_losses(mixtures: Sequence[Mixture], history: History, draws: range) -> list[float]:
    """Return the joint log-loss, in nats, of each mixture on its draw."""
    return [
        log_loss(mixture, *history.numbers(draw)).joint for mixture, draw in zip(mixtures, draws, strict=True)
    ]


def measure_skill(walk: Sequence[Mixture], history: History) -> Skill:
    """Return the skill of out-of-sample predictions of the held-out draws."""
    losses = joint_losses(walk, history, held_out(history))
    gains = [UNIFORM_LOG_LOSS - loss for loss in losses]
    return Skill(
        draws_tested=len(losses),
        log_loss=math.fsum(losses) / len(losses),
        uniform_log_loss=UNIFORM_LOG_LOSS,
        skill_nats=math.fsum(gains) / len(gains),
        skill_se=float(np.std(gains, ddof=1)) / math.sqrt(len(gains)),
    )


# Artefacts


def write_state(path: Path, mode: Mode, **learned: Any) -> None:
    """Write a model that consists of a few numbers as JSON."""
    path.write_text(json.dumps(common_state(mode) | learned))


def common_state(mode: Mode) -> dict[str, Any]:
    """Return the fields that are part of every artefact, whatever its format."""
    return {
        "mode": mode.name,
        "code_version": mode.code_version,
        "parameters": mode.parameters(),
        "skill": mode.skill_.as_json() if mode.skill_ else None,
    }


def read_state(path: Path) -> dict[str, Any]:
    """Return what `write_state` wrote. Raise ValueError if the file is not JSON."""
    try:
        state: dict[str, Any] = json.loads(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{path.name} is not a model file: {error}") from error
    return state
