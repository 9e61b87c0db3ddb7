"""Insertion of tickets, counted in their batch in the same transaction."""

import logging
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from itertools import chain
from typing import Any, NamedTuple

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from django.db.models import F
from django.utils import timezone

from predictions.draws.sources import upcoming_draw
from predictions.models import check_run_id, new_run_id
from predictions.modes.registry import check_mode
from predictions.powerball import check_ticket_date
from tickets.models import GenerationRun, Origin, TicketBatch
from tickets.store.validation import validate_ticket

logger = logging.getLogger(__name__)


class TicketRow(NamedTuple):
    white_balls: Sequence[int]
    powerball: int
    confidence: float
    strategy: str
    metadata: str | None


def insert_batch_tickets(
    tickets: Iterable[dict[str, Any]],
    mode: str,
    pipeline_run_id: str | None = None,
    draw_date: date | None = None,
) -> int:
    """Insert existing tickets as a `ready` batch and return how many were stored.

    A ticket is a dict with `white_balls` (five ascending integers), `powerball` and optionally
    `confidence` (0 to 1), `strategy` and `metadata`. Invalid and existing tickets are skipped and logged.
    `draw_date` defaults to the next draw. Raise ValueError for any other invalid argument.
    """
    check_mode(mode)
    day = draw_date or upcoming_draw()
    check_ticket_date(day)
    run_id = new_run_id("manual") if pipeline_run_id is None else check_run_id(pipeline_run_id)
    rows = validate_tickets(tickets, mode)
    if not rows:
        return 0
    with transaction.atomic():
        batch = get_or_create_inserted_batch(run_id, mode, day)
        rejected = insert_rows(batch, rows, timezone.now())
        stored = len(rows) - len(rejected)
        if stored:
            TicketBatch.objects.filter(pk=batch.pk).update(
                requested=F("requested") + stored, finished_at=timezone.now()
            )
        else:
            transaction.set_rollback(True)  # leaves no empty batch or run
    for index in rejected:
        numbers = f"{' '.join(map(str, rows[index].white_balls))} +{rows[index].powerball}"
        logger.warning("Skipping ticket %s: it already exists for %s", numbers, day)
    return stored


def validate_tickets(tickets: Iterable[dict[str, Any]], mode: str) -> list[TicketRow]:
    """Return the valid tickets as rows; the others are logged."""
    if isinstance(tickets, str | bytes | dict) or not isinstance(tickets, Iterable):
        raise ValueError(f"tickets must be a list of dicts, not {type(tickets).__name__}")
    rows = []
    for index, ticket in enumerate(tickets):
        try:
            rows.append(TicketRow(*validate_ticket(ticket, mode)))
        except ValueError as error:  # InvalidTicket, or an integer with too many digits for str()
            logger.warning("Skipping ticket %d of %s: %s", index, mode, error)
    return rows


def get_or_create_inserted_batch(run_id: str, mode: str, day: date) -> TicketBatch:
    now = timezone.now()
    run, _ = GenerationRun.objects.get_or_create(
        pipeline_run_id=run_id,
        defaults={
            "origin": Origin.INSERTED,
            "status": GenerationRun.Status.COMPLETED,
            "draw_date": day,
            "batch_size": 0,
            "auto_cleanup": False,
            "started_at": now,
            "finished_at": now,
        },
    )
    batch, _ = TicketBatch.objects.get_or_create(
        run=run,
        mode=mode,
        draw_date=day,
        origin=Origin.INSERTED,
        defaults={"status": TicketBatch.Status.READY, "requested": 0, "started_at": now},
    )
    return batch


def insert_rows(batch: TicketBatch, rows: Sequence[TicketRow], created_at: datetime) -> list[int]:
    """Insert rows and return the indices of those that already existed. Call it in a transaction.

    Ids ascend with the indices, so (created_at, id) is the generation order.
    """
    # In the order of _SHARED_COLUMNS.
    shared = (
        batch.mode,
        batch.run.pipeline_run_id,
        connection.ops.adapt_datetimefield_value(created_at),
        connection.ops.adapt_datefield_value(batch.draw_date),
        batch.pk,
    )
    insert = _insert_by_copy if connection.vendor == "postgresql" else _insert_by_values
    with connection.cursor() as cursor:
        rejected = insert(cursor, shared, rows)
    stored = len(rows) - len(rejected)
    TicketBatch.objects.filter(pk=batch.pk).update(
        stored=F("stored") + stored, generated=F("generated") + stored
    )
    return rejected


