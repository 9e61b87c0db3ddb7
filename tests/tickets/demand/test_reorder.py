"""Reorder points and order quantities."""

from dataclasses import replace
from datetime import date, time

import numpy as np
import pytest

from tests.tickets.demand.past_sales import known, sold, surge, up_to, windows
from tickets.claims.allocation import MAX_COUNT
from tickets.demand.forecast import fit
from tickets.demand.reorder import COVER_HOURS, MIN_STOCK, ReorderPolicy
from tickets.demand.sales_window import HOURS, SalesHistory, SalesWindow

WINDOW = SalesWindow.of(date(2026, 1, 3), time(21, 59))
NOTHING = WINDOW.history([])


def policy(hours_left: float = 24.0, level: float = 30.0, max_stock: int = 100_000) -> ReorderPolicy:
    """Return the policy of a mode with steady demand in the past and `level` claims per hour now."""
    return ReorderPolicy(
        known(), up_to(sold(windows(1)[0], level, surge()), hours_left), hours_left, max_stock
    )


def claimed_once() -> SalesHistory:
    return replace(NOTHING, requested=np.where(np.arange(HOURS) == 30, 1.0, 0.0))


def test_mode_without_claims_needs_no_stock() -> None:
    unclaimed = ReorderPolicy(fit([]), NOTHING, 24.0, 100_000)

    assert not unclaimed.has_demand
    assert (unclaimed.reorder_point, unclaimed.deficit(0, 0), unclaimed.order_quantity(0, 0)) == (0, 0, 0)
    assert unclaimed.hours_to_empty(0) is None


def test_a_single_claim_ever_keeps_the_largest_allowed_one_in_stock() -> None:
    now, before = (
        ReorderPolicy(fit([]), claimed_once(), 24.0, 10**6),
        ReorderPolicy(fit([claimed_once()]), NOTHING, 24.0, 10**6),
    )

    assert now.reorder_point == before.reorder_point == MIN_STOCK == MAX_COUNT
    assert now.order_quantity(MIN_STOCK - 1, 0) > 0
    assert now.order_quantity(MIN_STOCK, 0) == 0


def test_the_floor_is_what_ten_minutes_need_at_most_and_rises_with_the_surge_and_with_the_draw() -> None:
    quiet, late, rush = policy(24.0), policy(3.0), policy(3.0, level=300.0)

    assert quiet.reorder_point == MIN_STOCK  # 5 claims of 4 tickets are expected
    assert 4 * 150 / 6 < late.reorder_point < 4 * 4 * 150 / 6
    assert 4 * 1500 / 6 < rush.reorder_point < 4 * 4 * 1500 / 6


def test_tickets_on_order_count_as_stock() -> None:
    late = policy(3.0)

    for available, on_order in (
        (late.reorder_point, 0),
        (0, late.reorder_point),
        (late.reorder_point - 50, 50),
    ):
        assert (late.deficit(available, on_order), late.order_quantity(available, on_order)) == (0, 0)
    assert late.deficit(late.reorder_point - 50, 30) == 20


def test_order_covers_the_reorder_point_and_the_following_hours() -> None:
    quiet = policy(24.0)

    order = quiet.order_quantity(60, 10)

    assert order == pytest.approx(quiet.reorder_point + COVER_HOURS * 30 * 4 - 70, rel=0.05)


def test_near_the_end_an_order_lasts_until_then_and_not_longer() -> None:
    last = policy(0.5)

    assert last.order_quantity(0, 0) <= last.reorder_point + last.remaining_demand.mean + 1


def test_no_order_leaves_more_than_the_policy_allows() -> None:
    for most in (0, 1, 80, 130, 500):
        capped = policy(3.0, level=300.0, max_stock=most)
        assert capped.reorder_point <= most
        assert capped.order_quantity(0, 0) == most
        assert capped.order_quantity(most, 0) == 0
        assert capped.order_quantity(0, most) == 0


def test_once_sales_are_closed_nothing_is_needed() -> None:
    history = sold(windows(1)[0], 30.0, surge())

    for hours_left in (history.closed, 0.0, -0.5):
        closed = ReorderPolicy(known(), history, hours_left, 100_000)
        assert (closed.reorder_point, closed.order_quantity(0, 0), closed.remaining_demand.mean) == (0, 0, 0)
        assert closed.hours_to_empty(0) is None


def test_the_stock_lasts_as_long_as_the_claims_expected_leave_some() -> None:
    quiet = policy(24.0)

    assert quiet.hours_to_empty(240) == pytest.approx(2, rel=0.05)  # 30 claims an hour of 4 tickets
    assert quiet.hours_to_empty(0) == 0
    assert quiet.hours_to_empty(-5) == 0
    assert quiet.hours_to_empty(round(quiet.remaining_demand.mean) + 1) is None


def test_the_surge_empties_a_stock_sooner() -> None:
    before, within = policy(4.0), policy(3.0)

    assert before.hours_to_empty(1200) > within.hours_to_empty(1200) + 0.5
