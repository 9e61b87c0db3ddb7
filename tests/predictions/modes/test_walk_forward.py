"""The figures of a fold: exact on their own draws, and made of nothing that came later."""

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
from predictions.modes.walk_forward import CALIBRATION_EDGES, WalkFigures, figures_of, walk
from predictions.training.fit_process import FitRequest, backtest
from tests.factories import fair_history, random_component, tilted_component

FIRST, STOP = 620, 626


@pytest.fixture(scope="module")
def history() -> History:
    return fair_history(STOP)


def figures(mode: str, history: History, first: int = FIRST, stop: int = STOP) -> dict[str, object]:
    """As the child process answers."""
    return backtest(FitRequest("backtest", mode, seed=1, time_limit=60, first=first, stop=stop), history)


def changed_from(history: History, draw: int) -> History:
    """Other numbers in this draw and all later ones."""
    white, powerball = history.white.copy(), history.powerball.copy()
    white[draw:], powerball[draw:] = [1, 2, 3, 4, 5], 26
    return History(white, powerball)


def test_the_figures_are_those_of_each_draw_on_its_own(history: History) -> None:
    laws: list[list[Component]] = [[random_component(seed)] for seed in range(STOP - FIRST)]

    found = figures_of(laws, history, range(FIRST, STOP))

    for place, (law, draw) in enumerate(zip(laws, range(FIRST, STOP), strict=True)):
        balls, powerball = history.white[draw].tolist(), int(history.powerball[draw])
        loss = log_loss(law, balls, powerball)
        assert (found.joint[place], found.white[place]) == (loss.joint, loss.white)
        assert found.powerball[place] == loss.powerball
        chances = inclusion_probabilities(law[0])
        assert found.white_matches[place] == pytest.approx(sum(chances[ball - 1] for ball in balls))
        reds = law[0].powerball_chances
        assert found.powerball_matches[place] == pytest.approx(reds[powerball - 1])


def test_every_ball_is_in_the_class_of_its_chance(history: History) -> None:
    law, draws = [tilted_component()], range(FIRST, STOP)
    ratios = inclusion_probabilities(law[0]) * 69 / 5

    found = figures_of([law] * len(draws), history, draws).calibration

    bounds = [-np.inf, *CALIBRATION_EDGES, np.inf]
    for (low, high), one in zip(pairwise(bounds), found, strict=True):
        inside = (ratios >= low) & (ratios < high)
        assert one.balls == inside.sum() * len(draws)
        assert one.expected == pytest.approx(ratios[inside].sum() * 5 / 69 * len(draws))
        assert one.drawn == sum(inside[history.white[draw] - 1].sum() for draw in draws)
    assert sum(one.balls for one in found) == 69 * len(draws)
    assert sum(one.drawn for one in found) == 5 * len(draws)


def test_folds_join_to_the_figures_of_all_their_draws(history: History) -> None:
    laws = [[random_component(seed)] for seed in range(6)]
    ends = list(accumulate([1, 3, 2], initial=FIRST))
    parts = [
        figures_of(laws[start - FIRST : stop - FIRST], history, range(start, stop))
        for start, stop in pairwise(ends)
    ]

    whole, joined = figures_of(laws, history, range(FIRST, STOP)), WalkFigures.joined(parts)

    assert joined.joint == whole.joint
    assert joined.powerball_matches == whole.powerball_matches
    for one, other in zip(joined.calibration, whole.calibration, strict=True):
        assert (one.balls, one.drawn) == (other.balls, other.drawn)
        assert one.expected == pytest.approx(other.expected)


def test_figures_are_stored_and_read_back_as_they_were(history: History) -> None:
    found = figures_of([[tilted_component()]], history, range(FIRST, FIRST + 1))

    assert WalkFigures.from_json(found.as_json()) == found


def test_uniform_loses_what_chance_loses_on_every_draw(history: History) -> None:
    found = WalkFigures.from_json(figures("uniform", history))

    assert found.joint == pytest.approx([UNIFORM_LOG_LOSS] * 6, abs=1e-13)
    assert found.white_matches == pytest.approx([25 / 69] * 6, abs=1e-15)
    assert found.powerball_matches == pytest.approx([1 / 26] * 6, abs=1e-15)


@pytest.mark.parametrize("mode", ["random_forest", "v1", "v2", "hybrid"])
def test_no_law_of_a_fold_knows_its_draw_or_a_later_one(mode: str, history: History) -> None:
    draw = FIRST + 3
    laws = [
        walk(MEASURED[mode](), given, range(FIRST, STOP), 1).laws
        for given in (history, changed_from(history, draw))
    ]

    assert laws[0][: draw - FIRST + 1] == laws[1][: draw - FIRST + 1]
    assert laws[0][draw - FIRST + 1] != laws[1][draw - FIRST + 1]  # though it does learn, from the next on


def test_the_same_seed_and_draws_give_the_same_figures(history: History) -> None:
    assert figures("v2", history) == figures("v2", history)


def test_a_v1_that_was_measured_without_v2_says_so(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = figures("v1", history)
    monkeypatch.setitem(sys.modules, "xgboost", None)  # as where it is not installed

    without = figures("v1", history)

    assert whole["note"] == ""
    assert without["note"] == "ai_guided is left out, for v2 has no law of this draw"
    joined = WalkFigures.joined([WalkFigures.from_json(one) for one in (without, without)])
    fair = WalkFigures.joined([WalkFigures.from_json(figures("uniform", history))] * 2)
    assert "ai_guided is left out" in compare("v1", joined, fair).verdict
