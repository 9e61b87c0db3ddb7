"""Ticket distributions: likelihoods and inclusion probabilities against enumeration, and mixtures."""

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from predictions.distributions.components import (
    UNIFORM_LOG_LOSS,
    Component,
    WhiteBallDistribution,
    elementary_symmetric,
    inclusion_probabilities,
    log_loss,
    mixture_inclusion,
    powerball_log_likelihood,
    uniform_component,
    white_log_likelihood,
)
from predictions.distributions.strata import Table, compositions, hypergeometric_table
from tests.factories import component_with, stratified_component, tilted_component
from tests.predictions.blocks import block_component, block_probabilities

TILTED = tilted_component("tilted")

weights = st.floats(1.0, 20.0)
few_balls = st.lists(weights, min_size=6, max_size=9)
cuts_of_few_balls = st.sampled_from([(), (3,), (1, 4), (2, 3, 5)])


def some_table(cuts: tuple[int, ...], balls: int) -> Table:
    """Return a table that is not hypergeometric, or the trivial one without cuts."""
    if not cuts:
        return (((5,), 1.0),)
    possible = compositions(cuts, balls)
    total = len(possible) * (len(possible) + 1) / 2
    return tuple((counts, rank / total) for rank, counts in enumerate(possible, start=1))


def few_ball_distribution(balls: list[float], cuts: tuple[int, ...]) -> WhiteBallDistribution:
    return WhiteBallDistribution(balls, cuts, some_table(cuts, len(balls)))


def enumerate_sets(distribution: WhiteBallDistribution, balls: int) -> dict[tuple[int, ...], float]:
    """Return the probability of every set of five out of a few balls."""
    return {
        chosen: math.exp(distribution.log_likelihood(chosen))
        for chosen in combinations(range(1, balls + 1), 5)
    }


# Likelihood


def test_the_uniform_distribution_loses_19_4930_nats_on_every_draw() -> None:
    loss = log_loss([uniform_component()], [3, 18, 36, 41, 54], 7)
    assert loss.joint == pytest.approx(math.log(11_238_513) + math.log(26), abs=1e-9)
    assert loss.white == pytest.approx(math.log(11_238_513), abs=1e-9)
    assert loss.powerball == pytest.approx(math.log(26), abs=1e-12)
    assert f"{UNIFORM_LOG_LOSS:.4f}" == "19.4930"


@settings(deadline=None)
@given(st.lists(weights, min_size=5, max_size=9))
def test_elementary_symmetric_polynomials_are_the_sums_over_all_sets(balls: list[float]) -> None:
    for first in range(len(balls) + 1):
        sums = [math.fsum(map(math.prod, combinations(balls[:first], order))) for order in range(6)]
        assert elementary_symmetric(balls, 5)[first].tolist() == pytest.approx(sums)


@settings(deadline=None)
@given(few_balls, cuts_of_few_balls)
def test_the_likelihoods_of_all_sets_of_a_few_balls_sum_to_one(
    balls: list[float], cuts: tuple[int, ...]
) -> None:
    distribution = few_ball_distribution(balls, cuts)
    assert math.fsum(enumerate_sets(distribution, len(balls)).values()) == pytest.approx(1, abs=1e-12)


@settings(deadline=None)
@given(few_balls)
def test_without_strata_a_set_is_as_likely_as_its_weights_product_is_large(balls: list[float]) -> None:
    total = math.fsum(map(math.prod, combinations(balls, 5)))
    for chosen, probability in enumerate_sets(few_ball_distribution(balls, ()), len(balls)).items():
        assert probability == pytest.approx(math.prod(balls[ball - 1] for ball in chosen) / total)


@settings(deadline=None)
@given(few_balls)
def test_with_strata_the_table_gives_the_counts_and_the_weights_the_balls(balls: list[float]) -> None:
    cuts, size = (1, 4), len(balls)
    table = dict(some_table(cuts, size))
    probabilities = enumerate_sets(few_ball_distribution(balls, cuts), size)
    for counts, probability in table.items():
        matching = {
            chosen: math.prod(balls[ball - 1] for ball in chosen)
            for chosen in probabilities
            if (sum(ball <= 1 for ball in chosen), sum(1 < ball <= 4 for ball in chosen)) == counts[:2]
        }
        assert math.fsum(probabilities[chosen] for chosen in matching) == pytest.approx(probability)
        for chosen, product in matching.items():
            assert probabilities[chosen] == pytest.approx(
                probability * product / math.fsum(matching.values())
            )


@pytest.mark.parametrize("component", [block_component(), stratified_component(block_component())])
def test_the_likelihoods_of_all_white_sets_sum_to_one(component: Component) -> None:
    assert math.fsum(block_probabilities(component).values()) == pytest.approx(1, abs=1e-12)


def test_the_likelihoods_of_all_powerballs_sum_to_one() -> None:
    probabilities = [math.exp(powerball_log_likelihood(TILTED, ball)) for ball in range(1, 27)]
    assert math.fsum(probabilities) == pytest.approx(1, abs=1e-12)
    assert probabilities[25] / probabilities[0] == pytest.approx(1.5)


