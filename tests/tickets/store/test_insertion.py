"""insert_rows: indices and ids, rejected rows, and concurrent inserts."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from tests.factories import WEDNESDAY, draw_on_sale, make_prediction, queued_batch, some_tickets
from tickets.generation.worker import run_batch
from tickets.models import PreGeneratedTicket, TicketBatch
from tickets.store import TicketRow, insert_batch_tickets, insert_rows
from tickets.store.retrieval import NEWEST_UNCLAIMED_SQL

NUMBERS = ("n1", "n2", "n3", "n4", "n5", "powerball")


def rows_of(count: int, powerball: int = 1) -> list[TicketRow]:
    return [
        TicketRow(ticket["white_balls"], ticket["powerball"], 0.1 + index / 3e5, "v1", None)
        for index, ticket in enumerate(some_tickets(count, powerball))
    ]


def new_batch(run_id: str = "pipe-1") -> TicketBatch:
    """Create a batch of one ticket with Powerball 26."""
    insert_batch_tickets(some_tickets(1, powerball=26), "v1", run_id, WEDNESDAY)
    batch = TicketBatch.objects.select_related("run").get(run__pipeline_run_id=run_id)
    PreGeneratedTicket.objects.filter(batch=batch).delete()
    TicketBatch.objects.filter(pk=batch.pk).update(stored=0, generated=0)
    return batch


@pytest.fixture
def batch(db: None) -> TicketBatch:
    return new_batch()


def insert(batch: TicketBatch, rows: Sequence[TicketRow]) -> list[int]:
    with transaction.atomic():
        return insert_rows(batch, rows, timezone.now())


def numbers(rows: Sequence[TicketRow]) -> list[tuple[int, ...]]:
    return [(*row.white_balls, row.powerball) for row in rows]


def stored(batch: TicketBatch) -> list[tuple[int, ...]]:
    """Return a batch's tickets in id order, after checking the batch's count."""
    tickets = list(PreGeneratedTicket.objects.filter(batch=batch).order_by("id").values_list(*NUMBERS))
    batch.refresh_from_db()
    assert batch.stored == batch.generated == len(tickets)
    return tickets


@pytest.mark.parametrize("count", [0, 1, 49, 50, 51, 100, 237])
def test_ids_ascend_with_the_index(count: int, batch: TicketBatch) -> None:
    rows = rows_of(count)[::-1]  # not in the order of the numbers

    assert insert(batch, rows) == []

    assert stored(batch) == numbers(rows)


def test_row_is_stored_with_all_its_values(batch: TicketBatch) -> None:
    now = timezone.now()
    rows = [
        TicketRow([1, 2, 3, 4, 5], 1, 1 / 3, "frequency_weighted", None),
        TicketRow((65, 66, 67, 68, 69), 26, 0.1 + 0.2, "tab\t, \\N and é\n", '{"place": 0, "round": 1}'),
        TicketRow([1, 2, 3, 4, 5], 2, 0.0, "", "\\N"),
    ]
    with transaction.atomic():
        insert_rows(batch, rows, now)

    fields = ("mode", "pipeline_run_id", *NUMBERS, "confidence_score", "strategy_used", "metadata")
    found = PreGeneratedTicket.objects.order_by("id").values_list(*fields, "created_at", "draw_date", "claim")
    assert list(found) == [("v1", "pipe-1", *row.white_balls, *row[1:], now, WEDNESDAY, None) for row in rows]


def test_indices_of_existing_tickets_are_returned(batch: TicketBatch) -> None:
    rows = rows_of(237)
    there = [0, 49, 50, 99, 120, 236]
    insert(new_batch("pipe-2"), [rows[place] for place in there])

    assert insert(batch, rows) == there

    assert stored(batch) == numbers([row for place, row in enumerate(rows) if place not in there])


def test_of_a_ticket_twice_among_the_rows_the_first_is_stored(batch: TicketBatch) -> None:
    rows = rows_of(120)
    again = rows[7]._replace(strategy="second")

    assert insert(batch, [*rows[:60], again, *rows[60:], again]) == [60, 121]

    assert stored(batch) == numbers(rows)
    assert not PreGeneratedTicket.objects.filter(strategy_used="second").exists()


def test_when_all_exist_all_are_refused(batch: TicketBatch) -> None:
    rows = rows_of(70)
    insert(new_batch("pipe-2"), rows)

    assert insert(batch, rows) == list(range(70))

    assert stored(batch) == []


def test_one_transaction_may_insert_several_times(batch: TicketBatch) -> None:
    first, second = rows_of(60), rows_of(60, powerball=2)
    with transaction.atomic():
        assert insert_rows(batch, first, timezone.now()) == []
        assert insert_rows(batch, [first[5], *second, first[6]], timezone.now()) == [0, 61]

    assert stored(batch) == numbers([*first, *second])


@pytest.mark.django_db(transaction=True)
def test_after_a_rollback_nothing_is_there_and_the_next_insert_works() -> None:
    batch, rows = new_batch(), rows_of(60)
    broken = [*rows[:55], TicketRow([1, 2, 3, 4, 70], 1, 0.5, "v1", None)]

    for _ in range(2):
        with pytest.raises(IntegrityError, match="ticket_white_balls_in_range"):
            insert(batch, broken)
        assert stored(batch) == []

    assert insert(batch, rows) == []
    assert stored(batch) == numbers(rows)


@pytest.mark.parametrize(
    ("row", "constraint"),
    [
        (TicketRow([1, 2, 3, 5, 4], 1, 0.5, "v1", None), "ticket_white_balls_ascending"),
        (TicketRow([1, 2, 3, 4, 5], 27, 0.5, "v1", None), "ticket_powerball_in_range"),
        (TicketRow([1, 2, 3, 4, 5], 1, 1.5, "v1", None), "ticket_confidence_in_range"),
    ],
)
@pytest.mark.parametrize("place", [0, 30, 55])
def test_one_broken_row_among_good_ones_is_an_error(
    row: TicketRow, constraint: str, place: int, batch: TicketBatch
) -> None:
    rows = rows_of(60, powerball=2)

    with pytest.raises(IntegrityError, match=constraint):
        insert(batch, [*rows[:place], row, *rows[place:]])

    assert stored(batch) == []


@pytest.mark.django_db(transaction=True)
def test_two_that_insert_the_same_tickets_in_opposite_order_do_not_wait_for_each_other_in_a_circle() -> None:
    batches, rows = [new_batch("pipe-1"), new_batch("pipe-2")], rows_of(4000)
    together = threading.Barrier(2)

    def insert_at_once(batch: TicketBatch, ours: Sequence[TicketRow]) -> int:
        together.wait()
        try:
            return len(insert(batch, ours))
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as both:
        refused = list(both.map(insert_at_once, batches, (rows, rows[::-1])))

    assert sorted(refused) == [0, 4000]
    assert sorted(stored(batches[0]) + stored(batches[1])) == sorted(numbers(rows))


@pytest.mark.django_db
def test_a_growing_batch_keeps_the_planner_informed_so_that_its_newest_tickets_are_found_by_index() -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite plans by its indexes alone")
    make_prediction()
    run_batch(queued_batch(20_000, chunk_size=1000).pk)

    with connection.cursor() as cursor:
        cursor.execute("SELECT reltuples FROM pg_class WHERE relname = 'pre_generated_tickets'")
        known = cursor.fetchone()[0]
        cursor.execute(f"EXPLAIN {NEWEST_UNCLAIMED_SQL}", ["random_forest", draw_on_sale(), 10])
        plan = " ".join(line for (line,) in cursor.fetchall())
    assert known == 16_000
    assert "idx_pre_generated_mode" in plan
    assert "Sort" not in plan
