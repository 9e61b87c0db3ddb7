"""Decks: no repeated balls within a deck, and each ticket uniformly distributed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from predictions.distributions.sampling import Tickets, component_order, draw_tickets, generator_for, sample
from tests.factories import component_with, dealt_component, tilted_component
from tests.predictions.blocks import block_p_value

DECK = dealt_component()


def assert_decks(tickets: Tickets) -> None:
    """Assert the guarantees of a deck, for whole decks and an incomplete last one."""
    for first in range(0, len(tickets), 26):
        deck = tickets[first : first + 26]
        assert len(np.unique(deck[:, 5])) == len(deck)
        for half in (deck[:13, :5], deck[13:, :5]):
            assert len(np.unique(half)) == half.size


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 200), st.integers(0, 2**62))
def test_no_white_ball_repeats_in_half_a_deck_and_every_powerball_comes_once(count: int, seed: int) -> None:
    tickets = sample(DECK, count, generator_for(seed))
    white = tickets[:, :5].astype(int)
    assert tickets.shape == (count, 6)
    assert (np.diff(white, axis=1) > 0).all()
    assert (white.min() >= 1) & (white.max() <= 69)
    assert_decks(tickets)


def test_a_whole_deck_holds_all_powerballs_and_65_white_balls_a_half() -> None:
    tickets = sample(DECK, 26, generator_for(4))
    assert sorted(tickets[:, 5].tolist()) == list(range(1, 27))
    assert len(np.unique(tickets[:13, :5])) == len(np.unique(tickets[13:, :5])) == 65


def test_decks_stay_whole_where_a_sample_is_long_enough_to_be_drawn_in_blocks() -> None:
    tickets = sample(DECK, 60_000, generator_for(5))
    assert_decks(tickets)
    assert (np.sort(tickets[: 2307 * 26, 5].reshape(-1, 26), axis=1) == np.arange(1, 27)).all()


@pytest.fixture(scope="module")
def decks() -> Tickets:
    return sample(DECK, 26 * 20_000, generator_for(20_261_129)).reshape(-1, 26, 6)


@pytest.mark.parametrize("position", [0, 12, 13, 25])
def test_the_ticket_at_one_position_of_many_decks_is_uniform(position: int, decks: Tickets) -> None:
    tickets = decks[:, position]
    assert block_p_value(component_with(), tickets) > 0.001
    assert stats.chisquare(np.bincount(tickets[:, 5], minlength=27)[1:]).pvalue > 0.001


def test_the_powerball_is_independent_of_the_white_balls_of_its_ticket(decks: Tickets) -> None:
    tickets = decks[:, 7]
    table = np.zeros((2, 26))
    np.add.at(table, ((tickets[:, :5].sum(axis=1) > 175).astype(int), tickets[:, 5] - 1), 1)
    assert stats.chi2_contingency(table).pvalue > 0.001


def test_the_halves_of_a_deck_are_dealt_apart(decks: Tickets) -> None:
    """Tickets of one half share no ball; tickets of different halves share as many as any two tickets."""
    first, other_half = decks[:, 0, :5], decks[:, 13, :5]
    shared = (first[:, :, None] == other_half[:, None, :]).sum(axis=(1, 2))
    assert shared.mean() == pytest.approx(25 / 69, abs=0.02)


def test_a_deck_stays_a_deck_inside_a_mixture() -> None:
    mixture = [tilted_component("tilted", 0.6), dealt_component("deck", 0.4)]
    order = component_order([600, 400], seed=3)
    assert_decks(draw_tickets(mixture, order, generator_for(3))[order == 1])
