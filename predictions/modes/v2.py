"""`v2`: gradient-boosted trees for white balls and for Powerballs, on features of each ball."""

import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from predictions.modes.base import HELD_OUT, common_state
from predictions.modes.features import WARM_UP, History, ball_features, flatten, training_set
from predictions.modes.shrinkage import RawWeights, ShrinkageMode, raw_weights

if TYPE_CHECKING:
    from xgboost import Booster

    Boosters = tuple[Booster, Booster]  # of white balls, of Powerballs

STATE_FILE = "shiol.json"
BOOSTER_FILES = ("white.ubj", "powerball.ubj")  # XGBoost's own format, which cannot contain code


class V2(ShrinkageMode):
    """Classifies whether a ball is drawn, with one training row per ball and draw."""

    name = "v2"
    code_version = 1
    suffix = ".zip"
    minimum_draws = WARM_UP + 2 * HELD_OUT + 100
    libraries = ("numpy", "xgboost", "xgboost-cpu")

    def __init__(
        self, rounds: int = 50, max_depth: int = 3, eta: float = 0.05, min_child_weight: float = 20.0
    ) -> None:
        self.rounds = rounds
        self.max_depth = max_depth
        self.eta = eta
        self.min_child_weight = min_child_weight

    def fit_raw(self, history: History, seed: int) -> "Boosters":
        return (
            self._fit_booster(history.white_hits(), seed),
            self._fit_booster(history.powerball_hits(), seed),
        )

    def _fit_booster(self, hits: NDArray[np.float64], seed: int) -> "Booster":
        xgboost = _import_xgboost()
        features, drawn = training_set(hits)
        return xgboost.train(
            {
                "objective": "binary:logistic",
                "base_score": float(hits.mean()),
                "max_depth": self.max_depth,
                "eta": self.eta,
                "min_child_weight": self.min_child_weight,
                "subsample": 0.5,
                "seed": seed,
                "nthread": 1,  # several threads add sums in no fixed order
            },
            xgboost.DMatrix(features, label=drawn),
            num_boost_round=self.rounds,
        )

    def raw_weights(self, model: "Boosters", history: History, draws: range) -> RawWeights:
        white, red = (
            _predict_probabilities(booster, ball_features(hits)[draws.start : draws.stop])
            for booster, hits in zip(model, (history.white_hits(), history.powerball_hits()), strict=True)
        )
        return raw_weights(white, red)

    def save(self, path: Path) -> None:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(STATE_FILE, json.dumps(common_state(self) | {"strength": self.strength_}))
            for name, booster in zip(BOOSTER_FILES, self.model_, strict=True):
                archive.writestr(name, bytes(booster.save_raw("ubj")))

    @classmethod
    def load(cls, path: Path) -> Self:
        xgboost = _import_xgboost()
        try:
            with zipfile.ZipFile(path) as archive:
                state = json.loads(archive.read(STATE_FILE))
                boosters = [bytearray(archive.read(name)) for name in BOOSTER_FILES]
            mode = cls.from_state(path, state)
            mode.strength_ = float(state["strength"])
            white, red = (xgboost.Booster(model_file=booster) for booster in boosters)
        except (zipfile.BadZipFile, KeyError, ValueError, xgboost.core.XGBoostError) as error:
            raise ValueError(f"{path.name} is not a saved model of {cls.name}: {error}") from error
        mode.model_ = (white, red)
        return mode


def _predict_probabilities(booster: "Booster", features: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the predicted probability of each ball in each draw, shape (draws, balls)."""
    probabilities = booster.inplace_predict(flatten(features))
    return np.asarray(probabilities, dtype=np.float64).reshape(features.shape[:2])


def _import_xgboost() -> Any:
    try:
        import xgboost
    except ImportError as error:
        raise ImportError(
            f"v2 needs XGBoost, which cannot be imported ({error}); "
            "install it with `pip install xgboost-cpu` (or `xgboost`)"
        ) from error
    return xgboost
