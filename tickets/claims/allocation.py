"""Handing tickets out for good: all or nothing, each to one client, however many ask at once.

A client's row is locked first, so one client's claims come one after the other: the same request finds its
claim, and the quota is exact. Tickets are locked one by one, and passed over where another client is taking
them, so clients do not wait for each other.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NoReturn

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from predictions.draws.sources import upcoming_draw
from predictions.models import Draw
from predictions.powerball import next_draw, sales_close
from shiolplus.logs.context import current_request
from tickets.demand.sales_window import floor_to_hour
from tickets.models.claims import COUNTER_SHARDS, Claim
from tickets.models.clients import ApiClient, QuotaUsage, eastern_date, eastern_midnight_after
from tickets.store.retrieval import isoformat_utc, serialize_tickets

MAX_COUNT = 100  # tickets a claim

# Written out: building them by the ORM takes longer than the whole claim otherwise does.
LOCK_CLIENT_SQL = "SELECT daily_quota, modes FROM tickets_apiclient WHERE id = %s "
FIND_CLAIM_SQL = "SELECT id FROM tickets_claim WHERE client_id = %s AND idempotency_key = %s"
CONSUME_QUOTA_SQL = """
    INSERT INTO tickets_quotausage (client_id, day, used) VALUES (%s, %s, %s)
    ON CONFLICT (client_id, day) DO UPDATE SET used = tickets_quotausage.used + excluded.used
    WHERE tickets_quotausage.used <= %s
"""
# The claim, NULL in all of them, stands in the order for PostgreSQL, which else would sort them all.
OLDEST_UNCLAIMED_SQL = """
    SELECT id, n1, n2, n3, n4, n5, powerball, confidence_score, strategy_used, created_at, pipeline_run_id
    FROM pre_generated_tickets WHERE mode = %s AND draw_date = %s AND claim_id IS NULL
    ORDER BY claim_id DESC, created_at, id LIMIT %s """
ASSIGN_SQL = "UPDATE pre_generated_tickets SET claim_id = %s WHERE claim_id IS NULL AND id IN"
COUNT_SQL = """
    INSERT INTO tickets_claimhour (draw_date, mode, hour, slot, claims, tickets, short)
    VALUES (%s, %s, %s, %s, %s, %s, %s)
    ON CONFLICT (draw_date, mode, hour, slot) DO UPDATE SET
        claims = tickets_claimhour.claims + excluded.claims,
        tickets = tickets_claimhour.tickets + excluded.tickets,
        short = tickets_claimhour.short + excluded.short
"""


class ClaimRefused(Exception):
    """A claim that is not granted: nothing was taken and nothing counted. Its text is for people."""

    field = ""

    def __init__(self, detail: str, value: object, allowed: str) -> None:
        self.value = value
        self.allowed = allowed
        super().__init__(detail)


class ModeNotAllowed(ClaimRefused):
    """The client may not claim this mode."""

    field = "mode"


class IdempotencyKeyReused(ClaimRefused):
    """The idempotency key was used for something else."""

    field = "Idempotency-Key"


class SalesClosed(ClaimRefused):
    """No ticket is handed out for this draw any more."""

    field = "draw_date"


class InsufficientStock(ClaimRefused):
    """Fewer tickets are free than were asked for."""

    field = "count"


class QuotaExceeded(ClaimRefused):
    """More tickets were asked for than the client may still have today."""

    field = "count"

    def __init__(self, quota: "Quota", count: int) -> None:
        self.quota = quota
        super().__init__(
            f"The daily quota of {quota.limit} tickets has {quota.remaining} left; it is renewed at "
            f"{isoformat_utc(quota.resets_at)}.",
            count,
            f"at most {quota.remaining} until then",
        )


@dataclass(frozen=True)
class ClaimRequest:
    """What a request asks for; `draw_date` None is the next draw."""

    mode: str
    count: int
    draw_date: date | None = None


@dataclass(frozen=True)
class Quota:
    """A client's tickets of today: a day lasts from midnight to midnight in New York."""

    limit: int
    used: int
    resets_at: datetime

    @property
    def remaining(self) -> int:
        return max(0, self.limit - self.used)


def quota_of(client: ApiClient) -> Quota:
    """What a client may claim today, and has."""
    day = eastern_date(timezone.now())
    used = QuotaUsage.objects.filter(client=client, day=day).values_list("used", flat=True).first()
    return Quota(client.daily_quota, used or 0, eastern_midnight_after(day))


def claim_tickets(client: ApiClient, asked: ClaimRequest, idempotency_key: str) -> tuple[Claim, bool]:
    """A client's claim under this key, and whether it is this call that made it.

    The same key again gives the same claim, whatever has become of quota, stock and draw since; Refused, in
    one of its kinds, when it is not granted.
    """
    _make_commits_durable()
    try:
        with transaction.atomic():
            return _claim(client, asked, idempotency_key)
    except InsufficientStock:
        _count_claims(client, asked.mode, asked.draw_date or upcoming_draw(), timezone.now(), refused=1)
        raise


def _make_commits_durable() -> None:
    """What was answered is on the disk, also after a power cut; SQLite's workers do without, for speed."""
    if connection.vendor == "sqlite" and not connection.in_atomic_block:
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA synchronous = FULL")


