"""clear_old_batch_tickets and purge_batch; and the counts, which no door may leave untrue."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection, transaction
from django.db.models import Count
from django.test import override_settings
from django.utils import timezone

from predictions.draws import upcoming_draw
from predictions.modes import MODE_NAMES
from tests.factories import WEDNESDAY, claim_tickets, make_draw, make_prediction, some_tickets, ticket
from tickets import deletion
from tickets.batch_generator import BatchTicketGenerator
from tickets.models import Claim, PreGeneratedTicket, TicketBatch
from tickets.policies import ModePolicy
from tickets.purging import purgeable
from tickets.scoring import score_draw
from tickets.store import (
    TicketRow,
    clear_old_batch_tickets,
    get_batch_ticket_stats,
    insert_batch_tickets,
    insert_rows,
    purge_batch,
)

SATURDAY = date(2026, 11, 28)
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
WEEK = timedelta(days=7)


def insert_aged(age: timedelta, *tickets: dict[str, Any], mode: str = "v1", run_id: str = "pipe-1") -> None:
    """Tickets that are of this age at NOON."""
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
def test_without_days_each_modes_policy_says_how_long_its_tickets_stay() -> None:
    ModePolicy.objects.all().delete()  # for lstm there is none: seven days
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
def test_bad_days_are_refused_and_nothing_goes(days: Any) -> None:
    insert_aged(timedelta(days=400), *some_tickets(1))

    with time_machine.travel(NOON), pytest.raises(ValueError, match=r"days .*: allowed is an integer from 1"):
        clear_old_batch_tickets(days)
    assert PreGeneratedTicket.objects.count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize("mode", ["bogus", ""])
def test_an_unknown_mode_is_refused_and_nothing_goes(mode: str) -> None:
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
def test_a_batch_is_purged_in_chunks_and_stays_with_what_it_made(monkeypatch: pytest.MonkeyPatch) -> None:
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
def test_when_the_time_is_over_the_rest_is_left_and_another_call_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(deletion, "DELETE_CHUNK", 2)
    insert_batch_tickets(some_tickets(2, powerball=1), "v1", "pipe-1", WEDNESDAY)
    insert_batch_tickets(some_tickets(5, powerball=2), "v2", "pipe-1", WEDNESDAY)
    batch, over = TicketBatch.objects.get(mode="v2"), time.monotonic()

    with time_machine.travel(datetime.now(UTC) + 2 * WEEK):
        insert_batch_tickets(some_tickets(1, powerball=3), "lstm", "young", WEDNESDAY)  # looked at first
        assert clear_old_batch_tickets(until=over) == 2
        assert purge_batch(batch, until=over) == 2
        assert clear_old_batch_tickets(until=over) == 2
        assert clear_old_batch_tickets(until=over + 3600) == 1
        assert clear_old_batch_tickets(until=over) == 0
    assert_every_count_is_true()


@pytest.mark.django_db
def test_between_two_chunks_others_get_a_part_of_the_time_that_one_took(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(deletion, "DELETE_CHUNK", 4)
    insert_batch_tickets(some_tickets(8), "v1", "pipe-1", WEDNESDAY)
    (batch,), moments = TicketBatch.objects.all(), []

    with connection.execute_wrapper(_slowly("DELETE", 0.2)):
        purge_batch(batch, watch=lambda deleted: moments.append(time.monotonic()))

    assert moments[1] - moments[0] >= 0.2 + 0.1


def _slowly(word: str, seconds: float) -> Callable[..., Any]:
    """Makes statements that begin with a word take a while longer."""

    def run(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.startswith(word):
            time.sleep(seconds)
        return execute(sql, params, many, context)

    return run


@pytest.mark.django_db(transaction=True)
def test_cleaners_at_once_delete_each_ticket_once_and_keep_the_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(deletion, "DELETE_CHUNK", 20)
    monkeypatch.setattr(deletion, "KEYS_AT_ONCE", 60)
    for number in range(4):
        insert_batch_tickets(some_tickets(50, powerball=number + 1), "v1", f"run-{number}", WEDNESDAY)
    together = threading.Barrier(3)

    def clean(what: Callable[[], int]) -> int:
        together.wait()
        try:
            return what()
        finally:
            connection.close()

    batch = TicketBatch.objects.select_related("run").get(run__pipeline_run_id="run-1")
    jobs = [lambda: clear_old_batch_tickets(1)] * 2 + [lambda: purge_batch(batch)]
    with time_machine.travel(datetime.now(UTC) + WEEK), ThreadPoolExecutor(3) as cleaners:
        deleted = list(cleaners.map(clean, jobs))

    assert sum(deleted) == 200
    assert_every_count_is_true()
    assert not PreGeneratedTicket.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_purge_and_who_stores_the_same_tickets_in_the_batch_do_not_wait_in_a_circle() -> None:
    insert_batch_tickets(some_tickets(10), "v1", "pipe-1", WEDNESDAY)
    batch = TicketBatch.objects.select_related("run").get()
    again = [TicketRow(one["white_balls"], one["powerball"], 0.5, "v1", None) for one in some_tickets(11)]
    held = threading.Event()

    def store() -> int:
        try:
            with transaction.atomic():
                TicketBatch.objects.filter(pk=batch.pk).update(attempts=1)  # as a chunk begins
                held.set()
                time.sleep(0.5)  # by now the purge is under way
                return len(insert_rows(batch, again, timezone.now()))
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as other:
        refused = other.submit(store)
        held.wait()
        assert purge_batch(batch) == 10
        assert refused.result() == 10
    assert_every_count_is_true()


def assert_every_count_is_true() -> None:
    """`stored` of each batch, and each sum of the stats, against COUNT(*)."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT batch_id, COUNT(*) FROM pre_generated_tickets GROUP BY batch_id")
        really = dict(cursor.fetchall())
    assert {batch.pk: batch.stored for batch in TicketBatch.objects.all()} == {
        pk: really.get(pk, 0) for pk in TicketBatch.objects.values_list("pk", flat=True)
    }

    def count(**where: Any) -> dict[str, int]:
        tickets = PreGeneratedTicket.objects.filter(**where).order_by()
        return dict.fromkeys(MODE_NAMES, 0) | dict(
            tickets.values_list("mode").annotate(number=Count("pk")).values_list("mode", "number")
        )

    stats = get_batch_ticket_stats()
    assert stats["total_tickets"] == PreGeneratedTicket.objects.count()
    assert stats["by_mode"] == count()
    assert stats["available_by_mode"] == count(draw_date=upcoming_draw())


