"""Comparison of a mode with uniform: differences per draw, and the verdict."""

import math
from statistics import fmean, stdev

import pytest

from predictions.distributions.components import uniform_component
from predictions.evaluation.comparison import Comparison, compare, log_loss_gains
from predictions.evaluation.intervals import student_quantile
from predictions.modes.base import Mixture
from predictions.modes.features import History
from predictions.modes.walk_forward import WalkFigures, measure_walk
from tests.factories import fair_history, random_component

DRAWS = 40


@pytest.fixture(scope="module")
def history() -> History:
    return fair_history(DRAWS)


@pytest.fixture(scope="module")
def uniform(history: History) -> WalkFigures:
    return figures(history, [[uniform_component()]] * DRAWS)


def figures(history: History, mixtures: list[Mixture]) -> WalkFigures:
    return measure_walk(mixtures, history, range(DRAWS))


def with_losses(uniform: WalkFigures, losses: list[float]) -> WalkFigures:
    return WalkFigures.from_json(uniform.as_json() | {"joint": losses})


def comparison(uniform: WalkFigures, middle: float, spread: float) -> Comparison:
    """Compare a mode whose gain over uniform alternates around `middle` by `spread`."""
    losses = [loss - middle + spread * (-1) ** draw for draw, loss in enumerate(uniform.joint)]
    return compare("v2", with_losses(uniform, losses), uniform)


def test_the_difference_has_its_standard_error_and_students_interval_between_draws(
    history: History, uniform: WalkFigures
) -> None:
    own = figures(history, [[random_component(seed)] for seed in range(DRAWS)])

    result = compare("v2", own, uniform)

    differences = [baseline - loss for baseline, loss in zip(uniform.joint, own.joint, strict=True)]
    error = stdev(differences) / math.sqrt(DRAWS)
    margin = student_quantile(0.975, DRAWS - 1) * error
    assert log_loss_gains(own, uniform) == differences
    assert result.difference == pytest.approx(fmean(differences))
    assert result.difference == pytest.approx(uniform.joint[0] - result.joint)
    assert result.standard_error == pytest.approx(error)
    interval = (result.difference - margin, result.difference + margin)
    assert (result.low, result.high) == pytest.approx(interval)
    assert (result.draws, result.mode) == (DRAWS, "v2")
    assert result.white == pytest.approx(fmean(own.white))
    assert result.powerball == pytest.approx(fmean(own.powerball))
    assert result.white_matches == pytest.approx(fmean(own.white_matches))
    assert result.powerball_matches == pytest.approx(fmean(own.powerball_matches))


def test_uniform_compared_with_itself_is_chance_and_has_no_difference(uniform: WalkFigures) -> None:
    result = compare("uniform", uniform, uniform)

    assert result.joint == pytest.approx(math.log(11_238_513) + math.log(26), abs=1e-13)
    assert (result.difference, result.standard_error, result.low, result.high) == (0, 0, 0, 0)
    assert result.white_matches == pytest.approx(25 / 69, abs=1e-15)
    assert result.powerball_matches == pytest.approx(1 / 26, abs=1e-15)
    (fair,) = result.calibration
    assert (fair.balls, fair.drawn) == (69 * DRAWS, 5 * DRAWS)
    assert fair.ratio == pytest.approx(1)


@pytest.mark.parametrize(
    ("middle", "sentence"),
    [
        (
            0.001,
            "no better and no worse than chance on 40 draws (95 % interval -0.0022 to +0.0042 nats per draw)",
        ),
        (
            -0.001,
            "no better and no worse than chance on 40 draws (95 % interval -0.0042 to +0.0022 nats per draw)",
        ),
        (
            -0.005,
            "measurably worse than chance on 40 draws (95 % interval -0.0082 to -0.0018 nats per draw)",
        ),
        (
            0.005,
            "better than chance on 40 draws (95 % interval +0.0018 to +0.0082 nats per draw); "
            "in a fair lottery one mode in forty looks better by chance",
        ),
    ],
)
def test_the_verdict_follows_from_the_interval(middle: float, sentence: str, uniform: WalkFigures) -> None:
    assert comparison(uniform, middle, 0.01).verdict == sentence


def test_bins_without_balls_are_left_out_and_the_others_contain_every_ball(
    history: History, uniform: WalkFigures
) -> None:
    bins = compare("v2", figures(history, [[random_component(1)]] * DRAWS), uniform).calibration

    assert all(bin_.balls for bin_ in bins)
    assert sum(bin_.balls for bin_ in bins) == 69 * DRAWS
    assert sum(bin_.drawn for bin_ in bins) == 5 * DRAWS
    assert sum(bin_.expected for bin_ in bins) == pytest.approx(5 * DRAWS)
    for bin_ in bins:
        mean = bin_.expected / bin_.balls * 69 / 5
        assert (bin_.low or 0) <= mean <= (bin_.high or math.inf)


def test_a_comparison_is_stored_and_read_back_as_it_was(uniform: WalkFigures) -> None:
    result = comparison(uniform, 0.001, 0.01)

    assert Comparison.from_json(result.as_json()) == result


def test_figures_of_other_draws_are_refused(uniform: WalkFigures) -> None:
    with pytest.raises(ValueError, match="zip"):
        compare("v2", with_losses(uniform, uniform.joint[1:]), uniform)
