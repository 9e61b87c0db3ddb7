"""`random_forest`: two forests over what was known of each ball, one for white balls, one for Powerballs."""

import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from predictions.distribution import Component
from predictions.features import WARM_UP, History, ball_features, targets
from predictions.modes.base import HELD_OUT, Mode, RawWeights, Skill, measured_skill, odds, shrunk_component

if TYPE_CHECKING:
    from sklearn.ensemble import RandomForestClassifier

# The one type in our files that skops does not know. Nothing a file itself asks for is ever added.
TRUSTED_TYPES = ["sklearn.tree._tree.Tree"]


class RandomForest(Mode):
    """Each row of the training set is one ball before one draw; the label is whether it was drawn.

    Leaves are large and trees shallow: on a fair lottery a forest that fits more only memorises.
    """

    name = "random_forest"
    code_version = 1
    suffix = ".skops"
    minimum_draws = WARM_UP + 2 * HELD_OUT + 100
    libraries = ("numpy", "scikit-learn", "skops")

    def __init__(self, trees: int = 64, max_depth: int = 6, min_samples_leaf: int = 200) -> None:
        self.trees = trees
        self.max_depth = max_depth
        self.min_samples_leaf = min_samples_leaf

    def parameters(self) -> dict[str, Any]:
        return {
            "trees": self.trees,
            "max_depth": self.max_depth,
            "min_samples_leaf": self.min_samples_leaf,
        }

    def fit(self, history: History, seed: int) -> Self:
        self.check_enough(history)
        white, red = history.white_hits(), history.powerball_hits()
        features = ball_features(white), ball_features(red)

        def weights_of(first: int, count: int) -> RawWeights:
            rows = slice(first, first + count)
            forests = (
                self._forest(features[0], white, first, seed),
                self._forest(features[1], red, first, seed),
            )
            return _chances(forests, features[0][rows], features[1][rows])

        self.skill_ = measured_skill(self.name, history, weights_of)
        self.white_forest_ = self._forest(features[0], white, len(history), seed)
        self.powerball_forest_ = self._forest(features[1], red, len(history), seed)
        return self

    def _forest(
        self, features: NDArray[np.float32], hits: NDArray[np.float64], end: int, seed: int
    ) -> "RandomForestClassifier":
        """A forest that has seen draws WARM_UP … end-1."""
        from sklearn.ensemble import RandomForestClassifier

        forest = RandomForestClassifier(
            n_estimators=self.trees,
            max_depth=self.max_depth,
            min_samples_leaf=self.min_samples_leaf,
            max_samples=0.25,
            random_state=seed,
            n_jobs=-1,
        )
        rows = slice(WARM_UP, end)
        forest.fit(features[rows].reshape(-1, features.shape[2]), targets(hits, rows))
        # Threads add up the trees' votes in no fixed order; one thread gives the same sum every time.
        return forest.set_params(n_jobs=1)

    def predict(self, history: History) -> list[Component]:
        forests = self.white_forest_, self.powerball_forest_
        latest = [ball_features(hits)[-1:] for hits in (history.white_hits(), history.powerball_hits())]
        white, red = _chances(forests, latest[0], latest[1])
        return [shrunk_component(self.name, white[0].tolist(), red[0].tolist(), self.skill_.strength)]

    def skill(self) -> Skill:
        return self.skill_

    def save(self, path: Path) -> None:
        from skops.io import dump

        state = {
            "parameters": self.parameters(),
            "skill": self.skill_.as_json(),
            "white": self.white_forest_,
            "powerball": self.powerball_forest_,
        }
        dump(state, path, compression=zipfile.ZIP_DEFLATED, compresslevel=9)

    @classmethod
    def load(cls, path: Path) -> Self:
        from skops.io import load

        state = load(path, trusted=TRUSTED_TYPES)
        mode = cls(**state["parameters"])
        mode.skill_ = Skill(**state["skill"])
        mode.white_forest_, mode.powerball_forest_ = state["white"], state["powerball"]
        return mode


def _chances(
    forests: tuple["RandomForestClassifier", "RandomForestClassifier"],
    white_features: NDArray[np.float32],
    powerball_features: NDArray[np.float32],
) -> RawWeights:
    """Weights for each draw: the odds of every white ball, the chance of every Powerball."""
    white, red = (
        forest.predict_proba(features.reshape(-1, features.shape[2]))[:, 1].reshape(features.shape[:2])
        for forest, features in zip(forests, (white_features, powerball_features), strict=True)
    )
    return odds(white), np.clip(red, 0.001, 0.999)
