"""Deletion of tickets in chunks, each in one transaction with the counts of its batches.

A claimed ticket is never deleted before its draw is scored; its claim keeps the numbers.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from predictions.models import Draw
from predictions.modes.registry import check_mode
from predictions.powerball import EASTERN, draw_instant
from tickets.models import PreGeneratedTicket, TicketBatch
from tickets.models.policies import MAX_DAYS, get_policy
from tickets.models.scores import BatchScore

DELETE_CHUNK = 5000  # rows per transaction, to block others only briefly
IDLE_RATIO = 0.5  # pause after each chunk, relative to its duration
KEY_BATCH = 250_000  # read at once, to avoid rescanning the index entries of deleted rows

Tickets = QuerySet[PreGeneratedTicket]
Watcher = Callable[[int], None]

UNCLAIMED = Q(claim=None)
SCORED = Q(
    Exists(BatchScore.objects.filter(batch=OuterRef("batch"))),
    Exists(Draw.objects.filter(draw_date=OuterRef("draw_date"))),
)


def days_ago(days: int) -> datetime:
    """Return the instant `days` times 24 hours ago, or raise ValueError."""
    if isinstance(days, bool) or not isinstance(days, int) or not 1 <= days <= MAX_DAYS:
        raise ValueError(f"days must be an integer from 1 to {MAX_DAYS:,}, not {days!r}")
    return timezone.now() - timedelta(days=days)


def find_expired_tickets(days: int | None = None, mode: str | None = None) -> list[Tickets]:
    """Return the unclaimed tickets older than `days`, by default of each mode's policy.

    One queryset per mode and draw, so that each can use the index. Raise ValueError for an invalid argument.
    """
    if days is not None:
        days_ago(days)
    batches = TicketBatch.objects.filter(stored__gt=0)
    if mode is not None:
        batches = batches.filter(mode=check_mode(mode))
    stock = batches.order_by("draw_date", "mode").values_list("mode", "draw_date").distinct()
    created_before = {
        name: days_ago(get_policy(name).keep_days if days is None else days)
        for name in sorted({name for name, _ in stock})
    }
    return [
        PreGeneratedTicket.objects.filter(
            UNCLAIMED, mode=name, draw_date=draw_date, created_at__lt=created_before[name]
        ).order_by("created_at", "id")
        for name, draw_date in stock
    ]


def find_expired_claimed_tickets(mode: str | None = None) -> Tickets:
    """Return the claimed tickets whose draw is scored and took place more than CLAIM_KEEP_DAYS ago."""
    before = days_ago(settings.CLAIM_KEEP_DAYS)
    day = before.astimezone(EASTERN).date()
    last_draw_date = day if draw_instant(day) < before else day - timedelta(days=1)
    tickets = PreGeneratedTicket.objects.filter(SCORED, claim__isnull=False, draw_date__lte=last_draw_date)
    return (tickets if mode is None else tickets.filter(mode=check_mode(mode))).order_by("draw_date", "id")


def find_purgeable_tickets(batch: TicketBatch, before: datetime | None = None) -> Tickets:
    """Return the purgeable tickets of a batch, optionally created before an instant."""
    tickets = PreGeneratedTicket.objects.of_batch(batch).filter(UNCLAIMED | SCORED)
    return (tickets if before is None else tickets.filter(created_at__lt=before)).order_by("id")


def count_unpurgeable_claims(batch: TicketBatch) -> int:
    claimed = PreGeneratedTicket.objects.filter(draw_date=batch.draw_date, claim__isnull=False, batch=batch)
    return claimed.exclude(SCORED).count()


def clear_old_batch_tickets(
    days: int | None = None,
    mode: str | None = None,
    watch: Watcher = lambda deleted: None,
    until: float | None = None,
) -> int:
    """Delete expired tickets, unclaimed and claimed, and return their number.

    `watch` gets the size of each deleted chunk. After the first chunk, stop once `time.monotonic()` reaches
    `until`.
    """
    total = 0
    for tickets in find_expired_tickets(days, mode):
        total += delete_in_chunks(tickets, UNCLAIMED, watch, until)
        if total and _is_over(until):
            return total
    return total + delete_in_chunks(find_expired_claimed_tickets(mode), SCORED, watch, until)


def purge_batch(
    batch: TicketBatch,
    watch: Watcher = lambda deleted: None,
    before: datetime | None = None,
    at_most: int | None = None,
    until: float | None = None,
) -> int:
    """Delete the purgeable tickets of a batch, which remains, and return their number."""
    return delete_in_chunks(find_purgeable_tickets(batch, before), UNCLAIMED | SCORED, watch, until, at_most)


def delete_in_chunks(
    tickets: Tickets, allowed: Q, watch: Watcher, until: float | None, at_most: int | None = None
) -> int:
    """Delete tickets that still match `allowed`, since they may have been claimed meanwhile."""
    total = 0
    while True:
        count = KEY_BATCH if at_most is None else min(KEY_BATCH, at_most - total)
        keys = list(tickets.values_list("batch", "pk")[:count])
        total_before, pause = total, 0.0
        for start in range(0, len(keys), DELETE_CHUNK):
            time.sleep(pause)
            started = time.monotonic()
            deleted = delete_chunk(keys[start : start + DELETE_CHUNK], allowed)
            pause = IDLE_RATIO * (time.monotonic() - started)
            total += deleted
            watch(deleted)
            if _is_over(until):
                return total
        if total == total_before or len(keys) < count:
            return total


def delete_chunk(keys: Iterable[tuple[int, int]], allowed: Q) -> int:
    """Delete tickets by (batch, ticket) keys, together with the counts of their batches."""
    by_batch: dict[int, list[int]] = defaultdict(list)
    for batch_pk, pk in keys:
        by_batch[batch_pk].append(pk)
    total = 0
    with transaction.atomic():
        # Lock batches before tickets and in order, as insertion does, to avoid deadlocks.
        batches = TicketBatch.objects.filter(pk__in=by_batch).select_for_update(no_key=True)
        for batch in batches.order_by("pk").only("pk"):
            deleted, _ = PreGeneratedTicket.objects.filter(allowed, pk__in=by_batch[batch.pk]).delete()
            if deleted:
                TicketBatch.objects.filter(pk=batch.pk).update(stored=F("stored") - deleted)
            total += deleted
    return total


def _is_over(until: float | None) -> bool:
    return until is not None and time.monotonic() >= until
