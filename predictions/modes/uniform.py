"""`uniform`: the law of a fair draw, the baseline that stands beside the modes in every report."""

from pathlib import Path
from typing import Self

from predictions.distributions.components import uniform_component
from predictions.modes.base import (
    HELD_OUT,
    DependencyPredictions,
    Mixture,
    Mode,
    held_out,
    measured_skill,
    read_state,
    write_state,
)
from predictions.modes.features import History


class Uniform(Mode):
    """A mode like the others, but that it learns nothing; no tickets are ever made under its name."""

    name = "uniform"
    code_version = 1
    suffix = ".json"
    minimum_draws = HELD_OUT
    libraries = ("numpy",)

    def fit(self, history: History, seed: int, *, measure: bool = True) -> Self:
        self.check_enough(history)
        if measure:
            self.walk_ = self.predict_many(history, held_out(history), {})
            self.skill_ = measured_skill(self.walk_, history)
        return self

    def predict_many(self, history: History, draws: range, parts: DependencyPredictions) -> list[Mixture]:
        return [[uniform_component(self.name)] for _ in draws]

    def save(self, path: Path) -> None:
        write_state(path, self)

    @classmethod
    def load(cls, path: Path) -> Self:
        return cls.from_state(path, read_state(path))