def _claim(client: ApiClient, asked: ClaimRequest, key: str) -> tuple[Claim, bool]:
    with connection.cursor() as cursor:
        cursor.execute(LOCK_CLIENT_SQL + _row_lock_clause("FOR NO KEY UPDATE"), [client.pk])
        client.daily_quota, modes = cursor.fetchone() or _is_gone(client)
        client.modes = json.loads(modes)
        cursor.execute(FIND_CLAIM_SQL, [client.pk, key])
        earlier = cursor.fetchone()
    if earlier is None:
        return _allocate(client, asked, key), True
    claim = Claim.objects.get(pk=earlier[0])
    if ClaimRequest(claim.mode, claim.count, claim.asked_draw_date) != asked:
        detail = f"This Idempotency-Key was used for another request, which is claim {claim.pk}."
        raise IdempotencyKeyReused(detail, key, "a new key, or the same body as before")
    return claim, False


def _is_gone(client: ApiClient) -> NoReturn:
    raise ApiClient.DoesNotExist(f"{client} was deleted")


def _allocate(client: ApiClient, asked: ClaimRequest, key: str) -> Claim:
    now = timezone.now()
    day = asked.draw_date or next_draw(now)
    _check_allowed(client, asked.mode)
    _check_open(day, now)
    if not _consume_quota(client, eastern_date(now), asked.count):
        raise QuotaExceeded(quota_of(client), asked.count)
    tickets = _select_for_update_oldest(asked.mode, day, asked.count)
    if len(tickets) < asked.count:
        raise _insufficient_stock(asked, day, len(tickets))
    claim = _create_claim(client, asked, key, day, now, tickets)
    _count_claims(client, asked.mode, day, now, claims=1, tickets=asked.count)
    return claim


def _check_allowed(client: ApiClient, mode: str) -> None:
    if mode not in client.modes:
        allowed = f"one of {', '.join(client.modes)}" if client.modes else "none"
        raise ModeNotAllowed(f"This client may not claim tickets of {mode}.", mode, allowed)


def _check_open(day: date, now: datetime) -> None:
    if now >= (closed_at := sales_close(day, settings.SALES_CUTOFF)):
        detail = f"Claims for the draw of {day} closed at {isoformat_utc(closed_at)}."
        raise SalesClosed(detail, str(day), "a draw whose sales have not closed")


def _consume_quota(client: ApiClient, day: date, count: int) -> bool:
    """Count tickets against a quota; False, and nothing counted, when they are more than are left.

    One statement decides, so it is exact however many ask at once.
    """
    if count > client.daily_quota:
        return False
    with connection.cursor() as cursor:
        most = client.daily_quota - count
        cursor.execute(CONSUME_QUOTA_SQL, [client.pk, connection.ops.adapt_datefield_value(day), count, most])
        return cursor.rowcount == 1


def _select_for_update_oldest(mode: str, day: date, count: int) -> list[tuple[Any, ...]]:
    """The oldest free tickets, ours until the transaction ends: the newest are those that `cached` shows."""
    with connection.cursor() as cursor:
        key = [mode, connection.ops.adapt_datefield_value(day), count]
        cursor.execute(OLDEST_UNCLAIMED_SQL + _row_lock_clause("FOR NO KEY UPDATE SKIP LOCKED"), key)
        return cursor.fetchall()


def _row_lock_clause(clause: str) -> str:
    """SQLite has no row locks and needs none: a transaction that may write is alone from its first moment."""
    return clause if connection.vendor == "postgresql" else ""


def _create_claim(
    client: ApiClient,
    asked: ClaimRequest,
    key: str,
    day: date,
    now: datetime,
    tickets: Sequence[tuple[Any, ...]],
) -> Claim:
    claim = Claim.objects.create(
        client=client,
        idempotency_key=key,
        mode=asked.mode,
        count=asked.count,
        draw_date=day,
        asked_draw_date=asked.draw_date,
        created_at=now,
        request_id=current_request(),
        numbers=[list(row[1:7]) for row in tickets],
        ticket_details=[[row[7], row[8] or asked.mode, isoformat_utc(row[9]), row[10]] for row in tickets],
    )
    places = ", ".join(["%s"] * len(tickets))
    with connection.cursor() as cursor:
        cursor.execute(f"{ASSIGN_SQL} ({places})", [claim.pk, *(row[0] for row in tickets)])
        if cursor.rowcount < len(tickets):  # the locks forbid it; were one lost, this would still hold
            raise _insufficient_stock(asked, day, cursor.rowcount)
    return claim


def _insufficient_stock(asked: ClaimRequest, day: date, free: int) -> InsufficientStock:
    detail = f"{asked.count} tickets of {asked.mode} for {day} were asked for; {free} are free."
    return InsufficientStock(detail, asked.count, f"at most {free} at present")


def tickets_of(claim: Claim, draw: Draw | None) -> list[dict[str, Any]]:
    """A claim's tickets as the API shows them: from the claim, since their rows are deleted one day.

    `draw` is the draw of its date, None while its numbers are not known.
    """
    rows = [
        (*numbers, *details) for numbers, details in zip(claim.numbers, claim.ticket_details, strict=True)
    ]
    return serialize_tickets(claim.mode, claim.draw_date, rows, draw)


def _count_claims(
    client: ApiClient,
    mode: str,
    day: date,
    now: datetime,
    claims: int = 0,
    tickets: int = 0,
    refused: int = 0,
) -> None:
    """Add to the hour's counts, in the row that the client shares with few others."""
    key = [
        connection.ops.adapt_datefield_value(day),
        mode,
        connection.ops.adapt_datetimefield_value(floor_to_hour(now)),
        client.pk % COUNTER_SHARDS,
    ]
    with connection.cursor() as cursor:
        cursor.execute(COUNT_SQL, [*key, claims, tickets, refused])
