"""The sampler follows each distribution exactly, is reproducible, and splits counts by share."""

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

from predictions.distributions.components import Component, elementary_symmetric, inclusion_probabilities
from predictions.distributions.sampling import (
    SAMPLER_VERSION,
    Tickets,
    component_order,
    draw_tickets,
    generator_for,
    sample,
    split_by_share,
)
from predictions.distributions.strata import Strata, hypergeometric_table
from tests.factories import (
    THIRDS,
    component_with,
    dealt_component,
    peaked_component,
    stratified_component,
    tilted_component,
)
from tests.predictions.blocks import block_component, block_p_value

TILTED = tilted_component("tilted")
STRATIFIED = stratified_component(TILTED)
MANY = 200_000

GOLDEN_TICKETS = {
    "weights": [
        [17, 18, 52, 59, 60, 21],
        [13, 19, 26, 43, 60, 3],
        [11, 17, 30, 49, 64, 20],
        [21, 29, 30, 60, 65, 23],
        [26, 33, 34, 35, 41, 16],
        [10, 27, 30, 49, 65, 11],
        [13, 34, 36, 37, 48, 7],
        [7, 27, 31, 56, 67, 22],
    ],
    "strata": [
        [17, 23, 30, 32, 61, 15],
        [4, 18, 35, 63, 64, 21],
        [33, 34, 39, 54, 67, 21],
        [1, 2, 29, 39, 55, 3],
        [3, 34, 48, 54, 57, 9],
        [5, 17, 28, 53, 59, 21],
        [16, 33, 38, 51, 59, 23],
        [5, 25, 26, 42, 43, 1],
    ],
    "deck": [
        [28, 41, 48, 49, 60, 22],
        [9, 20, 25, 27, 42, 9],
        [3, 31, 37, 58, 68, 15],
        [11, 29, 32, 59, 69, 6],
        [2, 22, 35, 39, 53, 19],
        [5, 40, 50, 62, 65, 14],
        [7, 8, 33, 43, 67, 25],
        [16, 34, 44, 63, 66, 5],
    ],
}
GOLDEN_COMPONENTS = {"weights": TILTED, "strata": STRATIFIED, "deck": dealt_component()}

# Ticket j comes from component j mod 3.
GOLDEN_MIXTURE = [
    [25, 28, 34, 48, 59, 14],
    [12, 19, 28, 41, 50, 14],
    [7, 20, 27, 35, 55, 24],
    [19, 27, 36, 43, 51, 18],
    [6, 9, 37, 43, 48, 10],
    [6, 16, 34, 41, 64, 2],
    [11, 17, 31, 65, 67, 20],
    [8, 36, 41, 46, 58, 18],
    [37, 44, 47, 54, 58, 10],
    [4, 14, 36, 49, 59, 16],
    [2, 3, 19, 39, 41, 13],
    [26, 42, 52, 66, 68, 3],
]
DRAW_GOLDEN_MIXTURE = """
import json, sys
import numpy as np
from predictions.distributions.components import Component
from predictions.distributions.sampling import draw_tickets, generator_for
components = [Component.from_json(stored) for stored in json.load(sys.stdin)]
order = np.arange(12, dtype=np.uint8) % 3
print(json.dumps(draw_tickets(components, order, generator_for(7, 3, 0)).tolist()))
"""


@pytest.fixture(scope="module")
def many_tickets() -> Tickets:
    return sample(TILTED, MANY, generator_for(20_261_125))


@pytest.fixture(scope="module")
def stratified_tickets() -> Tickets:
    return sample(STRATIFIED, MANY, generator_for(20_261_126))


@pytest.fixture(params=["many_tickets", "stratified_tickets"])
def tickets(request: pytest.FixtureRequest) -> Tickets:
    return request.getfixturevalue(request.param)


# Frequencies


