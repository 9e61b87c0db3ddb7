"""`hybrid`: a mixture of v2's and v1's predictions with a fixed share."""

from dataclasses import replace
from pathlib import Path
from typing import Self

from predictions.modes.base import (
    DependencyPredictions,
    Mixture,
    Mode,
    held_out,
    measure_skill,
    read_state,
    write_state,
)
from predictions.modes.features import History
from predictions.modes.v1 import V1
from predictions.modes.v2 import V2


class Hybrid(Mode):
    """`v2_share` of the tickets come from v2 and the rest from v1's strategies, under their own names."""

    name = "hybrid"
    code_version = 1
    suffix = ".json"
    minimum_draws = max(V1.minimum_draws, V2.minimum_draws)
    libraries = ("numpy",)
    requires = (V2.name, V1.name)

    def __init__(self, v2_share: float = 0.7) -> None:
        if not 0 < v2_share < 1:
            raise ValueError(f"hybrid's v2_share {v2_share}: allowed is a number between 0 and 1")
        self.v2_share = v2_share

    def fit(self, history: History, seed: int, *, measure: bool = True) -> Self:
        self.check_enough(history)
        if measure:
            v2 = V2().fit(history, seed)
            v1 = V1().fit(history, seed, v2_walk=v2.walk_)
            dependencies = {V2.name: v2.walk_, V1.name: v1.walk_}
            self.walk_ = self.predict_many(history, held_out(history), dependencies)
            self.skill_ = measure_skill(self.walk_, history)
        return self

    def predict_many(
        self, history: History, draws: range, dependencies: DependencyPredictions
    ) -> list[Mixture]:
        self.check_dependencies(dependencies)
        return [
            _scale_shares(v2, self.v2_share) + _scale_shares(v1, 1 - self.v2_share)
            for v2, v1 in zip(dependencies[V2.name], dependencies[V1.name], strict=True)
        ]

    def save(self, path: Path) -> None:
        write_state(path, self)

    @classmethod
    def load(cls, path: Path) -> Self:
        return cls.from_state(path, read_state(path))


def _scale_shares(mixture: Mixture, factor: float) -> Mixture:
    return [replace(component, share=component.share * factor) for component in mixture]
