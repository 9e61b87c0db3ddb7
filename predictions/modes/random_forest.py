"""`random_forest`: one forest for white balls and one for Powerballs, on features of each ball."""

import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from predictions.modes.base import HELD_OUT, common_state
from predictions.modes.features import WARM_UP, History, ball_features, flatten, training_set
from predictions.modes.shrinkage import RawWeights, ShrinkageMode, raw_weights

if TYPE_CHECKING:
    from sklearn.ensemble import RandomForestClassifier

    Forests = tuple[RandomForestClassifier, RandomForestClassifier]  # of white balls, of Powerballs

# The only type in our files that skops does not trust by default. Never extend this by what a file contains.
TRUSTED_TYPES = ["sklearn.tree._tree.Tree"]


class RandomForest(ShrinkageMode):
    """Classifies whether a ball is drawn, with one training row per ball and draw.

    Leaves are large and trees shallow, because on a fair lottery a closer fit is only memorisation.
    """

    name = "random_forest"
    code_version = 2
    suffix = ".skops"
    minimum_draws = WARM_UP + 2 * HELD_OUT + 100
    libraries = ("numpy", "scikit-learn", "skops")

    def __init__(self, trees: int = 64, max_depth: int = 6, min_samples_leaf: int = 200) -> None:
        self.trees = trees
        self.max_depth = max_depth
        self.min_samples_leaf = min_samples_leaf

    def fit_raw(self, history: History, seed: int) -> "Forests":
        white, red = history.white_hits(), history.powerball_hits()
        return self._fit_forest(white, seed), self._fit_forest(red, seed)

    def _fit_forest(self, hits: NDArray[np.float64], seed: int) -> "RandomForestClassifier":
        from sklearn.ensemble import RandomForestClassifier

        forest = RandomForestClassifier(
            n_estimators=self.trees,
            max_depth=self.max_depth,
            min_samples_leaf=self.min_samples_leaf,
            max_samples=0.25,
            random_state=seed,
            n_jobs=-1,
        )
        forest.fit(*training_set(hits))
        # Threads add the votes in no fixed order, so predict with one thread to be reproducible.
        return forest.set_params(n_jobs=1)

    def raw_weights(self, model: "Forests", history: History, draws: range) -> RawWeights:
        white, red = (
            _predict_probabilities(forest, ball_features(hits)[draws.start : draws.stop])
            for forest, hits in zip(model, (history.white_hits(), history.powerball_hits()), strict=True)
        )
        return raw_weights(white, red)

    def save(self, path: Path) -> None:
        from skops.io import dump

        state = common_state(self) | {
            "strength": self.strength_,
            "white": self.model_[0],
            "powerball": self.model_[1],
        }
        dump(state, path, compression=zipfile.ZIP_DEFLATED, compresslevel=9)

    @classmethod
    def load(cls, path: Path) -> Self:
        from skops.io import load
        from skops.io.exceptions import UntrustedTypesFoundException

        try:
            state = load(path, trusted=TRUSTED_TYPES)
            mode = cls.from_state(path, state)
            mode.strength_, mode.model_ = state["strength"], (state["white"], state["powerball"])
        except (zipfile.BadZipFile, UntrustedTypesFoundException, KeyError, TypeError) as error:
            raise ValueError(f"{path.name} is not a saved model of {cls.name}: {error}") from error
        return mode


def _predict_probabilities(
    forest: "RandomForestClassifier", features: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Return the predicted probability of each ball in each draw, shape (draws, balls)."""
    probabilities: NDArray[np.float64] = forest.predict_proba(flatten(features))[:, 1]
    return probabilities.reshape(features.shape[:2])
