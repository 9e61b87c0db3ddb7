"""The ticket table: its constraints, the INSERT of the specified schema, and its indexes."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.db.models import ProtectedError
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.factories import WEDNESDAY, some_tickets
from tickets.models import GenerationRun, PreGeneratedTicket, TicketBatch
from tickets.store import TicketRow, get_cached_tickets, insert_batch_tickets, insert_rows

VALID: dict[str, Any] = {
    "mode": "v1",
    "pipeline_run_id": "pipe-1",
    "n1": 7,
    "n2": 14,
    "n3": 21,
    "n4": 28,
    "n5": 35,
    "powerball": 9,
    "confidence_score": 0.25,
    "strategy_used": "v1",
    "draw_date": WEDNESDAY,
}


@pytest.fixture
def batch(db: None) -> TicketBatch:
    """Create a batch of one ticket, 1 2 3 4 5 +1."""
    insert_batch_tickets(some_tickets(1), "v1", "pipe-1", WEDNESDAY)
    return TicketBatch.objects.get()


def insert_raw(values: dict[str, Any]) -> None:
    marks = ", ".join(["%s"] * len(values))
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO pre_generated_tickets ({', '.join(values)}) VALUES ({marks})",
            [str(value) if value is WEDNESDAY else value for value in values.values()],
        )


def delete_raw(batch: TicketBatch) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM tickets_ticketbatch WHERE id = %s", [batch.pk])
        connection.check_constraints()  # deferred until the end of the test's transaction otherwise


BROKEN: dict[str, tuple[dict[str, Any], str]] = {
    "unsorted": ({"n2": 21, "n3": 14}, "ticket_white_balls_ascending"),
    "repeated": ({"n4": 35}, "ticket_white_balls_ascending"),
    "white ball 0": ({"n1": 0}, "ticket_white_balls_in_range"),
    "white ball 70": ({"n5": 70}, "ticket_white_balls_in_range"),
    "powerball 0": ({"powerball": 0}, "ticket_powerball_in_range"),
    "powerball 27": ({"powerball": 27}, "ticket_powerball_in_range"),
    "mode bogus": ({"mode": "bogus"}, "ticket_mode_known"),
    "confidence 1.5": ({"confidence_score": 1.5}, "ticket_confidence_in_range"),
    "confidence -0.5": ({"confidence_score": -0.5}, "ticket_confidence_in_range"),
}


@pytest.mark.parametrize(("values", "constraint"), BROKEN.values(), ids=BROKEN)
def test_database_rejects_invalid_tickets(
    values: dict[str, Any], constraint: str, batch: TicketBatch
) -> None:
    with pytest.raises(IntegrityError, match=constraint):
        insert_raw(
            VALID | {"metadata": None, "created_at": "2026-11-24 12:00:00", "batch_id": batch.pk} | values
        )
    assert PreGeneratedTicket.objects.count() == 1


@pytest.mark.parametrize(("values", "constraint"), BROKEN.values(), ids=BROKEN)
def test_a_broken_ticket_is_refused_by_the_model(
    values: dict[str, Any], constraint: str, batch: TicketBatch
) -> None:
    ticket = PreGeneratedTicket(batch=batch, **VALID | values)

    with pytest.raises(ValidationError, match=f"{constraint}|'bogus' is not a valid choice"):
        ticket.full_clean()


def test_the_unbroken_ticket_passes_both_doors(batch: TicketBatch) -> None:
    PreGeneratedTicket(batch=batch, **VALID).full_clean()
    insert_raw(VALID | {"batch_id": batch.pk})

    assert PreGeneratedTicket.objects.get(n1=7).white_balls == [7, 14, 21, 28, 35]


@pytest.mark.parametrize("mode", ["v1", "hybrid"])
def test_duplicate_ticket_is_rejected_by_validation_and_database(mode: str, batch: TicketBatch) -> None:
    values = VALID | {"mode": mode} | dict(zip(["n1", "n2", "n3", "n4", "n5"], range(1, 6), strict=True))
    values["powerball"] = 1

    with pytest.raises(IntegrityError):
        insert_raw(values | {"batch_id": batch.pk})
    with pytest.raises(ValidationError, match="already exists"):
        PreGeneratedTicket(batch=batch, **values).full_clean()

    insert_raw(values | {"batch_id": batch.pk, "powerball": 2})
    insert_raw(values | {"batch_id": batch.pk, "draw_date": "2026-11-28"})
    assert PreGeneratedTicket.objects.count() == 3


@pytest.mark.parametrize(
    "row", [TicketRow([1, 2, 3, 4, 70], 1, 0.5, "v1", None), TicketRow([1, 2, 3, 4, 6], 27, 0.5, "v1", None)]
)
def test_only_duplicates_are_passed_over_a_broken_row_stays_an_error(
    row: TicketRow, batch: TicketBatch
) -> None:
    with pytest.raises(IntegrityError, match="in_range"), transaction.atomic():
        insert_rows(batch, [row], timezone.now())


@pytest.mark.parametrize("missing", ["draw_date", "batch_id", "mode", "n3", "powerball"])
def test_a_ticket_without_its_draw_its_batch_or_a_number_is_refused(missing: str, batch: TicketBatch) -> None:
    values = VALID | {"batch_id": batch.pk}
    del values[missing]

    with pytest.raises(IntegrityError):
        insert_raw(values)


def test_the_written_schemas_own_insert_works_and_the_database_fills_in_its_defaults(
    batch: TicketBatch,
) -> None:
    before = datetime.now(UTC)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO pre_generated_tickets
                (mode, pipeline_run_id, n1, n2, n3, n4, n5, powerball, draw_date, batch_id)
            VALUES ('v2', 'pipe-9', 7, 14, 21, 28, 35, 9, '2026-11-25', %s)
            """,
            [batch.pk],
        )
    ticket = PreGeneratedTicket.objects.get(n1=7)

    assert ticket.confidence_score == 0.5
    assert (ticket.strategy_used, ticket.metadata) == (None, None)
    assert timedelta(seconds=-1) < ticket.created_at - before < timedelta(seconds=30)
    (shown,) = get_cached_tickets("v2", draw_date=WEDNESDAY)
    assert (shown["strategy"], shown["confidence"], shown["pipeline_run_id"]) == ("v2", 0.5, "pipe-9")


