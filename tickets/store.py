"""Every ticket row is made, counted and deleted through here, so that a batch's counts are always true.

Making is `tickets.insertion`, reading `tickets.stock`; they are offered here too, beside their siblings.
"""

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from predictions.modes import check_mode
from tickets.insertion import TicketRow, insert_batch_tickets, insert_rows
from tickets.models import PreGeneratedTicket, TicketBatch
from tickets.stock import get_batch_ticket_stats, get_cached_tickets

__all__ = [
    "TicketRow",
    "clear_old_batch_tickets",
    "get_batch_ticket_stats",
    "get_cached_tickets",
    "insert_batch_tickets",
    "insert_rows",
]

DELETE_CHUNK = 5000  # rows a transaction, so that readers and other writers get their turn
MAX_DAYS = 36_500

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
