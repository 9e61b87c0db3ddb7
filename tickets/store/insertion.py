"""Every ticket row is made here, and counted in its batch in the same transaction."""

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
from predictions.powerball import check_ticket_day
from tickets.models import GenerationRun, Origin, TicketBatch
from tickets.store.validation import checked_ticket

logger = logging.getLogger(__name__)


class TicketRow(NamedTuple):
    """A valid ticket on its way into the table."""

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
    """Store ready-made tickets as a `ready` batch of the run; returns how many rows were really stored.

    A ticket is a dict with `white_balls` (five integers, ascending) and `powerball`, and optionally
    `confidence` (0 to 1), `strategy` and `metadata`. An invalid one, and one that exists already for its
    draw, is skipped with a logged reason; the others are stored. `draw_date=None` means the next draw.
    ValueError for an unknown mode, a day without a draw of the era, a bad run id, or when `tickets` is no
    list.
    """
    check_mode(mode)
    day = draw_date or upcoming_draw()
    check_ticket_day(day)
    run_id = new_run_id("manual") if pipeline_run_id is None else check_run_id(pipeline_run_id)
    rows = _valid_rows(tickets, mode)
    if not rows:
        return 0
    with transaction.atomic():
        batch = _inserted_batch(run_id, mode, day)
        refused = insert_rows(batch, rows, timezone.now())
        stored = len(rows) - len(refused)
        if stored:
            TicketBatch.objects.filter(pk=batch.pk).update(
                requested=F("requested") + stored, finished_at=timezone.now()
            )
        else:
            transaction.set_rollback(True)  # no empty batch, no empty run
    for place in refused:
        logger.warning("ticket %s exists already for %s; skipped", _text(rows[place]), day)
    return stored


def _valid_rows(tickets: Iterable[dict[str, Any]], mode: str) -> list[TicketRow]:
    if isinstance(tickets, str | bytes | dict) or not isinstance(tickets, Iterable):
        raise ValueError(f"tickets is {type(tickets).__name__}: allowed is a list of dicts")
    rows = []
    for number, ticket in enumerate(tickets):
        try:
            rows.append(TicketRow(*checked_ticket(ticket, mode)))
        except ValueError as error:  # InvalidTicket, or a number too long for Python to write out
            logger.warning("ticket %d of %s skipped: %s", number, mode, error)
    return rows


def _text(row: TicketRow) -> str:
    return f"{' '.join(map(str, row.white_balls))} +{row.powerball}"


def _inserted_batch(run_id: str, mode: str, day: date) -> TicketBatch:
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


# The fast path: rows by the thousand


def insert_rows(batch: TicketBatch, rows: Sequence[TicketRow], created_at: datetime) -> list[int]:
    """Insert rows into a batch and count them there; returns the places of those that existed already.

    To be called in a transaction, so that rows and counts come together or not at all. Ids ascend with the
    places, so (created_at, id) is the order of making; a row twice among `rows` is stored at its first place.
    """
    # What all rows have in common, in the order of _COMMON.
    common = (
        batch.mode,
        batch.run.pipeline_run_id,
        connection.ops.adapt_datetimefield_value(created_at),
        connection.ops.adapt_datefield_value(batch.draw_date),
        batch.pk,
    )
    insert = _copy if connection.vendor == "postgresql" else _insert_many
    with connection.cursor() as cursor:
        refused = insert(cursor, common, rows)
    stored = len(rows) - len(refused)
    TicketBatch.objects.filter(pk=batch.pk).update(
        stored=F("stored") + stored, generated=F("generated") + stored
    )
    return refused


_COMMON = "mode, pipeline_run_id, created_at, draw_date, batch_id"
_KEY = "n1, n2, n3, n4, n5, powerball"
_OWN = f"id, {_KEY}, confidence_score, strategy_used, metadata"
_INSERT = f"INSERT INTO pre_generated_tickets ({_COMMON}, {_OWN}) SELECT %s, %s, %s, %s, %s"
# ON CONFLICT names its key: a broken CHECK must stay an error, which "INSERT OR IGNORE" would swallow.
_OR_REFUSE = f"ON CONFLICT (draw_date, {_KEY}) DO NOTHING"

