"""`lstm`: a recurrent network over the latest draws, with one output for white balls, one for Powerballs."""

import json
import os
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from predictions.modes.base import HELD_OUT, state_of
from predictions.modes.features import History
from predictions.modes.shrinkage import RawWeights, ShrinkageMode, raw_weights
from predictions.powerball import POWERBALL_MAX, WHITE_BALLS, WHITE_MAX

if TYPE_CHECKING:
    import keras

STATE_FILE = "shiol.json"  # beside Keras's own members in the .keras archive, which is a zip file
KNOWN_LAYERS = {"Functional", "InputLayer", "LSTM", "Dropout", "Dense"}  # none of which runs a file's code
STOPPING_DRAWS = 100  # the newest of those fitted on; the loss on them says when to stop


class Lstm(ShrinkageMode):
    """The network starts at the uniform law and learns only as long as the loss on later draws falls.

    Each input is the latest `window` draws, one row of 69 + 26 zeros and ones a draw.
    """

    name = "lstm"
    code_version = 2
    suffix = ".keras"
    minimum_draws = 2 * HELD_OUT + STOPPING_DRAWS + 200
    libraries = ("numpy", "keras", "tensorflow", "tensorflow-cpu")

    def __init__(
        self, window: int = 20, units: int = 32, dropout: float = 0.2, epochs: int = 12, patience: int = 2
    ) -> None:
        self.window = window
        self.units = units
        self.dropout = dropout
        self.epochs = epochs
        self.patience = patience

    def _windows(self, rows: NDArray[np.float32], draws: range) -> NDArray[np.float32]:
        """Shape (draws, window, 95): what came right before each draw, and nothing of it or after it."""
        return np.stack([rows[draw - self.window : draw] for draw in draws])

    def fit_raw(self, history: History, seed: int) -> "keras.Model":
        """A network that has seen this history; the newest draws only stop it and never move a weight."""
        keras = _keras()
        keras.utils.set_random_seed(seed)
        network = self._untrained()
        rows = _rows(history)
        stopping_from = len(history) - STOPPING_DRAWS
        learned, stopping = range(self.window, stopping_from), range(stopping_from, len(history))
        network.fit(
            self._windows(rows, learned),
            _targets(history, learned),
            validation_data=(self._windows(rows, stopping), _targets(history, stopping)),
            batch_size=32,
            epochs=self.epochs,
            callbacks=[keras.callbacks.EarlyStopping(patience=self.patience, restore_best_weights=True)],
            verbose=0,
        )
        return network

    def _untrained(self) -> "keras.Model":
        keras = _keras()
        latest = keras.Input((self.window, WHITE_MAX + POWERBALL_MAX))
        state = keras.layers.LSTM(self.units)(latest)
        state = keras.layers.Dropout(self.dropout)(state)
        # Zero weights and a bias at the base rate: before the first step the law is uniform.
        chance = WHITE_BALLS / WHITE_MAX
        white = keras.layers.Dense(
            WHITE_MAX,
            activation="sigmoid",
            kernel_initializer="zeros",
            bias_initializer=keras.initializers.Constant(float(np.log(chance / (1 - chance)))),
            name="white",
        )(state)
        red = keras.layers.Dense(
            POWERBALL_MAX, activation="softmax", kernel_initializer="zeros", name="powerball"
        )(state)
        network = keras.Model(latest, {"white": white, "powerball": red})
        network.compile(
            optimizer=keras.optimizers.Adam(1e-3),
            loss={"white": "binary_crossentropy", "powerball": "categorical_crossentropy"},
            # Keras averages over the 69 white balls; the likelihood is their sum.
            loss_weights={"white": float(WHITE_MAX), "powerball": 1.0},
        )
        return network

    def raw_weights(self, model: "keras.Model", history: History, draws: range) -> RawWeights:
        chances = model(self._windows(_rows(history), draws), training=False)
        white, red = (np.asarray(chances[name], dtype=np.float64) for name in ("white", "powerball"))
        return raw_weights(white, red)

    def save(self, path: Path) -> None:
        self.model_.save(path)
        state = state_of(self) | {"strength": self.strength_}
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr(STATE_FILE, json.dumps(state))

    @classmethod
    def load(cls, path: Path) -> Self:
        try:
            with zipfile.ZipFile(path) as archive:
                state = json.loads(archive.read(STATE_FILE))
                config = json.loads(archive.read("config.json"))
        except (zipfile.BadZipFile, KeyError, ValueError) as error:
            raise ValueError(f"{path.name} is not a model that {cls.name} has saved: {error}") from error
        if unknown := _layers(config) - KNOWN_LAYERS:
            raise ValueError(
                f"{path.name} holds layers that {cls.name} has not: {', '.join(sorted(unknown))}"
            )
        mode = cls.from_state(path, state)
        mode.strength_ = float(state["strength"])
        mode.model_ = _keras().models.load_model(path, compile=False, safe_mode=True)
        return mode


def _keras() -> Any:
    """Keras on TensorFlow, made deterministic; ImportError with what to install where it is missing."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["KERAS_BACKEND"] = "tensorflow"
    try:
        import keras
        import tensorflow
    except ImportError as error:
        raise ImportError(
            f"lstm needs TensorFlow, which cannot be imported ({error}); "
            "install it with `pip install tensorflow-cpu` (or `tensorflow`)"
        ) from error
    tensorflow.config.experimental.enable_op_determinism()
    return keras


def _rows(history: History) -> NDArray[np.float32]:
    """One row of zeros and ones a draw, white balls first: shape (draws, 95)."""
    return np.hstack([history.white_hits(), history.powerball_hits()]).astype(np.float32)


def _targets(history: History, draws: range) -> dict[str, NDArray[np.float32]]:
    rows = _rows(history)[draws.start : draws.stop]
    return {"white": rows[:, :WHITE_MAX], "powerball": rows[:, WHITE_MAX:]}


def _layers(config: dict[str, Any]) -> set[str]:
    """The class of the model and of each of its layers, as the archive's configuration names them."""
    return {config["class_name"]} | {layer["class_name"] for layer in config["config"]["layers"]}