@pytest.mark.parametrize(
    ("component", "name"), [(TILTED, "many_tickets"), (STRATIFIED, "stratified_tickets")]
)
def test_each_white_ball_is_sampled_as_often_as_its_inclusion_probability_says(
    component: Component, name: str, request: pytest.FixtureRequest
) -> None:
    exact = inclusion_probabilities(component)
    observed = np.bincount(request.getfixturevalue(name)[:, :5].ravel(), minlength=70)[1:]
    z = (observed - MANY * exact) / np.sqrt(MANY * exact * (1 - exact))
    assert np.abs(z).max() < 4  # the largest of 69
    assert 0.5 < z.std() < 1.5


def test_each_powerball_is_sampled_as_often_as_its_weight_says(tickets: Tickets) -> None:
    exact = np.array(TILTED.powerball) / sum(TILTED.powerball)
    observed = np.bincount(tickets[:, 5], minlength=27)[1:]
    assert stats.chisquare(observed, MANY * exact).pvalue > 0.001


@pytest.mark.parametrize("pair", [(1, 2), (1, 69), (30, 31), (35, 60), (68, 69)])
def test_pairs_of_white_balls_are_sampled_as_often_as_the_joint_distribution_says(
    many_tickets: Tickets, pair: tuple[int, int]
) -> None:
    others = [weight for ball, weight in enumerate(TILTED.white, start=1) if ball not in pair]
    both = TILTED.white[pair[0] - 1] * TILTED.white[pair[1] - 1] * elementary_symmetric(others, 3)[-1, 3]
    exact = both / elementary_symmetric(TILTED.white, 5)[-1, 5]
    has_both = np.sum([(many_tickets[:, :5] == ball).any(axis=1) for ball in pair], axis=0) == 2
    standard_deviation = math.sqrt(MANY * exact * (1 - exact))
    assert abs(has_both.sum() - MANY * exact) < 4 * standard_deviation


@pytest.mark.parametrize(
    "component",
    [
        block_component(),
        stratified_component(block_component()),
        stratified_component(component_with()),
    ],
    ids=["weights", "strata with weights", "strata alone"],
)
def test_white_sets_are_sampled_as_often_as_the_exact_distribution_says(component: Component) -> None:
    assert block_p_value(component, sample(component, MANY, generator_for(20_261_127))) > 0.001


def test_strata_of_a_fair_draw_with_equal_weights_sample_the_uniform_distribution() -> None:
    fair = component_with(strata=Strata(THIRDS, hypergeometric_table(THIRDS)).as_json())
    assert block_p_value(component_with(), sample(fair, MANY, generator_for(20_261_128))) > 0.001


def test_the_counts_of_white_sets_would_not_pass_for_those_of_another_distribution(
    stratified_tickets: Tickets,
) -> None:
    assert block_p_value(component_with(), stratified_tickets) < 1e-9


def test_the_powerball_is_independent_of_the_white_balls(tickets: Tickets) -> None:
    table = np.zeros((2, 26))
    np.add.at(table, ((tickets[:, :5].sum(axis=1) > 180).astype(int), tickets[:, 5] - 1), 1)
    assert stats.chi2_contingency(table).pvalue > 0.001


def test_every_sampled_ticket_is_valid_and_ascending(tickets: Tickets) -> None:
    white = tickets[:, :5].astype(int)
    assert (np.diff(white, axis=1) > 0).all()
    assert (white.min(), white.max()) == (1, 69)
    assert (tickets[:, 5].min(), tickets[:, 5].max()) == (1, 26)


def test_a_stratum_of_one_ball_gives_it_as_often_as_the_table_says() -> None:
    table = (((0, 5), 0.25), ((1, 4), 0.75))
    component = component_with(strata=Strata((1,), table).as_json())
    tickets = sample(component, 10_000, generator_for(9))
    assert (tickets[:, 0] == 1).mean() == pytest.approx(0.75, abs=0.02)
    assert (np.diff(tickets[:, :5].astype(int), axis=1) > 0).all()


