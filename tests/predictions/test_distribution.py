"""The law of a ticket: its likelihood and inclusion probabilities against enumeration."""

import math
from itertools import combinations, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from predictions.distribution import (
    UNIFORM_LOG_LOSS,
    Component,
    elementary_symmetric,
    inclusion_probabilities,
    log_loss,
    powerball_log_likelihood,
    uniform_component,
    white_log_likelihood,
)
from tests.factories import component_with, tilted_component

TILTED = tilted_component("tilted")

weights = st.floats(1.0, 20.0)


def test_the_uniform_law_loses_19_4930_nats_on_every_draw() -> None:
    loss = log_loss([uniform_component()], [3, 18, 36, 41, 54], 7)
    assert loss.joint == pytest.approx(math.log(11_238_513) + math.log(26), abs=1e-9)
    assert loss.white == pytest.approx(math.log(11_238_513), abs=1e-9)
    assert loss.powerball == pytest.approx(math.log(26), abs=1e-12)
    assert f"{UNIFORM_LOG_LOSS:.4f}" == "19.4930"


@settings(deadline=None)
@given(st.lists(weights, min_size=5, max_size=9))
def test_elementary_symmetric_polynomials_are_the_sums_over_all_sets(balls: list[float]) -> None:
    enumerated = [math.fsum(math.prod(chosen) for chosen in combinations(balls, order)) for order in range(6)]
    assert elementary_symmetric(balls, 5) == pytest.approx(enumerated)


def test_the_likelihoods_of_all_white_sets_sum_to_one() -> None:
    # Three weights over 20, 24 and 25 balls: one set stands for all with as many balls of each weight.
    sizes = (20, 24, 25)
    component = component_with(white=[1.0] * 20 + [2.5] * 24 + [7.0] * 25)
    total = 0.0
    for counts in product(range(6), repeat=3):
        if sum(counts) == 5:
            firsts = zip((1, 21, 45), counts, strict=True)
            balls = [first + offset for first, count in firsts for offset in range(count)]
            sets = math.prod(math.comb(size, count) for size, count in zip(sizes, counts, strict=True))
            total += sets * math.exp(white_log_likelihood(component, balls))
    assert total == pytest.approx(1, abs=1e-12)


def test_the_likelihoods_of_all_powerballs_sum_to_one() -> None:
    chances = [math.exp(powerball_log_likelihood(TILTED, ball)) for ball in range(1, 27)]
    assert math.fsum(chances) == pytest.approx(1, abs=1e-12)
    assert chances[25] / chances[0] == pytest.approx(1.5)


def test_the_ratio_of_two_likelihoods_is_the_ratio_of_the_weights_that_differ() -> None:
    heavier = white_log_likelihood(TILTED, [1, 2, 3, 4, 69])
    assert heavier - white_log_likelihood(TILTED, [1, 2, 3, 4, 5]) == pytest.approx(math.log(1.68 / 1.04))


def test_the_scale_of_the_weights_does_not_matter() -> None:
    larger = component_with(white=[weight * 1e200 for weight in TILTED.white], powerball=TILTED.powerball)
    balls = [4, 18, 36, 41, 69]
    assert white_log_likelihood(larger, balls) == pytest.approx(white_log_likelihood(TILTED, balls))


def test_a_mixture_s_loss_is_of_the_weighted_sum_of_the_joint_likelihoods() -> None:
    balls, red = [7, 14, 24, 30, 56], 7
    mixture = [component_with(share=0.25), Component("tilted", 0.75, TILTED.white, TILTED.powerball)]
    white = math.exp(white_log_likelihood(TILTED, balls))
    powerball = math.exp(powerball_log_likelihood(TILTED, red))
    loss = log_loss(mixture, balls, red)
    assert loss.joint == pytest.approx(-math.log(0.25 / 292_201_338 + 0.75 * white * powerball))
    assert loss.white == pytest.approx(-math.log(0.25 / 11_238_513 + 0.75 * white))
    assert loss.powerball == pytest.approx(-math.log(0.25 / 26 + 0.75 * powerball))


@settings(deadline=None, max_examples=10)
@given(st.lists(weights, min_size=69, max_size=69))
def test_five_white_balls_are_included_in_all(balls: list[float]) -> None:
    assert math.fsum(inclusion_probabilities(balls)) == pytest.approx(5, abs=1e-9)


def test_inclusion_probabilities_are_those_of_enumeration() -> None:
    balls = [1.0, 3.0, 0.5, 2.0, 1.5, 4.0, 0.25, 1.0]
    total = math.fsum(math.prod(chosen) for chosen in combinations(balls, 5))
    with_ball = [
        math.fsum(
            math.prod(balls[i] for i in chosen) for chosen in combinations(range(8), 5) if ball in chosen
        )
        for ball in range(8)
    ]
    assert inclusion_probabilities(balls) == pytest.approx([one / total for one in with_ball])
