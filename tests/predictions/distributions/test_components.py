"""Validation of components, and shrinkage of weights towards uniform."""

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from predictions.distributions.components import Component, components_from_json, shrink, uniform_component
from tests.factories import component_with, dealt_component, stratified_component, tilted_component

TILTED = tilted_component()
weights = st.floats(1.0, 20.0)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"white": [math.nan] + [1.0] * 68}, "every white weight must be positive and finite"),
        ({"white": [math.inf] + [1.0] * 68}, "every white weight must be positive and finite"),
        ({"white": [0.0] + [1.0] * 68}, "every white weight must be positive and finite"),
        ({"powerball": [-1.0] + [1.0] * 25}, "every Powerball weight must be positive and finite"),
        ({"white": [20.1] + [1.0] * 68}, "the white weights differ by more than 20 times"),
        ({"powerball": [0.04] + [1.0] * 25}, "the Powerball weights differ by more than 20 times"),
        ({"white": [1e-300] + [1e300] * 68}, "the white weights differ by more than 20 times"),
        ({"white": [1.0] * 68}, "68 white weights, not 69"),
        ({"powerball": [1.0] * 27}, "27 Powerball weights, not 26"),
        ({"share": 0.0}, "share 0.0 is not in"),
        ({"share": -0.5}, "share -0.5 is not in"),
        ({"share": 1.01}, "share 1.01 is not in"),
        ({"share": math.nan}, "share nan is not in"),
        ({"share": None}, "not a stored component"),
        ({"white": None}, "not a stored component"),
        ({"white": ["heavy"] * 69}, "could not convert"),
        ({"white": [10**400] * 69}, "not a stored component"),
        ({"dealt": "yes"}, "dealt 'yes' is neither true nor false"),
        ({"dealt": 1}, "dealt 1 is neither true nor false"),
        ({"dealt": None}, "dealt None is neither true nor false"),
        ({"dealt": True, "white": [2.0] + [1.0] * 68}, "dealt with equal weights and no strata"),
        ({"dealt": True, "powerball": [2.0] + [1.0] * 25}, "dealt with equal weights and no strata"),
    ],
)
def test_a_broken_model_cannot_become_a_component(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        component_with(**changes)


def test_the_widest_allowed_weights_are_twenty_to_one() -> None:
    assert component_with(white=[20.0] + [1.0] * 68).white[0] == 20


@pytest.mark.parametrize("key", ["strategy", "share", "white", "powerball"])
def test_a_stored_component_without_one_of_its_keys_is_refused(key: str) -> None:
    stored = TILTED.as_json()
    del stored[key]
    with pytest.raises(ValueError, match=f"not a stored component: KeyError\\('{key}'\\)"):
        Component.from_json(stored)


@pytest.mark.parametrize("stored", [None, [], "uniform", 7])
def test_invalid_stored_component_is_rejected(stored: Any) -> None:
    with pytest.raises(ValueError, match="not a stored component"):
        Component.from_json(stored)


def test_only_a_deck_stores_that_it_is_dealt() -> None:
    deck = dealt_component()
    assert deck.as_json()["dealt"] is True
    assert Component.from_json(json.loads(json.dumps(deck.as_json()))) == deck
    assert "dealt" not in uniform_component().as_json()
    assert component_with(dealt=False) == uniform_component()


def test_a_deck_has_no_strata() -> None:
    with pytest.raises(ValueError, match="deck: a deck is dealt with equal weights and no strata"):
        stratified_component(dealt_component())


@settings(deadline=None)
@given(
    st.lists(weights, min_size=69, max_size=69),
    st.lists(weights, min_size=26, max_size=26),
    st.floats(0, 1, exclude_min=True),
)
def test_a_component_survives_its_stored_form_unchanged(
    white: list[float], powerball: list[float], share: float
) -> None:
    component = Component("v2", share, tuple(white), tuple(powerball))
    assert Component.from_json(json.loads(json.dumps(component.as_json()))) == component


@pytest.mark.parametrize("shares", [[], [0.5], [0.5, 0.4], [0.7, 0.4]])
def test_mixture_with_shares_not_summing_to_one_is_rejected(shares: list[float]) -> None:
    with pytest.raises(ValueError, match="must sum to 1"):
        components_from_json([uniform_component().as_json() | {"share": share} for share in shares])


# Shrinking


def test_strength_zero_is_uniform_and_strength_one_keeps_the_ratios() -> None:
    assert shrink(TILTED.white, 0) == (1.0,) * 69
    unshrunk = shrink(TILTED.white, 1)
    assert [weight / unshrunk[0] for weight in unshrunk] == pytest.approx(
        [weight / TILTED.white[0] for weight in TILTED.white]
    )
    halved = shrink(TILTED.white, 0.5)
    assert (halved[68] / halved[0]) ** 2 == pytest.approx(TILTED.white[68] / TILTED.white[0])


@settings(deadline=None)
@given(st.lists(st.floats(1e-6, 1e6), min_size=69, max_size=69), st.floats(0, 1))
def test_shrunk_weights_keep_their_order_and_are_always_a_component_s(
    raw: list[float], strength: float
) -> None:
    shrunk = shrink(raw, strength)
    assert component_with(white=list(shrunk)).white == shrunk
    assert (np.diff(np.array(shrunk)[np.argsort(raw)]) >= 0).all()
