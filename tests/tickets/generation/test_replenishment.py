"""Replenishment: deficits are ordered once, largest first, within the policies and until sales close."""

import logging
import threading
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
import time_machine
from django.db import connection, transaction
from django_q.models import OrmQ

from predictions.models import Prediction
from tests.factories import WEDNESDAY, count_claims, make_prediction, queued_batch, some_tickets
from tickets.cluster.watchdog import Watchdog
from tickets.demand.inventory import StockLevel, fit_models, stock_levels
from tickets.demand.reorder import MIN_STOCK
from tickets.generation import replenishment
from tickets.generation.lifecycle import cancel_batch
from tickets.generation.replenishment import CHECK_SECONDS, RETRY_AFTER, Replenisher
from tickets.models import GenerationRun, PreGeneratedTicket, TicketBatch
from tickets.models.policies import MAX_PRIORITY, ModePolicy
from tickets.store import insert_batch_tickets
from tickets.tasks import generate_ticket_batch

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
CLOSED = datetime(2026, 11, 26, 2, 59, tzinfo=UTC)
OPENED = datetime(2026, 11, 24, 4, tzinfo=UTC)  # sales, a minute ago
MONDAY, MONDAY_END = date(2026, 11, 23), datetime(2026, 11, 24, 3, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _now() -> Iterator[None]:
    with time_machine.travel(NOW):
        yield


def create_demand(mode: str = "random_forest", claims: int = 60) -> None:
    """Create demand for a mode without stock: a prediction, and hourly claims for Monday's draw."""
    make_prediction(mode)
    for hour in range(1, 48):
        count_claims(mode, MONDAY_END - timedelta(hours=hour), MONDAY, claims=claims, tickets=4 * claims)


def orders() -> list[tuple[str, int]]:
    return list(TicketBatch.objects.order_by("id").values_list("mode", "requested"))


def stock_level(mode: str = "random_forest", now: datetime = NOW) -> StockLevel:
    fit_models.cache_clear()
    return {level.mode: level for level in stock_levels(now)}[mode]


@pytest.mark.django_db
def test_a_fresh_installation_orders_nothing() -> None:
    make_prediction()

    assert Replenisher().replenish(NOW) == 0
    assert not GenerationRun.objects.exists()


@pytest.mark.django_db
def test_replenishment_is_a_separate_run_with_priority_that_deletes_nothing() -> None:
    create_demand()
    expected = stock_level().order_quantity

    assert Replenisher().replenish(NOW) == expected > MIN_STOCK

    run, batch = GenerationRun.objects.get(), TicketBatch.objects.get()
    assert run.pipeline_run_id.startswith("replenish-")
    assert (run.modes, run.draw_date, run.auto_cleanup) == (["random_forest"], WEDNESDAY, False)
    assert (batch.status, batch.requested, batch.draw_date) == ("queued", expected, WEDNESDAY)
    assert batch.priority > MAX_PRIORITY
    assert run.policy["random_forest"]["priority"] == batch.priority
    assert OrmQ.objects.count() == 1


@pytest.mark.django_db
def test_ordered_tickets_are_not_ordered_again() -> None:
    create_demand()
    replenisher = Replenisher()
    ordered = replenisher.replenish(NOW)

    assert [replenisher.replenish(NOW), Replenisher().replenish(NOW)] == [0, 0]
    generate_ticket_batch(TicketBatch.objects.get().pk)
    assert PreGeneratedTicket.objects.count() == ordered
    assert Replenisher().replenish(NOW) == 0


@pytest.mark.django_db
def test_replenishment_precedes_a_large_batch_that_was_queued_earlier() -> None:
    make_prediction()
    ModePolicy.objects.update(priority=MAX_PRIORITY)
    large = queued_batch(5000)
    create_demand("v1")
    Replenisher().replenish(NOW)

    generate_ticket_batch(large.pk)

    made = TicketBatch.objects.get(status="ready")
    assert made.run.pipeline_run_id.startswith("replenish-")
    assert TicketBatch.objects.get(pk=large.pk).status == "queued"


@pytest.mark.django_db
def test_the_largest_shortfall_is_ordered_first() -> None:
    create_demand("v1", claims=60)
    create_demand("hybrid", claims=600)
    create_demand("lstm", claims=6)
    insert_batch_tickets(some_tickets(60), "lstm", draw_date=WEDNESDAY)
    made = TicketBatch.objects.count()

    Replenisher().replenish(OPENED)

    assert [mode for mode, _ in orders()[made:]] == ["hybrid", "v1", "lstm"]


@pytest.mark.django_db
def test_a_paused_mode_is_not_ordered_and_the_others_are() -> None:
    for mode in ("v1", "v2"):
        create_demand(mode)
    ModePolicy.objects.filter(mode="v1").update(paused=True)

    Replenisher().replenish(NOW)

    assert [mode for mode, _ in orders()] == ["v2"]
    assert GenerationRun.objects.count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize(("max_ready", "ordered"), [(0, 0), (1, 0), (40, 0), (41, 1), (90, 50)])
def test_replenishment_respects_max_ready(max_ready: int, ordered: int) -> None:
    create_demand()
    insert_batch_tickets(some_tickets(40), "random_forest", draw_date=WEDNESDAY)
    ModePolicy.objects.update(max_ready=max_ready)

    assert Replenisher().replenish(NOW) == ordered


@pytest.mark.django_db
def test_nothing_is_ordered_from_the_cut_off_on() -> None:
    create_demand()

    assert Replenisher().replenish(CLOSED) == 0
    assert Replenisher().replenish(CLOSED + timedelta(minutes=30)) == 0
    assert Replenisher().replenish(CLOSED - timedelta(seconds=1)) > 0


# Orders that are impossible


@pytest.mark.django_db
def test_missing_prediction_is_logged_once_and_ordered_when_it_exists(
    caplog: pytest.LogCaptureFixture,
) -> None:
    count_claims("v1", claims=0, tickets=0, refused=1)
    replenisher = Replenisher()

    for _ in range(5):
        assert replenisher.replenish(NOW) == 0
    assert not GenerationRun.objects.exists()
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == [
        "v1 is short by 100 tickets for the draw of 2026-11-25, but has no prediction to generate them from"
    ]

    make_prediction("v1")
    assert replenisher.replenish(NOW) > 0


@pytest.mark.django_db
@pytest.mark.parametrize("end", ["failed", "cancelled"])
def test_after_an_order_that_came_to_nothing_the_next_waits(end: str) -> None:
    create_demand()
    Replenisher().replenish(NOW)
    batch = TicketBatch.objects.get()
    if end == "failed":
        law = Prediction.objects.get().components
        Prediction.objects.update(components=[{}])
        generate_ticket_batch(batch.pk)
        Prediction.objects.update(components=law)
    else:
        cancel_batch(batch)
    batch.refresh_from_db()
    assert (batch.status, batch.generated) == (end, 0)

    for moment in (timedelta(), RETRY_AFTER - timedelta(seconds=5)):
        assert Replenisher().replenish(NOW + moment) == 0
    assert Replenisher().replenish(NOW + RETRY_AFTER + timedelta(minutes=1)) > 0


@pytest.mark.django_db
def test_failed_batch_of_another_run_does_not_stop_replenishment() -> None:
    create_demand()
    queued_batch(status="failed", finished_at=NOW)

    assert Replenisher().replenish(NOW) > 0


@pytest.mark.django_db
def test_a_prediction_that_is_broken_stops_neither_the_other_modes_nor_the_watchdog(
    caplog: pytest.LogCaptureFixture,
) -> None:
    create_demand("v1", claims=600)
    Prediction.objects.update(components=[{}])
    create_demand("v2")
    replenisher = Replenisher()

    for _ in range(3):
        replenisher.replenish(NOW)

    assert [mode for mode, _ in orders()] == ["v2"]
    assert [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR] == [
        "v1 could not be replenished; next attempt in 0:10:00"
    ]
    Prediction.objects.filter(mode="v1").update(components=Prediction.objects.get(mode="v2").components)
    assert replenisher.replenish(NOW + RETRY_AFTER) > 0


# Frequency and concurrency of checks


class Clock:
    """A clock that tests advance."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.mark.django_db
def test_replenishment_runs_at_most_every_ten_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(replenishment, "time", clock)
    create_demand("v1")
    replenisher = Replenisher()
    replenisher.run_if_due()
    assert [mode for mode, _ in orders()] == ["v1"]
    make_prediction("v2")
    count_claims("v2", claims=0, tickets=0, refused=1)

    clock.now += CHECK_SECONDS - 1
    replenisher.run_if_due()
    assert len(orders()) == 1
    clock.now += 1
    replenisher.run_if_due()
    assert len(orders()) == 2


@pytest.mark.django_db
def test_the_watchdog_s_pass_replenishes() -> None:
    create_demand()
    watchdog = Watchdog()
    for cluster in watchdog.clusters:
        cluster.register()
        cluster.start_at = time.monotonic() + 3600  # start no process

    watchdog.tick()

    assert [mode for mode, _ in orders()] == ["random_forest"]


@pytest.mark.django_db(transaction=True)
def test_concurrent_watchdogs_order_a_shortage_once() -> None:
    create_demand()
    expected = stock_level().order_quantity
    ordered: list[int] = []

    def look() -> None:
        try:
            ordered.append(Replenisher().replenish(NOW))
        finally:
            connection.close()

    threads = [threading.Thread(target=look) for _ in range(4)]
    with transaction.atomic():
        ModePolicy.objects.select_for_update().get(mode="random_forest")
        for thread in threads:
            thread.start()
        time.sleep(1)  # all have seen the deficit and wait for the row lock
        assert ordered == []
    for thread in threads:
        thread.join()

    assert sorted(ordered) == [0, 0, 0, expected]
    assert orders() == [("random_forest", expected)]


@pytest.mark.django_db
def test_missing_policy_row_does_not_stop_replenishment() -> None:
    create_demand()
    ModePolicy.objects.all().delete()

    assert Replenisher().replenish(NOW) > 0


@pytest.mark.django_db
def test_next_draw_starts_with_the_demand_of_past_draws() -> None:
    for hour in range(1, 20):
        count_claims(
            "v1", datetime(2026, 11, 26, 3, tzinfo=UTC) - timedelta(hours=hour), claims=500, tickets=2000
        )
    saturday = date(2026, 11, 28)
    make_prediction("v1", draw_date=saturday)

    assert Replenisher().replenish(CLOSED + timedelta(hours=1, seconds=5)) > 1000
    assert GenerationRun.objects.get().draw_date == saturday
