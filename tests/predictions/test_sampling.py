"""The sampler draws exactly what the law says, the same tickets each time, and deals shares fairly."""

import json
import math
import subprocess
import sys

import numpy as np
import pytest
from django.conf import settings as django_settings
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from predictions.distribution import Component, elementary_symmetric, inclusion_probabilities
from predictions.sampling import component_order, deal, draw_tickets, generator_for, sample, ticket_keys
from tests.factories import component_with, tilted_component

TILTED = tilted_component("tilted")
GOLDEN_TICKETS = [
    [17, 18, 52, 59, 60, 21],
    [13, 19, 26, 43, 60, 3],
    [11, 17, 30, 49, 64, 20],
    [21, 29, 30, 60, 65, 23],
    [26, 33, 34, 35, 41, 16],
    [10, 27, 30, 49, 65, 7],
    [13, 34, 36, 37, 48, 22],
    [7, 27, 31, 56, 67, 12],
    [13, 24, 26, 46, 65, 16],
    [14, 15, 29, 34, 38, 12],
]
DRAW_GOLDEN_TICKETS = """
import json, sys
from predictions.distribution import Component
from predictions.sampling import generator_for, sample
component = Component.from_json(json.load(sys.stdin))
print(json.dumps(sample(component, 10, generator_for(7, 3, 0)).tolist()))
"""


@pytest.fixture(scope="module")
def many_tickets() -> np.ndarray:
    return sample(TILTED, 200_000, generator_for(20_261_125))


def test_each_white_ball_is_sampled_as_often_as_its_inclusion_probability_says(
    many_tickets: np.ndarray,
) -> None:
    exact = np.array(inclusion_probabilities(TILTED.white))
    seen = np.bincount(many_tickets[:, :5].ravel(), minlength=70)[1:]
    z = (seen - len(many_tickets) * exact) / np.sqrt(len(many_tickets) * exact * (1 - exact))
    assert np.abs(z).max() < 4  # of 69
    assert 0.5 < z.std() < 1.5


def test_each_powerball_is_sampled_as_often_as_its_weight_says(many_tickets: np.ndarray) -> None:
    exact = np.array(TILTED.powerball) / sum(TILTED.powerball)
    seen = np.bincount(many_tickets[:, 5], minlength=27)[1:]
    assert stats.chisquare(seen, len(many_tickets) * exact).pvalue > 0.001


@pytest.mark.parametrize("pair", [(1, 2), (1, 69), (30, 31), (35, 60), (68, 69)])
def test_pairs_of_white_balls_are_sampled_as_often_as_the_joint_law_says(
    many_tickets: np.ndarray, pair: tuple[int, int]
) -> None:
    others = [weight for ball, weight in enumerate(TILTED.white, start=1) if ball not in pair]
    both = TILTED.white[pair[0] - 1] * TILTED.white[pair[1] - 1] * elementary_symmetric(others, 3)[3]
    exact = both / elementary_symmetric(TILTED.white, 5)[5]
    seen = np.sum([(many_tickets[:, :5] == ball).any(axis=1) for ball in pair], axis=0) == 2
    spread = math.sqrt(len(many_tickets) * exact * (1 - exact))
    assert abs(seen.sum() - len(many_tickets) * exact) < 4 * spread


def test_the_powerball_is_independent_of_the_white_balls(many_tickets: np.ndarray) -> None:
    table = np.zeros((2, 26))
    np.add.at(table, ((many_tickets[:, :5].sum(axis=1) > 180).astype(int), many_tickets[:, 5] - 1), 1)
    assert stats.chi2_contingency(table).pvalue > 0.001


def test_every_sampled_ticket_is_valid_and_ascending(many_tickets: np.ndarray) -> None:
    white = many_tickets[:, :5].astype(int)
    assert (np.diff(white, axis=1) > 0).all()
    assert (white.min(), white.max()) == (1, 69)
    assert (many_tickets[:, 5].min(), many_tickets[:, 5].max()) == (1, 26)


def test_the_sampler_draws_the_tickets_it_has_always_drawn() -> None:
    assert sample(TILTED, 10, generator_for(7, 3, 0)).tolist() == GOLDEN_TICKETS


