"""Confidence: the percentile of a ticket's exact likelihood among uniform tickets."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from predictions.distributions.components import Component, log_likelihood, uniform_component
from predictions.distributions.confidence import ConfidenceScale, confidence_scale, reference_tickets
from predictions.distributions.sampling import Tickets, generator_for, sample
from predictions.distributions.strata import Strata, hypergeometric_table
from tests.factories import (
    THIRDS,
    component_with,
    dealt_component,
    peaked_component,
    random_component,
    stratified_component,
    tilted_component,
)

FAIR_THIRDS = Strata(THIRDS, hypergeometric_table(THIRDS))
EVEN_WITHIN_THIRDS = [0.3] * 23 + [0.7] * 23 + [1.1] * 23  # uniform together with FAIR_THIRDS


@pytest.fixture(scope="module")
def uniform_tickets() -> Tickets:
    return sample(uniform_component(), 20_000, generator_for(99))


@pytest.mark.parametrize(
    "component",
    [
        uniform_component(),
        component_with(white=[3.7] * 69, powerball=[0.3] * 26),
        dealt_component(),
        replace(component_with(white=[0.1] * 69), strata=FAIR_THIRDS),
        replace(component_with(white=EVEN_WITHIN_THIRDS), strata=FAIR_THIRDS),
        component_with(strata=Strata((7, 30, 31, 40), hypergeometric_table((7, 30, 31, 40))).as_json()),
    ],
    ids=["uniform", "equal weights", "deck", "fair thirds", "even thirds", "fair strata"],
)
def test_a_component_without_an_opinion_is_exactly_half_confident(
    component: Component, uniform_tickets: Tickets
) -> None:
    assert (ConfidenceScale(component).of(uniform_tickets) == 0.5).all()


@pytest.mark.parametrize("component", [random_component(3), stratified_component(random_component(3))])
def test_confidence_is_uniform_over_uniform_tickets(component: Component, uniform_tickets: Tickets) -> None:
    confidence = ConfidenceScale(component).of(uniform_tickets)
    assert confidence.mean() == pytest.approx(0.5, abs=0.01)
    assert stats.kstest(confidence, "uniform").pvalue > 0.01


@pytest.mark.parametrize(
    "component",
    [peaked_component(), stratified_component(uniform_component()), component_with(powerball=[2] + [1] * 25)],
    ids=["few weights", "strata alone", "one Powerball"],
)
def test_confidence_is_a_half_on_average_however_many_tickets_tie(
    component: Component, uniform_tickets: Tickets
) -> None:
    scale = ConfidenceScale(component)
    assert len(np.unique(scale.of(uniform_tickets))) < 100
    assert scale.of(uniform_tickets).mean() == pytest.approx(0.5, abs=0.01)
    assert scale.of(reference_tickets()).mean() == pytest.approx(0.5, abs=1e-12)


def test_tickets_of_equal_weights_tie_exactly_in_whatever_order_their_balls_are(
    uniform_tickets: Tickets,
) -> None:
    component = component_with(white=[1.3, 2.7, 0.9] * 23)
    counts = [(uniform_tickets[:, :5] % 3 == residue).sum(axis=1) for residue in range(3)]
    assert len(np.unique(np.array(counts), axis=1).T) == 21
    assert len(np.unique(ConfidenceScale(component).of(uniform_tickets))) == 21


@pytest.mark.parametrize("component", [tilted_component(), stratified_component(uniform_component())])
def test_a_component_is_more_confident_of_its_own_tickets(component: Component) -> None:
    own = sample(component, 20_000, generator_for(98))
    assert ConfidenceScale(component).of(own).mean() > 0.55


@pytest.mark.parametrize("component", [random_component(4), stratified_component(random_component(4))])
def test_the_likelier_a_ticket_the_higher_its_confidence(
    component: Component, uniform_tickets: Tickets
) -> None:
    tickets = uniform_tickets[:2_000]
    likelihoods = [log_likelihood(component, ticket[:5], ticket[5]) for ticket in tickets.tolist()]
    confidence = ConfidenceScale(component).of(tickets)
    assert (np.diff(confidence[np.argsort(likelihoods)]) >= 0).all()


def test_confidence_stays_between_zero_and_one_at_the_ends() -> None:
    component = component_with(white=[20.0] * 5 + [1.0] * 59 + [1.5] * 5, powerball=[20.0] + [1.0] * 25)
    ends = np.array([[1, 2, 3, 4, 5, 1], [10, 11, 12, 13, 14, 2]], dtype=np.uint8)
    best, worst = ConfidenceScale(component).of(ends)
    assert 0.999 < best <= 1
    assert 0 <= worst < 0.5


def test_a_component_s_scale_is_computed_once_whatever_its_name_and_share(uniform_tickets: Tickets) -> None:
    component = random_component(5)
    scale = confidence_scale(component)
    assert confidence_scale(replace(component, strategy="ai_guided", share=0.3)) is scale
    assert confidence_scale(stratified_component(component)) is not scale
    assert (scale.of(uniform_tickets) == ConfidenceScale(component).of(uniform_tickets)).all()
