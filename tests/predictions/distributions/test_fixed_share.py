"""The fixed-share rule: shares adapt to observed draws and never reach zero."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predictions.distributions.fixed_share import ALPHA, equal_shares, fixed_share_update

NAMES = ("a", "b", "c", "d")
LIKELIHOODS = st.lists(st.floats(-40, 0), min_size=4, max_size=4)


@given(st.lists(LIKELIHOODS, min_size=1, max_size=20))
def test_shares_sum_to_one_and_keep_the_floor(draws: list[list[float]]) -> None:
    shares = equal_shares(NAMES)
    for draw in draws:
        shares = fixed_share_update(shares, dict(zip(NAMES, draw, strict=True)))

    assert math.fsum(shares.values()) == pytest.approx(1)
    assert min(shares.values()) >= ALPHA / len(NAMES) * (1 - 1e-9)


def test_one_step_is_the_rule_as_written() -> None:
    shares = fixed_share_update({"a": 0.2, "b": 0.8}, {"a": math.log(0.5), "b": math.log(0.25)})

    assert shares == pytest.approx({"a": 0.99 * 0.1 / 0.3 + 0.005, "b": 0.99 * 0.2 / 0.3 + 0.005})


@given(LIKELIHOODS)
def test_equal_evidence_keeps_equal_shares_equal(draw: list[float]) -> None:
    draw[1] = draw[0]

    shares = fixed_share_update(equal_shares(NAMES), dict(zip(NAMES, draw, strict=True)))

    assert shares["a"] == shares["b"]


def test_absent_strategy_keeps_its_share() -> None:
    shares = fixed_share_update({"a": 0.5, "b": 0.3, "c": 0.2}, {"a": -2.0, "b": -1.0})

    assert shares["c"] == 0.2
    assert shares["a"] + shares["b"] == pytest.approx(0.8)
    assert shares["b"] / 0.3 > shares["a"] / 0.5
    assert fixed_share_update({"a": 0.5, "b": 0.5}, {}) == {"a": 0.5, "b": 0.5}


def test_likelihoods_of_any_size_do_not_overflow() -> None:
    shares = fixed_share_update({"a": 0.5, "b": 0.5}, {"a": -5000.0, "b": -5010.0})

    assert shares["a"] == pytest.approx(0.995, abs=1e-3)