# Golden values


@pytest.mark.parametrize("kind", GOLDEN_COMPONENTS)
def test_sampler_reproduces_its_golden_values(kind: str) -> None:
    assert SAMPLER_VERSION == 2  # if the numbers change, so must the version
    assert sample(GOLDEN_COMPONENTS[kind], 8, generator_for(7, 3, 0)).tolist() == GOLDEN_TICKETS[kind]


def test_another_process_draws_the_same_mixture() -> None:
    done = subprocess.run(
        [sys.executable, "-c", DRAW_GOLDEN_MIXTURE],
        input=json.dumps([component.as_json() for component in GOLDEN_COMPONENTS.values()]),
        cwd=django_settings.BASE_DIR,
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == GOLDEN_MIXTURE


@pytest.mark.parametrize("kind", GOLDEN_COMPONENTS)
def test_another_seed_or_key_draws_other_tickets(kind: str) -> None:
    for key in [(8, 3, 0), (7, 4, 0), (7, 3, 1), (7, 3)]:
        assert sample(GOLDEN_COMPONENTS[kind], 8, generator_for(*key)).tolist() != GOLDEN_TICKETS[kind]


@pytest.mark.parametrize("count", [0, 1, 2])
@pytest.mark.parametrize("kind", GOLDEN_COMPONENTS)
def test_few_or_no_tickets_can_be_sampled(kind: str, count: int) -> None:
    assert sample(GOLDEN_COMPONENTS[kind], count, generator_for(1)).shape == (count, 6)


# Mixtures


def test_each_index_is_sampled_once_and_repeats_remain() -> None:
    peaked = peaked_component()
    tickets = draw_tickets([peaked], np.zeros(20_000, dtype=np.uint8), generator_for(1))
    assert (tickets == sample(peaked, 20_000, generator_for(1))).all()
    assert len(np.unique(tickets, axis=0)) < 20_000


def test_ticket_j_comes_from_the_component_that_the_order_names() -> None:
    low = Component("low", 0.5, (20.0,) * 35 + (1.0,) * 34, (20.0,) * 13 + (1.0,) * 13)
    high = Component("high", 0.5, (1.0,) * 34 + (20.0,) * 35, (1.0,) * 13 + (20.0,) * 13)
    order = component_order([3000, 1000], seed=5)
    tickets = draw_tickets([low, high], order, generator_for(5))
    for index, component in enumerate([low, high]):
        own = tickets[order == index]
        exact = inclusion_probabilities(component)[:35].sum() / 5
        assert (own[:, :5] <= 35).mean() == pytest.approx(exact, abs=0.02)


def test_component_without_tickets_is_not_sampled() -> None:
    with pytest.raises(ValueError, match="component index 1 is out of range for 1 components"):
        draw_tickets([TILTED], np.array([0, 1], dtype=np.uint8), generator_for(1))


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
    assert split_by_share(shares, count) == counts


@settings(deadline=None)
@given(st.lists(st.floats(0.001, 1), min_size=1, max_size=8), st.integers(0, 1_000_000))
def test_every_ticket_is_dealt_and_no_share_is_off_by_one(weights: list[float], count: int) -> None:
    shares = [weight / math.fsum(weights) for weight in weights]
    counts = split_by_share(shares, count)
    assert sum(counts) == count
    assert all(abs(part - share * count) <= 1 for part, share in zip(counts, shares, strict=True))


def test_the_order_of_components_is_a_mixed_permutation_fixed_by_the_seed() -> None:
    order = component_order([700, 300], seed=11)
    assert np.bincount(order).tolist() == [700, 300]
    assert 0.2 < order[:200].mean() < 0.4  # a prefix has about its share of each
    assert (order == component_order([700, 300], seed=11)).all()
    assert (order != component_order([700, 300], seed=12)).any()
    assert component_order([4], seed=11).tolist() == [0, 0, 0, 0]
