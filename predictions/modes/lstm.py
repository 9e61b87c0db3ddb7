"""`lstm`: a recurrent network over the latest draws with outputs for white balls and Powerballs."""

import json
import os
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from predictions.modes.base import HELD_OUT, common_state
from predictions.modes.features import History
from predictions.modes.shrinkage import RawWeights, ShrinkageMode, raw_weights
from predictions.powerball import POWERBALL_MAX, WHITE_BALLS, WHITE_MAX

if TYPE_CHECKING:
    import keras

STATE_FILE = "shiol.json"  # added to the .keras archive, which is a zip file
KNOWN_LAYERS = {
    "Functional",
    "InputLayer",
    "LSTM",
    "Dropout",
    "Dense",
}  # none of them can run code from a file
STOPPING_DRAWS = 100  # the newest training draws, used only for early stopping


class Lstm(ShrinkageMode):
    """Starts at the uniform distribution and trains while the loss on later draws decreases.

    The input of a draw is the `window` draws before it, each encoded as 69 + 26 zeros and ones.
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
        """Return the `window` rows before each draw, shape (draws, window, 95)."""
        return np.stack([rows[draw - self.window : draw] for draw in draws])

    def fit_raw(self, history: History, seed: int) -> "keras.Model":
        keras = _import_keras()
        keras.utils.set_random_seed(seed)
        network = self._build_network()
        rows = _encode(history)
        split = len(history) - STOPPING_DRAWS
        training, validation = range(self.window, split), range(split, len(history))
        network.fit(
            self._windows(rows, training),
            _targets(history, training),
            validation_data=(self._windows(rows, validation), _targets(history, validation)),
            batch_size=32,
            epochs=self.epochs,
            callbacks=[keras.callbacks.EarlyStopping(patience=self.patience, restore_best_weights=True)],
            verbose=0,
        )
        return network

    def _build_network(self) -> "keras.Model":
        keras = _import_keras()
        inputs = keras.Input((self.window, WHITE_MAX + POWERBALL_MAX))
        state = keras.layers.LSTM(self.units)(inputs)
        state = keras.layers.Dropout(self.dropout)(state)
        # Zero weights and a bias at the base rate: the untrained network predicts uniform.
        base_rate = WHITE_BALLS / WHITE_MAX
        white = keras.layers.Dense(
            WHITE_MAX,
            activation="sigmoid",
            kernel_initializer="zeros",
            bias_initializer=keras.initializers.Constant(float(np.log(base_rate / (1 - base_rate)))),
            name="white",
        )(state)
        red = keras.layers.Dense(
            POWERBALL_MAX, activation="softmax", kernel_initializer="zeros", name="powerball"
        )(state)
        network = keras.Model(inputs, {"white": white, "powerball": red})
        network.compile(
            optimizer=keras.optimizers.Adam(1e-3),
            loss={"white": "binary_crossentropy", "powerball": "categorical_crossentropy"},
            # Keras averages over the 69 white balls, but the log-likelihood is their sum.
            loss_weights={"white": float(WHITE_MAX), "powerball": 1.0},
        )
        return network

    def raw_weights(self, model: "keras.Model", history: History, draws: range) -> RawWeights:
        outputs = model(self._windows(_encode(history), draws), training=False)
        white, red = (np.asarray(outputs[name], dtype=np.float64) for name in ("white", "powerball"))
        return raw_weights(white, red)

    def save(self, path: Path) -> None:
        self.model_.save(path)
        state = common_state(self) | {"strength": self.strength_}
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr(STATE_FILE, json.dumps(state))

    @classmethod
    def load(cls, path: Path) -> Self:
        try:
            with zipfile.ZipFile(path) as archive:
                state = json.loads(archive.read(STATE_FILE))
                config = json.loads(archive.read("config.json"))
        except (zipfile.BadZipFile, KeyError, ValueError) as error:
            raise ValueError(f"{path.name} is not a saved model of {cls.name}: {error}") from error
        if unknown := _class_names(config) - KNOWN_LAYERS:
            raise ValueError(
                f"{path.name} contains layers that {cls.name} does not use: {', '.join(sorted(unknown))}"
            )
        mode = cls.from_state(path, state)
        mode.strength_ = float(state["strength"])
        mode.model_ = _import_keras().models.load_model(path, compile=False, safe_mode=True)
        return mode


def _import_keras() -> Any:
    """Return Keras with the TensorFlow backend in deterministic mode."""
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


def _encode(history: History) -> NDArray[np.float32]:
    """Return one row of zeros and ones per draw, white balls first, shape (draws, 95)."""
    return np.hstack([history.white_hits(), history.powerball_hits()]).astype(np.float32)


def _targets(history: History, draws: range) -> dict[str, NDArray[np.float32]]:
    rows = _encode(history)[draws.start : draws.stop]
    return {"white": rows[:, :WHITE_MAX], "powerball": rows[:, WHITE_MAX:]}


def _class_names(config: dict[str, Any]) -> set[str]:
    """Return the classes of the model and its layers, as named in the archive's configuration."""
    return {config["class_name"]} | {layer["class_name"] for layer in config["config"]["layers"]}
