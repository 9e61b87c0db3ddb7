"""Every ticket row is deleted here: a chunk a transaction, each with its batches' counts.

No door deletes a claimed ticket before its draw is scored. By age it goes some days after its draw, however
old it is itself; its Claim keeps the numbers.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from predictions.models import Draw
from predictions.modes.registry import check_mode
from predictions.powerball import EASTERN, draw_instant
from tickets.models import PreGeneratedTicket, TicketBatch
from tickets.models.policies import MAX_DAYS, policy_of
from tickets.models.scores import BatchScore

DELETE_CHUNK = 5000  # rows a transaction, so that readers and other writers get their turn
IDLE_RATIO = 0.5  # of the time that a chunk took, left to others before the next
KEY_BATCH = 250_000  # read ahead of the chunks, so that none passes over what earlier ones deleted

Tickets = QuerySet[PreGeneratedTicket]
Watcher = Callable[[int], None]
Key = tuple[int, int]  # of a batch, and of one of its tickets

UNCLAIMED = Q(claim=None)
SCORED = Q(
    Exists(BatchScore.objects.filter(batch=OuterRef("batch"))),
    Exists(Draw.objects.filter(draw_date=OuterRef("draw_date"))),
)


# What may go


def days_ago(days: int) -> datetime:
    """The instant `days` times 24 hours ago; ValueError for bad days."""
    if isinstance(days, bool) or not isinstance(days, int) or not 1 <= days <= MAX_DAYS:
        raise ValueError(f"days {days!r}: allowed is an integer from 1 to {MAX_DAYS}")
    return timezone.now() - timedelta(days=days)


def expired_tickets(days: int | None = None, mode: str | None = None) -> list[Tickets]:
    """The tickets that nobody claimed and that were made more than `days` times 24 hours ago.

    Without `days`, as many as each mode's policy says. One query a mode and draw in stock, since so they lie
    in their index. ValueError for bad days or mode.
    """
    batches = TicketBatch.objects.filter(stored__gt=0)
    if mode is not None:
        batches = batches.filter(mode=check_mode(mode))
    if days is not None:
        days_ago(days)
    stock = batches.order_by("draw_date", "mode").values_list("mode", "draw_date").distinct()
    before = {
        one: days_ago(policy_of(one).keep_days if days is None else days)
        for one in sorted({mode for mode, _ in stock})
    }
    return [
        PreGeneratedTicket.objects.filter(
            UNCLAIMED, mode=one, draw_date=day, created_at__lt=before[one]
        ).order_by("created_at", "id")
        for one, day in stock
    ]


def expired_claimed_tickets(mode: str | None = None) -> Tickets:
    """The claimed tickets whose draw is scored, and was held more than CLAIM_KEEP_DAYS ago."""
    before = days_ago(settings.CLAIM_KEEP_DAYS)
    day = before.astimezone(EASTERN).date()
    last = day if draw_instant(day) < before else day - timedelta(days=1)
    tickets = PreGeneratedTicket.objects.filter(SCORED, claim__isnull=False, draw_date__lte=last)
    return (tickets if mode is None else tickets.filter(mode=check_mode(mode))).order_by("draw_date", "id")


def tickets_of_batch(batch: TicketBatch, before: datetime | None = None) -> Tickets:
    """A batch's tickets that a purge may delete, or those of them made before an instant."""
    tickets = PreGeneratedTicket.objects.of_batch(batch).filter(UNCLAIMED | SCORED)
    return (tickets if before is None else tickets.filter(created_at__lt=before)).order_by("id")


def unpurgeable_claims(batch: TicketBatch) -> int:
    """How many of a batch's tickets no purge deletes: claimed, and not scored yet."""
    claimed = PreGeneratedTicket.objects.filter(draw_date=batch.draw_date, claim__isnull=False, batch=batch)
    return claimed.exclude(SCORED).count()


# Doing it


def clear_old_batch_tickets(
    days: int | None = None,
    mode: str | None = None,
    watch: Watcher = lambda deleted: None,
    until: float | None = None,
) -> int:
    """Delete what `old_tickets` and `old_claimed_tickets` name, in chunks; returns how many.

    Without `days`, each mode's policy says how long its tickets are kept. From the instant `until` of
    `time.monotonic()` no chunk is begun but the first, and the rest is left to another call.
    """
    total = 0
    for tickets in expired_tickets(days, mode):
        total += _delete(tickets, UNCLAIMED, watch, until)
        if total and _is_over(until):
            return total
    return total + _delete(expired_claimed_tickets(mode), SCORED, watch, until)


def purge_batch(
    batch: TicketBatch,
    watch: Watcher = lambda deleted: None,
    before: datetime | None = None,
    at_most: int | None = None,
    until: float | None = None,
) -> int:
    """Delete a batch's tickets in chunks, or those made before an instant; returns how many.

    The batch stays, with what it made. `at_most` and `until` leave the rest for another call.
    """
    return _delete(tickets_of_batch(batch, before), UNCLAIMED | SCORED, watch, until, at_most)


def _delete(
    tickets: Tickets, allowed: Q, watch: Watcher, until: float | None, at_most: int | None = None
) -> int:
    """Delete tickets that are `allowed` to go at the moment they go, until none is left."""
    total = 0
    while True:
        count = KEY_BATCH if at_most is None else min(KEY_BATCH, at_most - total)
        keys = _keys(tickets, count)
        deleted = _delete_keys(keys, allowed, watch, until)
        total += deleted
        if not deleted or len(keys) < count or _is_over(until):
            return total


def _delete_keys(keys: Sequence[Key], allowed: Q, watch: Watcher, until: float | None) -> int:
    total, rest = 0, 0.0
    for first in range(0, len(keys), DELETE_CHUNK):
        time.sleep(rest)
        started = time.monotonic()
        deleted = _delete_chunk(keys[first : first + DELETE_CHUNK], allowed)
        rest = IDLE_RATIO * (time.monotonic() - started)
        total += deleted
        watch(deleted)
        if _is_over(until):
            break
    return total


def _keys(tickets: Tickets, count: int) -> list[Key]:
    return list(tickets.values_list("batch", "pk")[:count])


def _delete_chunk(keys: Iterable[Key], allowed: Q) -> int:
    """One transaction: tickets, and their batches' counts lowered by what was really there."""
    by_batch: dict[int, list[int]] = defaultdict(list)
    for batch_pk, pk in keys:
        by_batch[batch_pk].append(pk)
    with transaction.atomic():
        # The batches first and in order, as whoever stores tickets does, so that nobody waits in a circle.
        batches = TicketBatch.objects.filter(pk__in=by_batch).select_for_update(no_key=True)
        total = 0
        for batch in batches.order_by("pk").only("pk"):
            total += _delete_of_batch(batch, by_batch[batch.pk], allowed)
    return total


def _delete_of_batch(batch: TicketBatch, pks: Sequence[int], allowed: Q) -> int:
    deleted, _ = PreGeneratedTicket.objects.filter(allowed, pk__in=pks).delete()
    if deleted:
        TicketBatch.objects.filter(pk=batch.pk).update(stored=F("stored") - deleted)
    return deleted


def _is_over(until: float | None) -> bool:
    return until is not None and time.monotonic() >= until
