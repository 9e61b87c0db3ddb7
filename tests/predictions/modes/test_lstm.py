"""`lstm` without TensorFlow, and with files that could contain code."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from predictions.draws.sources import load_draw_history
from predictions.modes.features import History
from predictions.modes.lstm import Lstm
from predictions.training.trainer import FitError, train


def some_history(draws: int = 60) -> History:
    generator = np.random.default_rng(3)
    white = np.sort(np.array([generator.choice(69, 5, replace=False) + 1 for _ in range(draws)]), axis=1)
    return History(white, generator.integers(1, 27, draws))


def test_window_does_not_contain_its_draw_or_later_ones() -> None:
    from predictions.modes.lstm import _encode

    mode, history = Lstm(window=5), some_history()
    changed = History(history.white.copy(), history.powerball.copy())
    changed.white[40:] = [1, 2, 3, 4, 5]
    changed.powerball[40:] = 1

    before, after = (mode._windows(_encode(draws), range(40, 42)) for draws in (history, changed))

    np.testing.assert_array_equal(before[0], after[0])
    assert (before[1] != after[1]).any()


@pytest.mark.django_db
def test_without_tensorflow_the_mode_fails_by_name_with_what_to_install(
    real_draws: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Shadows the real package in the child process.
    (tmp_path / "tensorflow.py").write_text("raise ModuleNotFoundError(\"No module named 'tensorflow'\")")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    with pytest.raises(FitError, match=r"lstm needs TensorFlow.*pip install tensorflow-cpu"):
        train("lstm", load_draw_history())


@pytest.mark.parametrize("content", [b"", b"not a zip file"])
def test_a_foreign_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.keras"
    path.write_bytes(content)

    with pytest.raises(ValueError, match=r"model\.keras is not a saved model of lstm"):
        Lstm.load(path)


def test_a_file_with_a_layer_that_can_run_code_is_refused_before_keras_sees_it(tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    layers = [{"class_name": "InputLayer"}, {"class_name": "Lambda"}]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(
            "config.json", json.dumps({"class_name": "Functional", "config": {"layers": layers}})
        )
        archive.writestr("shiol.json", json.dumps({"parameters": {}, "skill": {}}))

    with pytest.raises(ValueError, match="contains layers that lstm does not use: Lambda"):
        Lstm.load(path)
