"""A mode beside uniform: differences between draws, and the plain sentence of what they mean."""

import math
from statistics import fmean, stdev

import pytest

from predictions.distributions.components import uniform_component
from predictions.evaluation.comparison import Comparison, compare, log_loss_gains
from predictions.evaluation.intervals import student_quantile
from predictions.modes.base import Mixture
from predictions.modes.features import History
from predictions.modes.walk_forward import WalkFigures, figures_of
from tests.factories import fair_history, random_component

DRAWS = 40


@pytest.fixture(scope="module")
def history() -> History:
    return fair_history(DRAWS)


@pytest.fixture(scope="module")
def uniform(history: History) -> WalkFigures:
    return figures(history, [[uniform_component()]] * DRAWS)


def figures(history: History, laws: list[Mixture]) -> WalkFigures:
    return figures_of(laws, history, range(DRAWS))


def with_losses(uniform: WalkFigures, losses: list[float]) -> WalkFigures:
    return WalkFigures.from_json(uniform.as_json() | {"joint": losses})


def comparison(uniform: WalkFigures, middle: float, spread: float) -> Comparison:
    """Of a mode that gains so much on uniform, a bit more and a bit less on every other draw."""
    losses = [loss - middle + spread * (-1) ** place for place, loss in enumerate(uniform.joint)]
    return compare("v2", with_losses(uniform, losses), uniform)


def test_the_difference_has_its_standard_error_and_students_interval_between_draws(
    history: History, uniform: WalkFigures
) -> None:
    own = figures(history, [[random_component(seed)] for seed in range(DRAWS)])

    found = compare("v2", own, uniform)

    differences = [theirs - loss for theirs, loss in zip(uniform.joint, own.joint, strict=True)]
    error = stdev(differences) / math.sqrt(DRAWS)
    reach = student_quantile(0.975, DRAWS - 1) * error
    assert log_loss_gains(own, uniform) == differences
    assert found.difference == pytest.approx(fmean(differences))
    assert found.difference == pytest.approx(uniform.joint[0] - found.joint)
    assert found.standard_error == pytest.approx(error)
    assert (found.low, found.high) == pytest.approx((found.difference - reach, found.difference + reach))
    assert (found.draws, found.mode) == (DRAWS, "v2")
    assert found.white == pytest.approx(fmean(own.white))
    assert found.powerball == pytest.approx(fmean(own.powerball))
    assert found.white_matches == pytest.approx(fmean(own.white_matches))
    assert found.powerball_matches == pytest.approx(fmean(own.powerball_matches))


def test_uniform_beside_itself_is_chance_and_differs_by_nothing(uniform: WalkFigures) -> None:
    found = compare("uniform", uniform, uniform)

    assert found.joint == pytest.approx(math.log(11_238_513) + math.log(26), abs=1e-13)
    assert (found.difference, found.standard_error, found.low, found.high) == (0, 0, 0, 0)
    assert found.white_matches == pytest.approx(25 / 69, abs=1e-15)
    assert found.powerball_matches == pytest.approx(1 / 26, abs=1e-15)
    (fair,) = found.calibration
    assert (fair.balls, fair.drawn) == (69 * DRAWS, 5 * DRAWS)
    assert fair.ratio == pytest.approx(1)


@pytest.mark.parametrize(
    ("middle", "sentence"),
    [
        (
            0.001,
            "no better and no worse than chance on 40 draws (95 % interval -0.0022 to +0.0042 nats a draw)",
        ),
        (
            -0.001,
            "no better and no worse than chance on 40 draws (95 % interval -0.0042 to +0.0022 nats a draw)",
        ),
        (
            -0.005,
            "measurably worse than chance on 40 draws (95 % interval -0.0082 to -0.0018 nats a draw)",
        ),
        (
            0.005,
            "better than chance on 40 draws (95 % interval +0.0018 to +0.0082 nats a draw); "
            "a fair lottery makes one mode in forty look so",
        ),
    ],
)
def test_the_sentence_says_what_the_interval_says(middle: float, sentence: str, uniform: WalkFigures) -> None:
    assert comparison(uniform, middle, 0.01).verdict == sentence


def test_classes_without_balls_are_left_out_and_the_others_hold_every_ball(
    history: History, uniform: WalkFigures
) -> None:
    found = compare("v2", figures(history, [[random_component(1)]] * DRAWS), uniform).calibration

    assert all(one.balls for one in found)
    assert sum(one.balls for one in found) == 69 * DRAWS
    assert sum(one.drawn for one in found) == 5 * DRAWS
    assert sum(one.expected for one in found) == pytest.approx(5 * DRAWS)
    for one in found:
        mean = one.expected / one.balls * 69 / 5
        assert (one.low or 0) <= mean <= (one.high or math.inf)


def test_a_comparison_is_stored_and_read_back_as_it_was(uniform: WalkFigures) -> None:
    found = comparison(uniform, 0.001, 0.01)

    assert Comparison.from_json(found.as_json()) == found


def test_figures_of_other_draws_are_refused(uniform: WalkFigures) -> None:
    with pytest.raises(ValueError, match="zip"):
        compare("v2", with_losses(uniform, uniform.joint[1:]), uniform)
