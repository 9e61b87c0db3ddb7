"""Every ticket row is made, counted and deleted here, so that a batch's counts are always true.

Reading is `tickets.stock`; its two functions are offered here too, beside their siblings.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from django.db import connection, transaction
from django.db.models import F, Max, QuerySet
from django.utils import timezone

from predictions.draws import upcoming_draw
from predictions.models import check_run_id, new_run_id
from predictions.modes import check_mode
from predictions.powerball import check_ticket_day
from tickets.models import GenerationRun, Origin, PreGeneratedTicket, TicketBatch
from tickets.stock import get_batch_ticket_stats, get_cached_tickets
from tickets.validation import checked_ticket

__all__ = [
    "clear_old_batch_tickets",
    "get_batch_ticket_stats",
    "get_cached_tickets",
    "insert_batch_tickets",
]

logger = logging.getLogger(__name__)

DELETE_CHUNK = 5000  # rows a transaction, so that readers and other writers get their turn
MAX_DAYS = 36_500


# Insert


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


# ON CONFLICT names its key: a broken CHECK must stay an error, which "INSERT OR IGNORE" would swallow.
_INSERT = """
    INSERT INTO pre_generated_tickets
        (mode, pipeline_run_id, n1, n2, n3, n4, n5, powerball, confidence_score, strategy_used, metadata,
         created_at, draw_date, batch_id)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
    ON CONFLICT (draw_date, n1, n2, n3, n4, n5, powerball) DO NOTHING
"""


def insert_rows(batch: TicketBatch, rows: Sequence[TicketRow], created_at: datetime) -> list[int]:
    """Insert rows into a batch and count them there; returns the places of those that existed already.

    To be called in a transaction, so that rows and counts come together or not at all.
    """
    head = (batch.mode, batch.run.pipeline_run_id)
    tail = (
        connection.ops.adapt_datetimefield_value(created_at),
        connection.ops.adapt_datefield_value(batch.draw_date),
        batch.pk,
    )
    newest_before = PreGeneratedTicket.objects.aggregate(newest=Max("id"))["newest"] or 0
    with connection.cursor() as cursor:
        cursor.executemany(
            _INSERT,
            [
                (*head, *row.white_balls, row.powerball, row.confidence, row.strategy, row.metadata, *tail)
                for row in rows
            ],
        )
        stored = cursor.rowcount
    _count(batch.pk, stored)
    if stored == len(rows):
        return []
    fresh = PreGeneratedTicket.objects.filter(batch=batch, id__gt=newest_before)
    # A row twice among `rows` is stored once: its first place took it.
    taken = set(fresh.values_list("n1", "n2", "n3", "n4", "n5", "powerball"))
    refused = []
    for place, row in enumerate(rows):
        key = (*row.white_balls, row.powerball)
        if key in taken:
            taken.remove(key)
        else:
            refused.append(place)
    return refused


def _count(batch_pk: int, stored: int) -> None:
    TicketBatch.objects.filter(pk=batch_pk).update(
        stored=F("stored") + stored, generated=F("generated") + stored
    )


# Delete


Watcher = Callable[[int], None]


def instant_before(days: int) -> datetime:
    """The instant `days` times 24 hours ago; ValueError for bad days."""
    if isinstance(days, bool) or not isinstance(days, int) or not 1 <= days <= MAX_DAYS:
        raise ValueError(f"days {days!r}: allowed is an integer from 1 to {MAX_DAYS}")
    return timezone.now() - timedelta(days=days)


def old_tickets(days: int = 7, mode: str | None = None) -> QuerySet[PreGeneratedTicket]:
    """Tickets made more than `days` times 24 hours ago; ValueError for bad days or mode."""
    tickets = PreGeneratedTicket.objects.filter(created_at__lt=instant_before(days))
    return tickets if mode is None else tickets.filter(mode=check_mode(mode))


def tickets_of_batch(batch: TicketBatch, before: datetime | None = None) -> QuerySet[PreGeneratedTicket]:
    """A batch's tickets, or those of them made before an instant."""
    tickets = PreGeneratedTicket.objects.of_batch(batch)
    return tickets if before is None else tickets.filter(created_at__lt=before)


def clear_old_batch_tickets(
    days: int = 7, mode: str | None = None, watch: Watcher = lambda deleted: None
) -> int:
    """Delete tickets older than `days`, in chunks, each with its batches' counts; returns how many."""
    return _delete(old_tickets(days, mode).order_by("created_at", "id"), watch)


def purge_batch(
    batch: TicketBatch,
    watch: Watcher = lambda deleted: None,
    before: datetime | None = None,
    at_most: int | None = None,
) -> int:
    """Delete a batch's tickets in chunks, or those made before an instant; returns how many.

    The batch stays, with what it made. `at_most` leaves the rest for another call.
    """
    return _delete(tickets_of_batch(batch, before).order_by("id"), watch, at_most)


def _delete(tickets: QuerySet[PreGeneratedTicket], watch: Watcher, at_most: int | None = None) -> int:
    total = 0
    while deleted := _delete_chunk(tickets, DELETE_CHUNK if at_most is None else at_most - total):
        total += deleted
        watch(deleted)
    return total


def _delete_chunk(tickets: QuerySet[PreGeneratedTicket], at_most: int) -> int:
    with transaction.atomic():
        chunk = min(DELETE_CHUNK, at_most)
        doomed = list(tickets.select_for_update().values_list("pk", "batch_id")[:chunk])
        PreGeneratedTicket.objects.filter(pk__in=[pk for pk, _ in doomed]).delete()
        for batch_pk, count in sorted(Counter(batch_pk for _, batch_pk in doomed).items()):
            TicketBatch.objects.filter(pk=batch_pk).update(stored=F("stored") - count)
    return len(doomed)
