"""`uniform`: the baseline that every mode is compared with."""

from pathlib import Path
from typing import Self

from predictions.distributions.components import uniform_component
from predictions.modes.base import (
    HELD_OUT,
    DependencyPredictions,
    Mixture,
    Mode,
    held_out,
    measure_skill,
    read_state,
    write_state,
)
from predictions.modes.features import History


class Uniform(Mode):
    """Predicts a fair draw and learns nothing. It never generates tickets."""

    name = "uniform"
    code_version = 1
    suffix = ".json"
    minimum_draws = HELD_OUT
    libraries = ("numpy",)

    def fit(self, history: History, seed: int, *, measure: bool = True) -> Self:
        self.check_enough(history)
        if measure:
            self.walk_ = self.predict_many(history, held_out(history), {})
            self.skill_ = measure_skill(self.walk_, history)
        return self

    def predict_many(
        self, history: History, draws: range, dependencies: DependencyPredictions
    ) -> list[Mixture]:
        return [[uniform_component(self.name)] for _ in draws]

    def save(self, path: Path) -> None:
        write_state(path, self)

    @classmethod
    def load(cls, path: Path) -> Self:
        return cls.from_state(path, read_state(path))
