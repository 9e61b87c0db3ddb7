"""Stock levels by the counters, and demand models that are fitted once per draw."""

from datetime import UTC, date, datetime, timedelta
from datetime import time as clock
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from predictions.modes.registry import MODE_NAMES
from tests.factories import (
    WEDNESDAY,
    count_claims,
    make_client,
    make_prediction,
    queued_batch,
    some_tickets,
)
from tickets.claims.allocation import ClaimRequest, InsufficientStock, claim_tickets
from tickets.demand.inventory import StockLevel, fit_models, stock_levels
from tickets.demand.reorder import MIN_STOCK
from tickets.demand.sales_window import estimated_requests
from tickets.generation.generator import BatchTicketGenerator
from tickets.models import ClaimHour, TicketBatch
from tickets.models.policies import ModePolicy
from tickets.store import insert_batch_tickets

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("on_tuesday")]
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
MONDAY, SATURDAY = date(2026, 11, 23), date(2026, 11, 21)


def level_of(mode: str = "random_forest", now: datetime = NOW) -> StockLevel:
    fit_models.cache_clear()
    return {level.mode: level for level in stock_levels(now)}[mode]


def hours_ago(hours: int) -> datetime:
    return NOW - timedelta(hours=hours)


def test_a_fresh_installation_lacks_nothing() -> None:
    for level in stock_levels(NOW):
        assert (
            level.stored,
            level.claimed,
            level.available,
            level.on_order,
            level.refused_claims,
            level.order_quantity,
        ) == (0, 0, 0, 0, 0, 0)
        assert not level.reorder_policy.has_demand
    assert [level.mode for level in stock_levels(NOW)] == list(MODE_NAMES)


def test_available_is_stored_minus_claimed_for_the_next_draw() -> None:
    insert_batch_tickets(some_tickets(30), "v1", draw_date=WEDNESDAY)
    insert_batch_tickets(some_tickets(9, powerball=2), "v1", "more", WEDNESDAY)
    insert_batch_tickets(some_tickets(50), "v1", "later", date(2026, 11, 28))
    insert_batch_tickets(some_tickets(7, powerball=3), "v2", "other", WEDNESDAY)
    for shard in range(3):
        count_claims("v1", shard=shard, tickets=4)
    count_claims("v1", draw_date=date(2026, 11, 28), tickets=40)
    count_claims("v1", hours_ago(80), tickets=2)  # before sales opened: claimed, but not demand

    level = level_of("v1")

    assert (level.draw_date, level.stored, level.claimed, level.available) == (WEDNESDAY, 39, 14, 25)
    assert level_of("v2").available == 7


@time_machine.travel(NOW, tick=False)
def test_available_equals_what_a_client_can_claim() -> None:
    insert_batch_tickets(some_tickets(12), "v1", draw_date=WEDNESDAY)
    client = make_client()
    claim_tickets(client, ClaimRequest("v1", 5), "one")
    assert (level_of("v1").available, level_of("v1").refused_claims) == (7, 0)

    with pytest.raises(InsufficientStock):
        claim_tickets(client, ClaimRequest("v1", 8), "two")
    claim_tickets(client, ClaimRequest("v1", 7), "three")

    level = level_of("v1")
    assert (level.available, level.refused_claims) == (0, 1)
    assert level.reorder_policy.history.requested.sum() == 3


def test_on_order_counts_unfinished_batches_only() -> None:
    make_prediction()
    queued_batch(300)
    queued_batch(500, status="running", generated=120, stored=100)
    for status in ("ready", "failed", "cancelled"):
        queued_batch(700, status=status, generated=70, stored=70)

    level = level_of()

    assert (level.on_order, level.stored) == (300 + 380, 100 + 3 * 70)


@pytest.mark.parametrize(
    ("claims", "short"), [(0, 0), (4, 0), (4, 2), (4, 5), (4, 6), (4, 1_000_000), (0, 9)]
)
def test_the_database_believes_of_refused_claims_what_the_season_does(claims: int, short: int) -> None:
    count_claims("v1", claims=claims, tickets=claims, refused=short)

    assert level_of("v1").reorder_policy.history.requested.sum() == estimated_requests(claims, short)


def test_retries_of_a_client_are_counted_in_its_shard() -> None:
    for shard, short in enumerate((0, 0, 0, 50_000)):
        count_claims("v1", shard=shard, claims=3, tickets=3, refused=short)

    level = level_of("v1")

    assert level.refused_claims == 50_000
    assert level.reorder_policy.history.requested.sum() == 12 + 4