_SHARED_COLUMNS = "mode, pipeline_run_id, created_at, draw_date, batch_id"
_NUMBERS = "n1, n2, n3, n4, n5, powerball"
_ROW_COLUMNS = f"id, {_NUMBERS}, confidence_score, strategy_used, metadata"
_INSERT = f"INSERT INTO pre_generated_tickets ({_SHARED_COLUMNS}, {_ROW_COLUMNS}) SELECT %s, %s, %s, %s, %s"
# Naming the key keeps a violated CHECK an error; "INSERT OR IGNORE" would ignore it too.
_ON_CONFLICT = f"ON CONFLICT (draw_date, {_NUMBERS}) DO NOTHING"

# SQLite: a statement costs a third of a row, and every version allows 999 parameters.
_ROWS_PER_STATEMENT = 50
# Inserts hit the unique index at random; the default of 2 MB does not hold it.
_SET_CACHE_SIZE = "PRAGMA cache_size = -65536"  # KiB per connection, allocated as needed
_LAST_ID = "SELECT seq FROM sqlite_sequence WHERE name = 'pre_generated_tickets'"


def _insert_by_values(cursor: CursorWrapper, shared: tuple[Any, ...], rows: Sequence[TicketRow]) -> list[int]:
    cursor.execute(_SET_CACHE_SIZE)
    cursor.execute(_LAST_ID)  # this transaction is the only writer
    first_id = (cursor.fetchone() or (0,))[0] + 1
    values = [
        (row_id, *row.white_balls, row.powerball, row.confidence, row.strategy, row.metadata)
        for row_id, row in enumerate(rows, start=first_id)
    ]
    stored, full = 0, len(rows) - len(rows) % _ROWS_PER_STATEMENT
    for size, part in ((_ROWS_PER_STATEMENT, values[:full]), (len(rows) - full, values[full:])):
        if part:
            groups = (part[start : start + size] for start in range(0, len(part), size))
            parameters = [(*shared, *chain.from_iterable(group)) for group in groups]
            cursor.executemany(_insert_statement(size), parameters)
            stored += cursor.rowcount
    if stored == len(rows):
        return []
    cursor.execute("SELECT id FROM pre_generated_tickets WHERE id >= %s", [first_id])
    stored_ids = {row_id for (row_id,) in cursor.fetchall()}
    return [index for index in range(len(rows)) if first_id + index not in stored_ids]


def _insert_statement(rows: int) -> str:
    row = f"({', '.join(['%s'] * 10)})"
    # Without `WHERE true`, SQLite parses ON CONFLICT as a join constraint.
    return f"{_INSERT}, * FROM (VALUES {', '.join([row] * rows)}) WHERE true {_ON_CONFLICT}"


# PostgreSQL: COPY cannot skip existing rows, so it fills a temporary table. Rows are inserted from it in key
# order, since concurrent inserts of the same tickets in different orders would deadlock.
_CREATE_STAGING = """
    CREATE TEMPORARY TABLE IF NOT EXISTS staged_tickets (
        place integer, n1 integer, n2 integer, n3 integer, n4 integer, n5 integer, powerball integer,
        confidence_score double precision, strategy_used text, metadata text
    ) ON COMMIT DELETE ROWS
"""
_COPY = f"COPY staged_tickets (place, {_NUMBERS}, confidence_score, strategy_used, metadata) FROM STDIN"
_INSERT_STAGED = f"""
    WITH numbered AS MATERIALIZED (
        SELECT
            nextval((SELECT pg_get_serial_sequence('pre_generated_tickets', 'id')::regclass)) AS id, staged.*
        FROM staged_tickets AS staged ORDER BY place
    ), stored AS (
        {_INSERT}, {_ROW_COLUMNS} FROM numbered ORDER BY {_NUMBERS}, place {_ON_CONFLICT} RETURNING id
    )
    SELECT place FROM numbered
    WHERE NOT EXISTS (SELECT FROM stored WHERE stored.id = numbered.id) ORDER BY place
"""


def _insert_by_copy(cursor: CursorWrapper, shared: tuple[Any, ...], rows: Sequence[TicketRow]) -> list[int]:
    cursor.execute(_CREATE_STAGING)
    cursor.execute("DELETE FROM staged_tickets")  # staged earlier in this transaction
    with connection.wrap_database_errors, cursor.copy(_COPY) as copy:
        for index, row in enumerate(rows):
            copy.write_row(
                (index, *row.white_balls, row.powerball, row.confidence, row.strategy, row.metadata)
            )
    cursor.execute(_INSERT_STAGED, shared)
    return [index for (index,) in cursor.fetchall()]


def refresh_statistics(chunks: int) -> None:
    """Update PostgreSQL's planner statistics after 2, 4, 8, … chunks of a growing batch.

    Before autovacuum does, the planner sorts all tickets of a mode to return ten: 270 ms instead of 1 ms.
    """
    if connection.vendor == "postgresql" and chunks > 1 and chunks & (chunks - 1) == 0:
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE pre_generated_tickets")
