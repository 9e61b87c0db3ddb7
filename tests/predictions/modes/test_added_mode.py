"""The code in docs/add-a-mode.md is a working mode."""

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest
from django.conf import settings

from predictions.draws import feeds
from predictions.draws.bundled import BUNDLED_FILES
from predictions.modes.features import History
from predictions.modes.registry import Mode
from predictions.powerball import CURRENT_ERA


@pytest.fixture(scope="module")
def recent(tmp_path_factory: pytest.TempPathFactory) -> type[Mode]:
    """Return the class defined in the document."""
    (code, *_) = re.findall(
        r"```python\n(.*?)```", (settings.BASE_DIR / "docs" / "add-a-mode.md").read_text(), flags=re.DOTALL
    )
    file = tmp_path_factory.mktemp("modes") / "recent.py"
    file.write_text(code)
    spec = importlib.util.spec_from_file_location("recent", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    mode: type[Mode] = module.Recent
    return mode


@pytest.fixture(scope="module")
def history() -> History:
    rows = feeds.read(feeds.decode(BUNDLED_FILES[0].read_bytes()), "bundled")
    draws = sorted(
        (row.draw for row in rows if row.draw and row.draw.draw_date >= CURRENT_ERA.since),
        key=lambda draw: draw.draw_date,
    )
    return History(
        np.array([draw.white_balls for draw in draws]), np.array([draw.powerball for draw in draws])
    )


def test_mode_fits_measures_and_reloads(recent: type[Mode], history: History, tmp_path: Path) -> None:
    mode = recent().fit(history, seed=1)

    mode.save(tmp_path / "model.json")

    loaded = recent.load(tmp_path / "model.json")
    assert loaded.parameters() == mode.parameters() == {"span": 100, "smoothing": 50.0}
    assert loaded.predict(history) == mode.predict(history)
    assert loaded.skill_ == mode.skill_
    assert mode.skill_ is not None
    assert abs(mode.skill_.skill_nats) < 0.05  # a fair draw cannot be predicted
    with pytest.raises(ValueError, match="recent learns from at least 500 draws"):
        recent().fit(history.before(499), seed=1)


def test_prediction_does_not_depend_on_its_draw_or_later_ones(recent: type[Mode], history: History) -> None:
    mode, draw = recent().fit(history, seed=1, measure=False), len(history) - 20
    changed = History(history.white.copy(), history.powerball.copy())
    changed.white[draw:], changed.powerball[draw:] = [1, 2, 3, 4, 5], 1
    first, second = range(draw, draw + 1), range(draw + 1, draw + 2)

    assert mode.predict_many(changed, first, {}) == mode.predict_many(history, first, {})
    assert mode.predict_many(changed, second, {}) != mode.predict_many(history, second, {})
