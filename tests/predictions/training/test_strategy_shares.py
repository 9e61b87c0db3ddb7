"""The shares of v1's strategies, updated once by each draw, in order, and kept as a history."""

import math
from datetime import date

import pytest

from predictions.distributions.components import (
    Component,
    components_from_json,
    log_likelihood,
    uniform_component,
)
from predictions.distributions.fixed_share import ALPHA, fixed_share_update
from predictions.models import Draw, Prediction, StrategyShares
from predictions.modes.v1 import STRATEGIES, with_shares
from predictions.training import strategy_shares
from predictions.training.strategy_shares import current_shares, reset_shares, update_shares
from tests.commands import call
from tests.factories import make_prediction, tilted_component

pytestmark = pytest.mark.django_db

SATURDAY, MONDAY = date(2025, 12, 20), date(2025, 12, 22)


def component(strategy: str, share: float) -> Component:
    if strategy == "frequency_weighted":
        return tilted_component(strategy, share)
    return Component.from_json(uniform_component(strategy).as_json() | {"share": share})


def prediction_of(day: date, strategies: tuple[str, ...] = STRATEGIES) -> Prediction:
    return make_prediction("v1", day, [component(name, 1 / len(strategies)) for name in strategies])


def draw_on(day: date, *numbers: int) -> Draw:
    *white, powerball = numbers
    n1, n2, n3, n4, n5 = white
    return Draw.objects.create(
        draw_date=day, n1=n1, n2=n2, n3=n3, n4=n4, n5=n5, powerball=powerball, source="test"
    )


def test_no_draw_moves_nothing() -> None:
    prediction_of(SATURDAY)

    assert update_shares() == []
    assert current_shares() is None


def test_draw_updates_shares_by_the_rule_and_the_stored_components() -> None:
    prediction = prediction_of(SATURDAY)
    draw = draw_on(SATURDAY, 60, 61, 62, 63, 64, 26)  # high balls, which the tilted prediction prefers

    (moved,) = update_shares()

    likelihoods = {
        component.strategy: log_likelihood(component, draw.white_balls, 26)
        for component in components_from_json(prediction.components)
    }
    expected = fixed_share_update(dict.fromkeys(STRATEGIES, 1 / 6), likelihoods)
    assert current_shares() == pytest.approx(expected)
    assert moved.prediction == prediction
    assert moved.log_losses == pytest.approx({name: -likelihood for name, likelihood in likelihoods.items()})
    assert expected["frequency_weighted"] > 1 / 6 > expected["random_baseline"]
    assert expected["random_baseline"] == expected["coverage_optimizer"]


def test_draw_updates_shares_only_once() -> None:
    prediction_of(SATURDAY)
    draw_on(SATURDAY, 1, 2, 3, 4, 5, 6)

    assert [len(update_shares()), len(update_shares())] == [1, 0]


def test_concurrent_updates_by_one_draw_apply_once() -> None:
    prediction, draw = prediction_of(SATURDAY), draw_on(SATURDAY, 60, 61, 62, 63, 64, 26)

    (first, is_new), (second, again) = (
        strategy_shares._apply_draw(prediction, draw),
        strategy_shares._apply_draw(prediction, draw),
    )

    assert (first, is_new, again) == (second, True, False)
    assert StrategyShares.objects.count() == 1


def test_draws_update_shares_in_order_by_their_newest_predictions() -> None:
    prediction_of(MONDAY)
    older, newer = prediction_of(SATURDAY), prediction_of(SATURDAY)
    draw_on(MONDAY, 1, 2, 3, 4, 5, 6)
    draw_on(SATURDAY, 60, 61, 62, 63, 64, 26)

    moved = update_shares()

    assert [row.draw_date for row in moved] == [SATURDAY, MONDAY]
    assert moved[0].prediction == newer != older
    assert current_shares() == moved[1].shares


def test_draw_that_arrives_after_a_later_one_updates_nothing() -> None:
    prediction_of(SATURDAY)
    prediction_of(MONDAY)
    draw_on(MONDAY, 1, 2, 3, 4, 5, 6)
    update_shares()

    draw_on(SATURDAY, 1, 2, 3, 4, 5, 6)

    assert update_shares() == []


def test_prediction_for_a_stored_draw_uses_earlier_draws_only() -> None:
    for day in (SATURDAY, MONDAY):
        prediction_of(day)
        draw_on(day, 60, 61, 62, 63, 64, 26)

    assert update_shares(before=SATURDAY) == []
    assert [row.draw_date for row in update_shares(before=MONDAY)] == [SATURDAY]
    (monday,) = update_shares()

    assert current_shares(before=SATURDAY) is None
    assert current_shares(before=MONDAY) == StrategyShares.objects.get(draw_date=SATURDAY).shares
    assert current_shares() == monday.shares


def test_a_strategy_that_was_left_out_keeps_its_share() -> None:
    prediction_of(SATURDAY, tuple(name for name in STRATEGIES if name != "ai_guided"))
    draw_on(SATURDAY, 60, 61, 62, 63, 64, 26)

    update_shares()

    shares = current_shares()
    assert shares is not None
    assert shares["ai_guided"] == pytest.approx(1 / 6)
    assert math.fsum(shares.values()) == pytest.approx(1)


def test_a_reset_sets_equal_shares_that_only_later_draws_move() -> None:
    prediction_of(SATURDAY)
    draw_on(SATURDAY, 60, 61, 62, 63, 64, 26)
    update_shares()

    reset_shares(SATURDAY)

    assert current_shares() == pytest.approx(dict.fromkeys(STRATEGIES, 1 / 6))
    assert update_shares() == []
    prediction_of(MONDAY)
    draw_on(MONDAY, 60, 61, 62, 63, 64, 26)
    assert len(update_shares()) == 1
    assert StrategyShares.objects.count() == 3  # the history stays


def test_prediction_uses_the_current_shares_of_present_strategies() -> None:
    present = [component(name, 1 / 5) for name in STRATEGIES if name != "ai_guided"]
    shares = dict.fromkeys(STRATEGIES, 0.1) | {"frequency_weighted": 0.5}

    mixture = with_shares(present, shares)

    assert {part.strategy: part.share for part in mixture} == pytest.approx(
        {"frequency_weighted": 5 / 9} | {part.strategy: 1 / 9 for part in present[1:]}
    )


def test_no_share_falls_below_the_minimum() -> None:
    days = [date(2025, 12, day) for day in (1, 3, 6, 8, 10, 13, 15, 17, 20, 22)]
    for day in days:
        prediction_of(day)
        draw_on(day, 1, 2, 3, 4, 5, 1)  # the least likely draw of the tilted prediction

    update_shares()

    shares = current_shares()
    assert shares is not None
    assert ALPHA / 6 <= shares["frequency_weighted"] < 1 / 6


# The command


def test_reset_command_sets_equal_shares_and_names_the_draw(real_draws: None) -> None:
    prediction_of(SATURDAY)
    update_shares()

    preview, _ = call("reset_weights", "--dry-run")
    out, _ = call("reset_weights")

    assert "frequency_weighted" in preview
    assert preview.splitlines()[-1] == "These are the current shares of v1."
    assert (
        out.splitlines()[-1] == "Reset the shares of v1 to 0.1667 each; draws after 2025-12-22 update them."
    )
    assert current_shares() == pytest.approx(dict.fromkeys(STRATEGIES, 1 / 6))


def test_reset_before_any_update_reports_the_models_shares() -> None:
    out, _ = call("reset_weights", "--dry-run")

    assert out.splitlines()[-1] == "No draw has updated the shares of v1 yet; those of its model apply."
    assert not StrategyShares.objects.exists()
