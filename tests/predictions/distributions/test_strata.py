"""Strata: every composition of five balls has a positive probability, in code and in the stored form."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from predictions.distributions.components import Component, inclusion_probabilities, uniform_component
from predictions.distributions.strata import (
    Strata,
    balanced_table,
    compositions,
    hypergeometric_table,
    stratum_sizes,
)
from tests.factories import THIRDS, stratified_component, tilted_component

HALF_BALANCED = Strata(THIRDS, balanced_table(THIRDS, 0.5))
BALANCED = {(1, 2, 2), (2, 1, 2), (2, 2, 1)}

some_cuts = st.sets(st.integers(1, 68), min_size=1, max_size=5).map(lambda cuts: tuple(sorted(cuts)))


# Tables


def test_five_balls_spread_over_three_strata_in_21_ways() -> None:
    assert stratum_sizes(THIRDS) == (23, 23, 23)
    assert len(compositions(THIRDS)) == 21
    assert compositions(THIRDS)[:3] == ((0, 0, 5), (0, 1, 4), (0, 2, 3))


def test_a_stratum_gives_no_more_balls_than_it_has() -> None:
    assert compositions((2,), 6) == ((1, 4), (2, 3))


@settings(deadline=None, max_examples=25)
@given(some_cuts)
def test_a_fair_draw_s_table_lists_every_composition_and_sums_to_one(cuts: tuple[int, ...]) -> None:
    table = hypergeometric_table(cuts)
    assert tuple(counts for counts, _ in table) == compositions(cuts)
    assert math.fsum(probability for _, probability in table) == pytest.approx(1, abs=1e-12)
    Strata(cuts, table)


def test_a_fair_draw_is_of_one_third_of_the_numbers_as_often_as_it_must() -> None:
    table = dict(hypergeometric_table(THIRDS))
    assert table[(5, 0, 0)] == 33_649 / 11_238_513
    assert table[(2, 2, 1)] == 253 * 253 * 23 / 11_238_513


def test_balanced_table_mixes_fair_and_balanced_counts() -> None:
    fair, table = dict(hypergeometric_table(THIRDS)), dict(balanced_table(THIRDS, 0.5))
    balanced = math.fsum(fair[counts] for counts in BALANCED)
    for counts, probability in table.items():
        restricted = fair[counts] / balanced if counts in BALANCED else 0
        assert probability == pytest.approx(0.5 * fair[counts] + 0.5 * restricted)
    assert math.fsum(table.values()) == pytest.approx(1, abs=1e-12)
    assert balanced_table(THIRDS, 0) == hypergeometric_table(THIRDS)


def test_balanced_counts_differ_by_at_most_one() -> None:
    fair, favoured = dict(hypergeometric_table((30,))), dict(balanced_table((30,), 0.5))
    assert {counts for counts in fair if favoured[counts] > fair[counts]} == {(2, 3), (3, 2)}


@pytest.mark.parametrize("share", [-0.1, 1, 1.5, math.nan])
def test_a_share_that_would_make_draws_impossible_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="is not in"):
        balanced_table(THIRDS, share)


def test_cuts_that_leave_nothing_balanced_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\[1\] leave no balanced composition"):
        balanced_table((1,), 0.5)


@pytest.mark.parametrize("cuts", [(), (0,), (69,), (46, 23), (23, 23), (-1, 5), (10, 20, 30, 40, 50, 60)])
def test_cuts_that_do_not_divide_the_balls_are_refused(cuts: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="do not divide 69 balls into 2 to 6 strata"):
        hypergeometric_table(cuts)


# The stored form


def test_strata_are_in_a_component_s_stored_form_and_absent_without_them() -> None:
    stored = stratified_component(tilted_component()).as_json()
    assert stored["strata"]["cuts"] == [23, 46]
    assert stored["strata"]["table"][0] == [[0, 0, 5], HALF_BALANCED.table[0][1]]
    assert "dealt" not in stored
    assert set(tilted_component().as_json()) == {"strategy", "share", "white", "powerball"}


@settings(deadline=None, max_examples=25)
@given(some_cuts, st.randoms(use_true_random=False))
def test_strata_survive_their_stored_form_unchanged(cuts: tuple[int, ...], random: Any) -> None:
    weights = [random.uniform(0.01, 1) for _ in compositions(cuts)]
    table = tuple(
        (counts, weight / math.fsum(weights))
        for counts, weight in zip(compositions(cuts), weights, strict=True)
    )
    component = replace(tilted_component(), strata=Strata(cuts, table))
    assert Component.from_json(json.loads(json.dumps(component.as_json()))) == component


def change_probability(row: int, probability: object) -> Callable[[dict[str, Any]], None]:
    def change(strata: dict[str, Any]) -> None:
        strata["table"][row][1] = probability

    return change


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (change_probability(0, 0.0), "every probability must be positive and finite"),
        (change_probability(0, -0.1), "every probability must be positive and finite"),
        (change_probability(0, math.nan), "every probability must be positive and finite"),
        (change_probability(0, math.inf), "every probability must be positive and finite"),
        (change_probability(0, 0.5), "not to 1"),
        (change_probability(0, "half"), "could not convert"),
        (change_probability(0, None), "not stored strata"),
        (change_probability(0, 10**400), "not stored strata"),
        (lambda strata: strata.pop("table"), "not stored strata: KeyError"),
        (lambda strata: strata.pop("cuts"), "not stored strata: KeyError"),
        (lambda strata: strata["table"].pop(), "must list all 21 compositions"),
        (lambda strata: strata["table"].append([[5, 0, 0], 0.1]), "must list all 21 compositions"),
        (lambda strata: strata["table"].reverse(), "must list all 21 compositions"),
        (lambda strata: strata["table"][0].append(0.1), "too many values"),
        (lambda strata: strata["table"][0][0].append(0), "must list all 21 compositions"),
        (lambda strata: strata["table"][0].__setitem__(0, [0.0, 0.0, 5.0]), "must be integers"),
        (lambda strata: strata["table"][0].__setitem__(0, [False, False, 5]), "must be integers"),
        (lambda strata: strata["table"].__setitem__(0, 5), "not stored strata"),
        (lambda strata: strata.update(table=5), "not stored strata"),
        (lambda strata: strata.update(cuts=23), "not stored strata"),
        (lambda strata: strata.update(cuts=[23.0, 46.0]), "must be integers"),
        (lambda strata: strata.update(cuts=["23", "46"]), "must be integers"),
        (lambda strata: strata.update(cuts=[20, 69]), "do not divide 69 balls"),
        (lambda strata: strata.update(cuts=list(range(1, 69))), "do not divide 69 balls"),
        (lambda strata: strata.update(cuts=[23]), "must list all 6 compositions"),
    ],
)
def test_broken_strata_cannot_become_a_component(
    change: Callable[[dict[str, Any]], object], reason: str
) -> None:
    stored = json.loads(json.dumps(stratified_component(tilted_component()).as_json()))
    change(stored["strata"])
    with pytest.raises(ValueError, match=reason):
        Component.from_json(stored)


@pytest.mark.parametrize("strata", [None, [], [23, 46], "thirds", 3, {}])
def test_invalid_strata_are_rejected(strata: object) -> None:
    with pytest.raises(ValueError, match="not stored strata"):
        Component.from_json(uniform_component().as_json() | {"strata": strata})


# The distribution


def test_the_balls_of_a_stratum_share_what_the_table_gives_it() -> None:
    even = replace(uniform_component(), strata=HALF_BALANCED)
    expected = [
        math.fsum(probability * counts[stratum] for counts, probability in HALF_BALANCED.table) / 23
        for stratum in range(3)
        for _ in range(23)
    ]
    assert inclusion_probabilities(even) == pytest.approx(expected)