def test_refused_claims_count_as_demand() -> None:
    count_claims("v1", claims=0, tickets=0, refused=40)

    assert level_of("v1").reorder_policy.reorder_point == MIN_STOCK


def test_past_draws_are_learned_from_their_first_claim_on_also_those_without_any() -> None:
    count_claims("v1", datetime(2026, 11, 21, 20, tzinfo=UTC), SATURDAY, claims=120, tickets=600)

    past = fit_models(WEDNESDAY)

    assert past["v1"].is_known
    assert past["v1"].size == 5
    assert not past["v2"].is_known
    # Claims on Saturday and none on Monday: about half of them are expected in each hour.
    alone = fit_models(MONDAY)["v1"]
    assert past["v1"].weekday_rates[0] < 0.7 * alone.weekday_rates[0]


def test_claims_of_long_ago_are_forgotten() -> None:
    count_claims("v1", datetime(2026, 7, 20, 20, tzinfo=UTC), date(2026, 7, 20), claims=500, tickets=500)

    assert not fit_models(WEDNESDAY)["v1"].is_known


def test_history_is_read_once_per_draw() -> None:
    assert not fit_models(MONDAY)["v1"].is_known
    count_claims("v1", datetime(2026, 11, 21, 20, tzinfo=UTC), SATURDAY)

    with CaptureQueriesContext(connection) as queries:
        assert not fit_models(MONDAY)["v1"].is_known
    assert len(queries) == 0
    assert fit_models(WEDNESDAY)["v1"].is_known


def test_inventory_takes_four_queries_then_three() -> None:
    ClaimHour.objects.bulk_create(
        ClaimHour(draw_date=WEDNESDAY, mode=mode, hour=hours_ago(hour), shard=shard, claims=2, tickets=5)
        for mode in MODE_NAMES
        for hour in range(30)
        for shard in range(8)
    )
    for count in (4, 3):
        with CaptureQueriesContext(connection) as queries:
            stock_levels(NOW)
        assert len(queries) == count
    plan = plan_of(ClaimHour.objects.filter(draw_date=WEDNESDAY))
    assert "one_row_per_hour_and_shard" in plan or "INDEX sqlite_autoindex_tickets_claimhour" in plan


def plan_of(rows: Any) -> str:
    """Return the query plan; PostgreSQL would scan so few rows sequentially unless that is disabled."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")
    return rows.explain()


def test_policies_say_what_is_paused_and_how_much_may_be_ready() -> None:
    ModePolicy.objects.filter(mode="v1").update(paused=True, max_ready=70)
    ModePolicy.objects.filter(mode="v2").delete()
    for mode in ("v1", "v2"):
        count_claims(mode)

    paused, default = level_of("v1"), level_of("v2")

    assert (paused.is_paused, paused.order_quantity, paused.reorder_policy.reorder_point) == (True, 0, 70)
    assert (default.is_paused, default.reorder_policy.max_stock) == (False, 100_000)


def test_nothing_is_needed_between_sales_close_and_the_draw() -> None:
    count_claims("v1")
    closed = datetime(2026, 11, 26, 2, 59, tzinfo=UTC)

    assert level_of("v1", closed - timedelta(minutes=1)).reorder_policy.is_open
    for now in (closed, closed + timedelta(minutes=59)):
        assert (level_of("v1", now).draw_date, level_of("v1", now).order_quantity) == (WEDNESDAY, 0)
        assert not level_of("v1", now).reorder_policy.is_open
    after = level_of("v1", closed + timedelta(hours=1))
    assert (after.draw_date, after.reorder_policy.is_open) == (date(2026, 11, 28), True)


def test_setting_changes_the_sales_cut_off(settings: Any) -> None:
    count_claims("v1")
    settings.SALES_CUTOFF = clock(12)  # 17:00 UTC

    assert level_of("v1", datetime(2026, 11, 25, 16, 59, tzinfo=UTC)).reorder_policy.is_open
    assert not level_of("v1", datetime(2026, 11, 25, 17, tzinfo=UTC)).reorder_policy.is_open


def test_ready_batch_is_available_and_no_longer_on_order() -> None:
    make_prediction()
    BatchTicketGenerator(40, ["random_forest"]).generate_batch(async_mode=False, draw_date=WEDNESDAY)

    assert (level_of().stored, level_of().on_order) == (40, 0)
    assert TicketBatch.objects.get().status == "ready"