def test_a_batch_cannot_be_deleted_while_it_has_tickets(batch: TicketBatch) -> None:
    with pytest.raises(ProtectedError):
        batch.delete()
    with pytest.raises(IntegrityError):
        delete_raw(batch)
    assert TicketBatch.objects.filter(pk=batch.pk).exists()


@pytest.mark.parametrize(
    ("values", "constraint"),
    [
        ({"status": "bogus"}, "ticket_batch_status_known"),
        ({"mode": "bogus"}, "ticket_batch_mode_known"),
        ({"stored": 2}, "ticket_batch_counts_agree"),
        ({"stored": -1}, "stored"),
    ],
)
def test_a_broken_batch_is_refused_by_the_database(
    values: dict[str, Any], constraint: str, batch: TicketBatch
) -> None:
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        TicketBatch.objects.filter(pk=batch.pk).update(**values)


def test_a_run_with_an_unknown_status_is_refused_by_the_database(batch: TicketBatch) -> None:
    with pytest.raises(IntegrityError, match="generation_run_status_known"), transaction.atomic():
        GenerationRun.objects.update(status="bogus")


# Indexes


@pytest.mark.django_db
def test_the_table_has_the_indexes_and_constraints_of_the_schema_under_their_names() -> None:
    with connection.cursor() as cursor:
        found = connection.introspection.get_constraints(cursor, "pre_generated_tickets")

    indexes = {name: one["columns"] for name, one in found.items() if name.startswith("idx_")}
    assert indexes == {
        "idx_pre_generated_mode": ["mode", "draw_date", "claim_id", "created_at", "id"],
        "idx_pre_generated_created_at": ["created_at"],
        "idx_pre_generated_pipeline_run": ["pipeline_run_id", "mode"],
        "idx_pre_generated_claimed": ["draw_date", "id"],
    }
    assert found["idx_pre_generated_mode"]["orders"] == ["ASC", "ASC", "ASC", "DESC", "DESC"]
    assert found["one_ticket_a_draw"]["unique"]
    assert {constraint for _, constraint in BROKEN.values()} <= set(found)


def plan_of(queries: Sequence[dict[str, str]], word: str) -> list[str]:
    """Return SQLite's plan of the captured query that contains a word."""
    (sql,) = [query["sql"] for query in queries if word in query["sql"]]
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {sql}")
        return [row[3] for row in cursor.fetchall()]


@pytest.mark.django_db
def test_cached_tickets_are_read_from_their_index_in_order_without_sorting() -> None:
    if connection.vendor != "sqlite":
        pytest.skip("EXPLAIN QUERY PLAN is SQLite's; PostgreSQL chooses by the size of the table")
    insert_batch_tickets(some_tickets(50), "v1", draw_date=WEDNESDAY)

    with CaptureQueriesContext(connection) as queries:
        get_cached_tickets("v1", 10, WEDNESDAY)

    (step,) = plan_of(list(queries), "pre_generated_tickets")
    assert "USING INDEX idx_pre_generated_mode (mode=? AND draw_date=? AND claim_id=?)" in step
    assert "TEMP B-TREE" not in step
