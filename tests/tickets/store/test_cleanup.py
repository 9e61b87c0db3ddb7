"""clear_old_batch_tickets, purge_batch and the counts of the batches."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.test import override_settings
from django.utils import timezone

from tests.counts import assert_every_count_is_true
from tests.factories import (
    WEDNESDAY,
    claim_tickets,
    make_client,
    make_draw,
    make_prediction,
    some_tickets,
    ticket,
)
from tickets.claims import allocation
from tickets.claims.allocation import ClaimRequest, InsufficientStock
from tickets.generation.generator import BatchTicketGenerator
from tickets.models import Claim, PreGeneratedTicket, TicketBatch
from tickets.models.policies import ModePolicy
from tickets.scoring.scorer import score_draw
from tickets.store import (
    clear_old_batch_tickets,
    deletion,
    insert_batch_tickets,
    purge_batch,
)
from tickets.store.purge import purge_candidates

SATURDAY = date(2026, 11, 28)
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
WEEK = timedelta(days=7)


def insert_aged(age: timedelta, *tickets: dict[str, Any], mode: str = "v1", run_id: str = "pipe-1") -> None:
    """Insert tickets of this age at NOON."""
    with time_machine.travel(NOON - age, tick=False):
        assert insert_batch_tickets(tickets, mode, run_id, WEDNESDAY) == len(tickets)


def powerballs() -> list[int]:
    return list(PreGeneratedTicket.objects.order_by("powerball").values_list("powerball", flat=True))


@pytest.mark.django_db
@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Pacific/Kiritimati", "Pacific/Pago_Pago"])
def test_tickets_go_after_seven_times_24_hours_in_whatever_time_zone(zone: str) -> None:
    insert_aged(WEEK - timedelta(minutes=1), ticket(1, 2, 3, 4, 5, 1))
    insert_aged(WEEK, ticket(1, 2, 3, 4, 5, 2))
    insert_aged(WEEK + timedelta(seconds=1), ticket(1, 2, 3, 4, 5, 3))

    with override_settings(TIME_ZONE=zone), timezone.override(zone), time_machine.travel(NOON, tick=False):
        assert clear_old_batch_tickets() == 1

    assert powerballs() == [1, 2]


@pytest.mark.django_db
def test_a_week_is_168_hours_across_the_end_of_daylight_saving() -> None:
    now = datetime(2026, 11, 2, 12, tzinfo=UTC)  # clocks went back on 2026-11-01
    for powerball, age in ((1, WEEK - timedelta(minutes=1)), (2, WEEK + timedelta(seconds=1))):
        with time_machine.travel(now - age, tick=False):
            insert_batch_tickets([ticket(1, 2, 3, 4, 5, powerball)], "v1", draw_date=WEDNESDAY)

    with timezone.override("America/New_York"), time_machine.travel(now, tick=False):
        assert clear_old_batch_tickets() == 1

    assert powerballs() == [1]


@pytest.mark.django_db
@time_machine.travel(NOON, tick=False)
def test_the_number_of_days_is_obeyed() -> None:
    for days in (1, 2, 3):
        insert_aged(timedelta(days=days, seconds=1), ticket(1, 2, 3, 4, 5, days))

    assert clear_old_batch_tickets(days=2) == 2
    assert powerballs() == [1]


@pytest.mark.django_db
@time_machine.travel(NOON, tick=False)
def test_only_the_named_modes_tickets_go() -> None:
    insert_aged(2 * WEEK, ticket(1, 2, 3, 4, 5, 1), mode="v1")
    insert_aged(2 * WEEK, ticket(1, 2, 3, 4, 5, 2), ticket(1, 2, 3, 4, 5, 3), mode="v2")

    assert clear_old_batch_tickets(mode="v2") == 2
    assert powerballs() == [1]
    assert clear_old_batch_tickets() == 1
    assert powerballs() == []


@pytest.mark.django_db
@time_machine.travel(NOON, tick=False)
def test_cleanup_without_days_follows_each_modes_policy() -> None:
    ModePolicy.objects.all().delete()  # lstm has the default of seven days
    for mode, days in (("v1", 2), ("v2", 30)):
        ModePolicy.objects.create(mode=mode, keep_days=days)
    for number, mode in enumerate(("v1", "v2", "lstm"), start=1):
        for days in (2, 7, 30):
            aged = ticket(1, 2, 3, 4, 10 + days, number)
            insert_aged(timedelta(days=days, seconds=1), aged, mode=mode, run_id=mode)

    assert clear_old_batch_tickets() == 6

    left = PreGeneratedTicket.objects.order_by("id").values_list("mode", "n5")
    assert list(left) == [("v2", 12), ("v2", 17), ("lstm", 12)]


@pytest.mark.django_db
@pytest.mark.parametrize("days", [0, -1, True, False, 1.5, "7", 10**12])
def test_invalid_days_are_rejected_and_nothing_deleted(days: Any) -> None:
    insert_aged(timedelta(days=400), *some_tickets(1))

    with (
        time_machine.travel(NOON),
        pytest.raises(ValueError, match=r"days must be an integer from 1 to 36,500, not "),
    ):
        clear_old_batch_tickets(days)
    assert PreGeneratedTicket.objects.count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize("mode", ["bogus", ""])
def test_unknown_mode_is_rejected_and_nothing_deleted(mode: str) -> None:
    insert_aged(timedelta(days=400), *some_tickets(1))

    with time_machine.travel(NOON), pytest.raises(ValueError, match="allowed are random_forest, lstm"):
        clear_old_batch_tickets(mode=mode)
    assert PreGeneratedTicket.objects.count() == 1


@pytest.mark.django_db
@time_machine.travel(NOON, tick=False)
def test_many_tickets_go_in_chunks_and_the_watcher_hears_of_each(monkeypatch: pytest.MonkeyPatch) -> None:
    insert_aged(2 * WEEK, *some_tickets(4, powerball=1), run_id="a")
    insert_aged(3 * WEEK, *some_tickets(6, powerball=2), run_id="b")
    monkeypatch.setattr(deletion, "DELETE_CHUNK", 4)
    chunks: list[int] = []

    assert clear_old_batch_tickets(watch=chunks.append) == 10

    assert chunks == [4, 4, 2]
    assert list(TicketBatch.objects.values_list("stored", "generated").order_by("id")) == [(0, 4), (0, 6)]


@pytest.mark.django_db
def test_batch_is_purged_in_chunks_and_keeps_its_generated_count(monkeypatch: pytest.MonkeyPatch) -> None:
    insert_batch_tickets(some_tickets(5, powerball=1), "v1", "pipe-1", WEDNESDAY)
    insert_batch_tickets(some_tickets(3, powerball=2), "v1", "pipe-1", SATURDAY)  # same run, same mode
    insert_batch_tickets(some_tickets(2, powerball=3), "v2", "pipe-1", WEDNESDAY)
    monkeypatch.setattr(deletion, "DELETE_CHUNK", 2)
    chunks: list[int] = []
    batch = TicketBatch.objects.get(mode="v1", draw_date=WEDNESDAY)

    assert purge_batch(batch, watch=chunks.append) == 5

    assert chunks == [2, 2, 1]
    batch.refresh_from_db()
    assert (batch.status, batch.requested, batch.generated, batch.stored) == ("ready", 5, 5, 0)
    assert powerballs() == [2, 2, 2, 3, 3]
    assert purge_batch(batch) == 0


@pytest.mark.django_db
@time_machine.travel(NOON, tick=False)
def test_whatever_is_done_to_the_table_every_count_is_that_of_the_rows() -> None:
    assert_every_count_is_true()

    insert_aged(WEEK + timedelta(hours=1), *some_tickets(7, powerball=1), mode="random_forest", run_id="old")
    insert_aged(WEEK + timedelta(hours=1), *some_tickets(4, powerball=2), mode="v1", run_id="old")
    insert_batch_tickets(
        some_tickets(6, powerball=3), "v1", "old", WEDNESDAY
    )  # recent tickets in an old batch
    insert_batch_tickets(some_tickets(5, powerball=3), "v1", "old", SATURDAY)
    assert_every_count_is_true()

    twice = [*some_tickets(8, powerball=3), *some_tickets(8, powerball=3), ticket(5, 4, 3, 2, 1, 1)]
    assert insert_batch_tickets(twice, "v2", "doubled", WEDNESDAY) == 2
    assert insert_batch_tickets(twice, "v2", "doubled", WEDNESDAY) == 0
    assert_every_count_is_true()

    make_prediction()
    result = BatchTicketGenerator(300).generate_batch(
        "made", async_mode=False
    )  # lstm fails after the cleanup
    assert (result["status"], result["tickets_generated"]) == ("partial", 300)
    assert not PreGeneratedTicket.objects.filter(mode="random_forest", pipeline_run_id="old").exists()
    BatchTicketGenerator(300).generate_batch("made", async_mode=False)
    assert_every_count_is_true()

    assert clear_old_batch_tickets() == 4
    assert_every_count_is_true()

    made = TicketBatch.objects.get(run__pipeline_run_id="made", mode="random_forest")
    assert purge_batch(made) == 300
    assert_every_count_is_true()

    insert_batch_tickets(some_tickets(3, powerball=9), "hybrid", "made", WEDNESDAY)
    assert_every_count_is_true()

    client = make_client()
    for mode, number in (("v1", 2), ("v1", 3), ("hybrid", 3)):  # of the next draw
        allocation.claim_tickets(client, ClaimRequest(mode, number), f"{mode} {number}")
        assert_every_count_is_true()
    with pytest.raises(InsufficientStock):
        allocation.claim_tickets(client, ClaimRequest("v1", 2), "too many")
    assert purge_batch(TicketBatch.objects.get(mode="v1", draw_date=WEDNESDAY)) == 1  # the unclaimed one
    assert clear_old_batch_tickets(1) == 0
    assert_every_count_is_true()

    given = TicketBatch.objects.get(mode="v1", draw_date=SATURDAY)
    claim_tickets(given, 3)
    assert_every_count_is_true()
    with time_machine.travel(NOON + 2 * WEEK, tick=False):
        assert clear_old_batch_tickets(mode="v1") == 2  # the claimed ones remain
        assert_every_count_is_true()
        assert purge_batch(given) == 0

    score_draw(make_draw(SATURDAY))
    claimed = sum(candidate.tickets for candidate in purge_candidates(mode="v1"))
    with time_machine.travel(NOON + 14 * WEEK, tick=False):
        assert clear_old_batch_tickets(mode="v1") == claimed == 3
    assert_every_count_is_true()
    assert len(Claim.objects.get(draw_date=SATURDAY).numbers) == 3

    with time_machine.travel(NOON + 2 * WEEK, tick=False):  # the draw is over
        score_draw(make_draw(WEDNESDAY))
        for batch in TicketBatch.objects.all():
            purge_batch(batch)
        assert_every_count_is_true()
    assert not PreGeneratedTicket.objects.exists()
    assert sum(TicketBatch.objects.values_list("generated", flat=True)) == 7 + 4 + 6 + 5 + 2 + 300 + 3