@pytest.mark.django_db
@time_machine.travel(NOON, tick=False)
def test_whatever_is_done_to_the_table_every_count_is_that_of_the_rows() -> None:
    assert_every_count_is_true()

    insert_aged(WEEK + timedelta(hours=1), *some_tickets(7, powerball=1), mode="random_forest", run_id="old")
    insert_aged(WEEK + timedelta(hours=1), *some_tickets(4, powerball=2), mode="v1", run_id="old")
    insert_batch_tickets(some_tickets(6, powerball=3), "v1", "old", WEDNESDAY)  # young ones in an old batch
    insert_batch_tickets(some_tickets(5, powerball=3), "v1", "old", SATURDAY)
    assert_every_count_is_true()

    twice = [*some_tickets(8, powerball=3), *some_tickets(8, powerball=3), ticket(5, 4, 3, 2, 1, 1)]
    assert insert_batch_tickets(twice, "v2", "doubled", WEDNESDAY) == 2
    assert insert_batch_tickets(twice, "v2", "doubled", WEDNESDAY) == 0
    assert_every_count_is_true()

    make_prediction()
    result = BatchTicketGenerator(300).generate_batch("made", async_mode=False)  # lstm fails; cleans up first
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

    given = TicketBatch.objects.get(mode="v1", draw_date=SATURDAY)
    claim_tickets(given, 3)
    assert_every_count_is_true()
    with time_machine.travel(NOON + 2 * WEEK, tick=False):
        assert clear_old_batch_tickets(mode="v1") == 6 + 2  # the claimed ones stay
        assert_every_count_is_true()
        assert purge_batch(given) == 0

    score_draw(make_draw(SATURDAY))
    claimed = sum(one.tickets for one in purgeable(mode="v1"))
    with time_machine.travel(NOON + 14 * WEEK, tick=False):
        assert clear_old_batch_tickets(mode="v1") == claimed == 3
    assert_every_count_is_true()
    assert len(Claim.objects.get().numbers) == 3

    for batch in TicketBatch.objects.all():
        purge_batch(batch)
    assert_every_count_is_true()
    assert not PreGeneratedTicket.objects.exists()
    assert sum(TicketBatch.objects.values_list("generated", flat=True)) == 7 + 4 + 6 + 5 + 2 + 300 + 3
