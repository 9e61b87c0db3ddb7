"""Confidence: a percentile among uniform tickets, on one scale for every law."""

import numpy as np
import pytest
from scipy import stats

from predictions.confidence import ConfidenceScale
from predictions.distribution import (
    Component,
    powerball_log_likelihood,
    uniform_component,
    white_log_likelihood,
)
from predictions.sampling import generator_for, sample
from tests.factories import component_with, tilted_component

TILTED = tilted_component("tilted")


def random_component(seed: int) -> Component:
    """Weights without ties or order, as a model gives them."""
    numbers = generator_for(seed).random(95)
    return Component("random", 1.0, tuple(0.5 + numbers[:69]), tuple(0.5 + numbers[69:]))


@pytest.fixture(scope="module")
def many_tickets() -> np.ndarray:
    return sample(TILTED, 200_000, generator_for(20_261_125))


def test_a_component_without_an_opinion_is_exactly_half_confident(many_tickets: np.ndarray) -> None:
    even = component_with(white=[3.7] * 69, powerball=[0.3] * 26)
    assert (ConfidenceScale(even).of(many_tickets) == 0.5).all()


def test_confidence_is_uniform_over_uniform_tickets() -> None:
    tickets = sample(uniform_component(), 20_000, generator_for(99))
    confidence = ConfidenceScale(random_component(3)).of(tickets)
    assert confidence.mean() == pytest.approx(0.5, abs=0.01)
    assert stats.kstest(confidence, "uniform").pvalue > 0.01


def test_a_component_is_more_confident_of_its_own_tickets(many_tickets: np.ndarray) -> None:
    assert ConfidenceScale(TILTED).of(many_tickets).mean() > 0.55


def test_the_likelier_a_ticket_the_higher_its_confidence() -> None:
    component = random_component(4)
    tickets = sample(uniform_component(), 2_000, generator_for(100))
    likelihoods = [
        white_log_likelihood(component, ticket[:5]) + powerball_log_likelihood(component, ticket[5])
        for ticket in tickets.tolist()
    ]
    confidence = ConfidenceScale(component).of(tickets)
    assert (np.diff(confidence[np.argsort(likelihoods)]) >= 0).all()


def test_confidence_stays_between_zero_and_one_at_the_ends() -> None:
    component = component_with(white=[20.0] * 5 + [1.0] * 59 + [1.5] * 5, powerball=[20.0] + [1.0] * 25)
    ends = np.array([[1, 2, 3, 4, 5, 1], [10, 11, 12, 13, 14, 2]], dtype=np.uint8)
    best, worst = ConfidenceScale(component).of(ends)
    assert 0.999 < best <= 1
    assert 0 <= worst < 0.5
