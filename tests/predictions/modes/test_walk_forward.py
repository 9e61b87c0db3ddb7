"""The figures of a fold: exact, and independent of its own and later draws."""

import sys
from itertools import accumulate, pairwise

import numpy as np
import pytest

from predictions.distributions.components import (
    UNIFORM_LOG_LOSS,
    Component,
    inclusion_probabilities,
    log_loss,
)
from predictions.evaluation.comparison import compare
from predictions.modes.features import History
from predictions.modes.registry import MEASURED
from predictions.modes.walk_forward import CALIBRATION_EDGES, WalkFigures, measure_walk, walk
from predictions.training.fit_process import FitRequest, backtest
from tests.factories import fair_history, random_component, tilted_component

FIRST, STOP = 620, 626


@pytest.fixture(scope="module")
def history() -> History:
    return fair_history(STOP)


def figures(mode: str, history: History, first: int = FIRST, stop: int = STOP) -> dict[str, object]:
    """Return what the fit process computes."""
    return backtest(FitRequest("backtest", mode, seed=1, time_limit=60, first=first, stop=stop), history)


def changed_from(history: History, draw: int) -> History:
    """Return a history with other numbers in this draw and all later ones."""
    white, powerball = history.white.copy(), history.powerball.copy()
    white[draw:], powerball[draw:] = [1, 2, 3, 4, 5], 26
    return History(white, powerball)


def test_figures_are_those_of_each_single_draw(history: History) -> None:
    mixtures: list[list[Component]] = [[random_component(seed)] for seed in range(STOP - FIRST)]

    result = measure_walk(mixtures, history, range(FIRST, STOP))

    for index, (mixture, draw) in enumerate(zip(mixtures, range(FIRST, STOP), strict=True)):
        balls, powerball = history.white[draw].tolist(), int(history.powerball[draw])
        loss = log_loss(mixture, balls, powerball)
        assert (result.joint[index], result.white[index]) == (loss.joint, loss.white)
        assert result.powerball[index] == loss.powerball
        white = inclusion_probabilities(mixture[0])
        assert result.white_matches[index] == pytest.approx(sum(white[ball - 1] for ball in balls))
        red = mixture[0].powerball_probabilities
        assert result.powerball_matches[index] == pytest.approx(red[powerball - 1])


def test_every_ball_is_in_the_bin_of_its_probability(history: History) -> None:
    mixture, draws = [tilted_component()], range(FIRST, STOP)
    ratios = inclusion_probabilities(mixture[0]) * 69 / 5

    calibration = measure_walk([mixture] * len(draws), history, draws).calibration

    bounds = [-np.inf, *CALIBRATION_EDGES, np.inf]
    for (low, high), counts in zip(pairwise(bounds), calibration, strict=True):
        inside = (ratios >= low) & (ratios < high)
        assert counts.balls == inside.sum() * len(draws)
        assert counts.expected == pytest.approx(ratios[inside].sum() * 5 / 69 * len(draws))
        assert counts.drawn == sum(inside[history.white[draw] - 1].sum() for draw in draws)
    assert sum(counts.balls for counts in calibration) == 69 * len(draws)
    assert sum(counts.drawn for counts in calibration) == 5 * len(draws)


def test_folds_join_to_the_figures_of_all_their_draws(history: History) -> None:
    mixtures = [[random_component(seed)] for seed in range(6)]
    ends = list(accumulate([1, 3, 2], initial=FIRST))
    folds = [
        measure_walk(mixtures[start - FIRST : stop - FIRST], history, range(start, stop))
        for start, stop in pairwise(ends)
    ]

    whole, joined = measure_walk(mixtures, history, range(FIRST, STOP)), WalkFigures.joined(folds)

    assert joined.joint == whole.joint
    assert joined.powerball_matches == whole.powerball_matches
    for counts, expected in zip(joined.calibration, whole.calibration, strict=True):
        assert (counts.balls, counts.drawn) == (expected.balls, expected.drawn)
        assert counts.expected == pytest.approx(expected.expected)


def test_figures_are_stored_and_read_back_as_they_were(history: History) -> None:
    original = measure_walk([[tilted_component()]], history, range(FIRST, FIRST + 1))

    assert WalkFigures.from_json(original.as_json()) == original


def test_uniform_has_the_log_loss_of_chance_on_every_draw(history: History) -> None:
    uniform = WalkFigures.from_json(figures("uniform", history))

    assert uniform.joint == pytest.approx([UNIFORM_LOG_LOSS] * 6, abs=1e-13)
    assert uniform.white_matches == pytest.approx([25 / 69] * 6, abs=1e-15)
    assert uniform.powerball_matches == pytest.approx([1 / 26] * 6, abs=1e-15)


@pytest.mark.parametrize("mode", ["random_forest", "v1", "v2", "hybrid"])
def test_no_prediction_of_a_fold_depends_on_its_draw_or_later_ones(mode: str, history: History) -> None:
    draw = FIRST + 3
    original, changed = (
        walk(MEASURED[mode](), known, range(FIRST, STOP), 1).mixtures
        for known in (history, changed_from(history, draw))
    )

    assert original[: draw - FIRST + 1] == changed[: draw - FIRST + 1]
    assert original[draw - FIRST + 1] != changed[draw - FIRST + 1]  # the next prediction uses the draw


def test_the_same_seed_and_draws_give_the_same_figures(history: History) -> None:
    assert figures("v2", history) == figures("v2", history)


def test_v1_measured_without_v2_has_a_note(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = figures("v1", history)
    monkeypatch.setitem(sys.modules, "xgboost", None)  # as if it were not installed

    without = figures("v1", history)

    assert whole["note"] == ""
    assert without["note"] == "ai_guided is left out: v2 has no prediction for this draw"
    joined = WalkFigures.joined([WalkFigures.from_json(without), WalkFigures.from_json(without)])
    uniform = WalkFigures.joined([WalkFigures.from_json(figures("uniform", history))] * 2)
    assert "ai_guided is left out" in compare("v1", joined, uniform).verdict