def test_the_ratio_of_two_likelihoods_is_the_ratio_of_the_weights_that_differ() -> None:
    heavier = white_log_likelihood(TILTED, [1, 2, 3, 4, 69])
    assert heavier - white_log_likelihood(TILTED, [1, 2, 3, 4, 5]) == pytest.approx(math.log(1.68 / 1.04))


@settings(deadline=None, max_examples=20)
@given(
    st.lists(weights, min_size=69, max_size=69),
    st.sets(st.integers(1, 69), min_size=5, max_size=5),
    st.floats(1e-300, 1e300),
    st.booleans(),
)
def test_the_scale_of_the_weights_does_not_matter(
    white: list[float], balls: set[int], scale: float, with_strata: bool
) -> None:
    component = component_with(white=white)
    scaled = component_with(white=[weight * scale for weight in white], powerball=[scale] * 26)
    if with_strata:
        component, scaled = stratified_component(component), stratified_component(scaled)
    drawn = sorted(balls)
    assert white_log_likelihood(scaled, drawn) == pytest.approx(white_log_likelihood(component, drawn))
    assert powerball_log_likelihood(scaled, 7) == pytest.approx(-math.log(26))


def test_weights_too_large_to_be_summed_still_make_a_distribution() -> None:
    huge = component_with(white=[1.7e308] * 69, powerball=[1.7e308] * 26)
    assert log_loss([huge], [1, 2, 3, 4, 5], 6).joint == pytest.approx(UNIFORM_LOG_LOSS)


# Mixtures


def test_a_mixture_s_loss_is_of_the_weighted_sum_of_the_joint_likelihoods() -> None:
    balls, red = [7, 14, 24, 30, 56], 7
    mixture = [component_with(share=0.25), Component("tilted", 0.75, TILTED.white, TILTED.powerball)]
    white = math.exp(white_log_likelihood(TILTED, balls))
    powerball = math.exp(powerball_log_likelihood(TILTED, red))
    loss = log_loss(mixture, balls, red)
    assert loss.joint == pytest.approx(-math.log(0.25 / 292_201_338 + 0.75 * white * powerball))
    assert loss.white == pytest.approx(-math.log(0.25 / 11_238_513 + 0.75 * white))
    assert loss.powerball == pytest.approx(-math.log(0.25 / 26 + 0.75 * powerball))


def test_a_mixture_s_chances_are_its_components_weighted_by_share() -> None:
    mixture = [tilted_component("a", 0.25), component_with(strategy="b", share=0.75)]
    white, powerball = mixture_inclusion(mixture)
    assert white == pytest.approx(0.25 * inclusion_probabilities(TILTED) + 0.75 * 5 / 69)
    probabilities = np.array(TILTED.powerball) / sum(TILTED.powerball)
    assert powerball == pytest.approx(0.25 * probabilities + 0.75 / 26)
    assert (white.sum(), powerball.sum()) == pytest.approx((5, 1))


# Inclusion


@settings(deadline=None, max_examples=20)
@given(st.lists(weights, min_size=69, max_size=69), st.booleans())
def test_five_white_balls_are_included_in_all(balls: list[float], with_strata: bool) -> None:
    component = component_with(white=balls)
    probabilities = inclusion_probabilities(stratified_component(component) if with_strata else component)
    assert probabilities.shape == (69,)
    assert math.fsum(probabilities) == pytest.approx(5, abs=1e-9)


@settings(deadline=None)
@given(few_balls, cuts_of_few_balls)
def test_inclusion_probabilities_are_those_of_enumeration(balls: list[float], cuts: tuple[int, ...]) -> None:
    distribution = few_ball_distribution(balls, cuts)
    probabilities = enumerate_sets(distribution, len(balls))
    with_ball = [
        math.fsum(probability for chosen, probability in probabilities.items() if ball in chosen)
        for ball in range(1, len(balls) + 1)
    ]
    assert distribution.inclusion_probabilities() == pytest.approx(with_ball, rel=1e-12)


def test_inclusion_probabilities_lose_no_digits_where_one_ball_outweighs_the_rest() -> None:
    # Five of six balls: only one set lacks the heavy ball.
    distribution = WhiteBallDistribution([20.0] + [1.0] * 5)
    assert distribution.inclusion_probabilities()[0] == pytest.approx(100 / 101, rel=1e-15)


def test_strata_of_a_fair_draw_change_nothing_under_equal_weights() -> None:
    distribution = WhiteBallDistribution([1.0] * 69, (23, 46), hypergeometric_table((23, 46)))
    assert distribution.inclusion_probabilities() == pytest.approx(np.full(69, 5 / 69), rel=1e-12)
    for balls in ([1, 2, 3, 4, 5], [1, 24, 25, 68, 69], [23, 24, 46, 47, 69]):
        assert distribution.log_likelihood(balls) == pytest.approx(-math.log(11_238_513), rel=1e-14)
