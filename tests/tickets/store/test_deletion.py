"""Concurrent deletion: time limits, pauses for other writers, and exact counts."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection, transaction
from django.utils import timezone

from tests.counts import assert_every_count_is_true
from tests.factories import WEDNESDAY, some_tickets
from tickets.models import PreGeneratedTicket, TicketBatch
from tickets.store import (
    TicketRow,
    clear_old_batch_tickets,
    deletion,
    insert_batch_tickets,
    insert_rows,
    purge_batch,
)

WEEK = timedelta(days=7)


@pytest.mark.django_db
def test_cleanup_stops_at_its_time_limit_and_another_call_continues(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(deletion, "DELETE_CHUNK", 2)
    insert_batch_tickets(some_tickets(2, powerball=1), "v1", "pipe-1", WEDNESDAY)
    insert_batch_tickets(some_tickets(5, powerball=2), "v2", "pipe-1", WEDNESDAY)
    batch, over = TicketBatch.objects.get(mode="v2"), time.monotonic()

    with time_machine.travel(datetime.now(UTC) + 2 * WEEK):
        insert_batch_tickets(some_tickets(1, powerball=3), "lstm", "young", WEDNESDAY)  # comes first
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
    """Delay statements that begin with a word."""

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
    monkeypatch.setattr(deletion, "KEY_BATCH", 60)
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
def test_purge_and_concurrent_insertion_do_not_deadlock() -> None:
    insert_batch_tickets(some_tickets(10), "v1", "pipe-1", WEDNESDAY)
    batch = TicketBatch.objects.select_related("run").get()
    again = [
        TicketRow(ticket["white_balls"], ticket["powerball"], 0.5, "v1", None) for ticket in some_tickets(11)
    ]
    held = threading.Event()

    def store() -> int:
        try:
            with transaction.atomic():
                TicketBatch.objects.filter(pk=batch.pk).update(attempts=1)  # as a chunk begins
                held.set()
                time.sleep(0.5)  # the purge is now running
                return len(insert_rows(batch, again, timezone.now()))
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as other:
        refused = other.submit(store)
        held.wait()
        assert purge_batch(batch) in (10, 11)  # including the new one if it was inserted in time
        assert refused.result() == 10
    assert_every_count_is_true()