def test_another_process_draws_the_same_tickets() -> None:
    done = subprocess.run(
        [sys.executable, "-c", DRAW_GOLDEN_TICKETS],
        input=json.dumps(TILTED.as_json()),
        cwd=django_settings.BASE_DIR,
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == GOLDEN_TICKETS


def test_another_seed_or_key_draws_other_tickets() -> None:
    for key in [(8, 3, 0), (7, 4, 0), (7, 3, 1), (7, 3)]:
        assert sample(TILTED, 10, generator_for(*key)).tolist() != GOLDEN_TICKETS


def test_different_tickets_have_different_keys(many_tickets: np.ndarray) -> None:
    assert len(np.unique(ticket_keys(many_tickets))) == len(np.unique(many_tickets, axis=0))


def test_drawn_tickets_all_differ_even_where_a_law_repeats_itself() -> None:
    # 20 times heavier on seven balls and on two Powerballs: a plain sample of this size has repeats.
    narrow = component_with(white=[20.0] * 7 + [1.0] * 62, powerball=[20.0] * 2 + [1.0] * 24)
    plain = sample(narrow, 20_000, generator_for(1))
    assert len(np.unique(plain, axis=0)) < len(plain)
    drawn = draw_tickets([narrow], np.zeros(20_000, dtype=np.uint8), generator_for(1))
    assert len(np.unique(drawn, axis=0)) == len(drawn) == 20_000


def test_ticket_j_comes_from_the_component_that_the_order_names() -> None:
    low = Component("low", 0.5, (20.0,) * 35 + (1.0,) * 34, (20.0,) * 13 + (1.0,) * 13)
    high = Component("high", 0.5, (1.0,) * 34 + (20.0,) * 35, (1.0,) * 13 + (20.0,) * 13)
    order = component_order([3000, 1000], seed=5)
    drawn = draw_tickets([low, high], order, generator_for(5))
    for index, component in enumerate([low, high]):
        own = drawn[order == index]
        exact = sum(inclusion_probabilities(component.white)[:35]) / 5
        assert (own[:, :5] <= 35).mean() == pytest.approx(exact, abs=0.02)
    assert len(np.unique(drawn, axis=0)) == 4000


# Shares


@pytest.mark.parametrize(
    ("shares", "count", "counts"),
    [
        ([1.0], 7, [7]),
        ([0.7, 0.3], 10, [7, 3]),
        ([0.7, 0.3], 1, [1, 0]),
        ([0.29, 0.71], 100, [29, 71]),  # 0.29 * 100 is a little less than 29
        ([0.5, 0.5], 5, [3, 2]),  # a tie goes to the earlier
        ([0.25, 0.25, 0.25, 0.25], 6, [2, 2, 1, 1]),
        ([0.6, 0.25, 0.15], 5, [3, 1, 1]),
        ([0.4, 0.35, 0.25], 3, [1, 1, 1]),
        ([0.5, 0.5], 0, [0, 0]),
    ],
)
def test_tickets_are_dealt_by_largest_remainder(shares: list[float], count: int, counts: list[int]) -> None:
    assert deal(shares, count) == counts


@settings(deadline=None)
@given(st.lists(st.floats(0.001, 1), min_size=1, max_size=8), st.integers(0, 1_000_000))
def test_every_ticket_is_dealt_and_no_share_is_off_by_one(parts: list[float], count: int) -> None:
    shares = [part / math.fsum(parts) for part in parts]
    counts = deal(shares, count)
    assert sum(counts) == count
    assert all(abs(one - share * count) <= 1 for one, share in zip(counts, shares, strict=True))


def test_the_order_of_components_is_a_mixed_permutation_fixed_by_the_seed() -> None:
    order = component_order([700, 300], seed=11)
    assert np.bincount(order).tolist() == [700, 300]
    assert 0.2 < order[:200].mean() < 0.4  # a prefix has about its share of each
    assert (order == component_order([700, 300], seed=11)).all()
    assert (order != component_order([700, 300], seed=12)).any()
    assert component_order([4], seed=11).tolist() == [0, 0, 0, 0]