# SQLite. What a statement costs whatever it holds (the list of modes to check, the last id to note) is a
# third of a row's time, so one holds many rows; 999 parameters are allowed everywhere.
_ROWS_A_STATEMENT = 50
# The unique key's pages are hit at random: with the usual 2 MB most are read anew for each ticket.
_CACHE = "PRAGMA cache_size = -65536"  # KiB, of this connection, as they are needed
_LAST_ID = "SELECT seq FROM sqlite_sequence WHERE name = 'pre_generated_tickets'"


def _insert_many(cursor: CursorWrapper, common: tuple[Any, ...], rows: Sequence[TicketRow]) -> list[int]:
    cursor.execute(_CACHE)
    cursor.execute(_LAST_ID)  # nobody else can write until our transaction ends
    first = (cursor.fetchone() or (0,))[0] + 1
    values = [
        (number, *row.white_balls, row.powerball, row.confidence, row.strategy, row.metadata)
        for number, row in enumerate(rows, start=first)
    ]
    stored, full = 0, len(rows) - len(rows) % _ROWS_A_STATEMENT
    for size, part in ((_ROWS_A_STATEMENT, values[:full]), (len(rows) - full, values[full:])):
        if part:
            groups = (part[start : start + size] for start in range(0, len(part), size))
            cursor.executemany(_values(size), [(*common, *chain.from_iterable(group)) for group in groups])
            stored += cursor.rowcount
    if stored == len(rows):
        return []
    cursor.execute("SELECT id FROM pre_generated_tickets WHERE id >= %s", [first])
    there = {number for (number,) in cursor.fetchall()}
    return [place for place in range(len(rows)) if first + place not in there]


def _values(rows: int) -> str:
    """The statement that inserts so many rows."""
    row = f"({', '.join(['%s'] * 10)})"
    # `WHERE true`, or SQLite would take ON CONFLICT for a join's ON.
    return f"{_INSERT}, * FROM (VALUES {', '.join([row] * rows)}) WHERE true {_OR_REFUSE}"


# PostgreSQL. COPY cannot pass over what exists, so it fills a table of this session's own, which is emptied
# by every commit. Rows go from there in the order of their keys: two transactions that insert some of the
# same tickets in different orders would wait for each other.
_STAGE = """
    CREATE TEMPORARY TABLE IF NOT EXISTS staged_tickets (
        place integer, n1 integer, n2 integer, n3 integer, n4 integer, n5 integer, powerball integer,
        confidence_score double precision, strategy_used text, metadata text
    ) ON COMMIT DELETE ROWS
"""
_COPY = f"COPY staged_tickets (place, {_KEY}, confidence_score, strategy_used, metadata) FROM STDIN"
_MOVE = f"""
    WITH numbered AS MATERIALIZED (
        SELECT nextval((SELECT pg_get_serial_sequence('pre_generated_tickets', 'id')::regclass)) AS id, one.*
        FROM staged_tickets AS one ORDER BY place
    ), stored AS ({_INSERT}, {_OWN} FROM numbered ORDER BY {_KEY}, place {_OR_REFUSE} RETURNING id)
    SELECT place FROM numbered
    WHERE NOT EXISTS (SELECT FROM stored WHERE stored.id = numbered.id) ORDER BY place
"""


def _copy(cursor: CursorWrapper, common: tuple[Any, ...], rows: Sequence[TicketRow]) -> list[int]:
    cursor.execute(_STAGE)
    cursor.execute("DELETE FROM staged_tickets")  # what this transaction inserted before
    with connection.wrap_database_errors, cursor.copy(_COPY) as copy:
        for place, row in enumerate(rows):
            copy.write_row(
                (place, *row.white_balls, row.powerball, row.confidence, row.strategy, row.metadata)
            )
    cursor.execute(_MOVE, common)
    return [place for (place,) in cursor.fetchall()]


def refresh_statistics(chunks: int) -> None:
    """Let PostgreSQL know how a growing batch has changed the table, after 2, 4, 8, … of its chunks.

    Its own daemon looks once a minute. Until then it takes a mode's tickets for a few rows, and reads and
    sorts all of them to show ten: 270 ms instead of 1 at 300,000.
    """
    if connection.vendor == "postgresql" and chunks > 1 and chunks & (chunks - 1) == 0:
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE pre_generated_tickets")
