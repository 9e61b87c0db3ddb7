"""Permanent, all-or-nothing allocation of tickets to API clients.

Locking the client's row serializes its claims, so repeated requests find their claim and the quota is exact.
Ticket rows are locked with SKIP LOCKED, so clients do not wait for each other.
"""

import json
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

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

MAX_COUNT = 100  # tickets per claim

# Raw SQL: building these statements with the ORM takes longer than running a whole claim.
LOCK_CLIENT_SQL = "SELECT daily_quota, modes FROM tickets_apiclient WHERE id = %s "
FIND_CLAIM_SQL = "SELECT id FROM tickets_claim WHERE client_id = %s AND idempotency_key = %s"
CONSUME_QUOTA_SQL = """
    INSERT INTO tickets_quotausage (client_id, day, used) VALUES (%s, %s, %s)
    ON CONFLICT (client_id, day) DO UPDATE SET used = tickets_quotausage.used + excluded.used
    WHERE tickets_quotausage.used <= %s
"""
# claim_id is NULL in every row; naming it in ORDER BY lets PostgreSQL read the index in order.
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


@dataclass(frozen=True)
class ClaimRequest:
    """A claim as requested; `draw_date` None means the next draw."""

    mode: str
    count: int
    draw_date: date | None = None


class ClaimRefused(Exception):
    """The claim is not granted and uses no quota. The message is shown to the client."""

    field = ""

    def __init__(self, detail: str, value: object, allowed: str) -> None:
        self.value = value
        self.allowed = allowed
        super().__init__(detail)


class ModeNotAllowed(ClaimRefused):
    field = "mode"


class IdempotencyKeyReused(ClaimRefused):
    field = "Idempotency-Key"


class SalesClosed(ClaimRefused):
    field = "draw_date"


class InsufficientStock(ClaimRefused):
    field = "count"

    def __init__(self, request: ClaimRequest, day: date, available: int) -> None:
        super().__init__(
            f"Tickets of {request.mode} available for {day}: {available}; requested: {request.count}.",
            request.count,
            f"at most {available} at present",
        )


class QuotaExceeded(ClaimRefused):
    field = "count"

    def __init__(self, quota: "Quota", count: int) -> None:
        self.quota = quota
        super().__init__(
            f"The daily quota of {quota.limit} tickets has {quota.remaining} left; it resets at "
            f"{isoformat_utc(quota.resets_at)}.",
            count,
            f"at most {quota.remaining} until then",
        )


@dataclass(frozen=True)
class Quota:
    """A client's quota for the current day in New York, in tickets."""

    limit: int
    used: int
    resets_at: datetime

    @property
    def remaining(self) -> int:
        return max(0, self.limit - self.used)


def get_quota(client: ApiClient) -> Quota:
    day = eastern_date(timezone.now())
    used = QuotaUsage.objects.filter(client=client, day=day).values_list("used", flat=True).first()
    return Quota(client.daily_quota, used or 0, eastern_midnight_after(day))


def claim_tickets(client: ApiClient, request: ClaimRequest, idempotency_key: str) -> tuple[Claim, bool]:
    """Return the client's claim for this idempotency key, and True if this call created it.

    Raise ClaimRefused if it is not granted, and ApiClient.DoesNotExist if the client has been deleted.
    """
    if connection.vendor == "sqlite" and not connection.in_atomic_block:
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA synchronous = FULL")  # a confirmed claim survives a power failure
    try:
        with transaction.atomic():
            return _find_or_allocate(client, request, idempotency_key)
    except InsufficientStock:
        count_claims(client, request.mode, request.draw_date or upcoming_draw(), timezone.now(), refused=1)
        raise


def _find_or_allocate(client: ApiClient, request: ClaimRequest, key: str) -> tuple[Claim, bool]:
    with connection.cursor() as cursor:
        cursor.execute(LOCK_CLIENT_SQL + row_lock_clause("FOR NO KEY UPDATE"), [client.pk])
        row = cursor.fetchone()
        if row is None:
            raise ApiClient.DoesNotExist(f"{client} was deleted")
        client.daily_quota, client.modes = row[0], json.loads(row[1])
        cursor.execute(FIND_CLAIM_SQL, [client.pk, key])
        existing = cursor.fetchone()
    if existing is None:
        return _allocate(client, request, key), True
    claim = Claim.objects.get(pk=existing[0])
    if ClaimRequest(claim.mode, claim.count, claim.asked_draw_date) != request:
        detail = f"This Idempotency-Key was used for another request, which is claim {claim.pk}."
        raise IdempotencyKeyReused(detail, key, "a new key, or the same body as before")
    return claim, False


def _allocate(client: ApiClient, request: ClaimRequest, key: str) -> Claim:
    now = timezone.now()
    mode, count, day = request.mode, request.count, request.draw_date or next_draw(now)
    if mode not in client.modes:
        allowed = f"one of {', '.join(client.modes)}" if client.modes else "none"
        raise ModeNotAllowed(f"This client may not claim tickets of {mode}.", mode, allowed)
    if now >= (closed_at := sales_close(day, settings.SALES_CUTOFF)):
        detail = f"Claims for the draw of {day} closed at {isoformat_utc(closed_at)}."
        raise SalesClosed(detail, str(day), "a draw whose sales have not closed")
    if not consume_quota(client, eastern_date(now), count):
        raise QuotaExceeded(get_quota(client), count)
    with connection.cursor() as cursor:
        parameters = [mode, connection.ops.adapt_datefield_value(day), count]
        cursor.execute(OLDEST_UNCLAIMED_SQL + row_lock_clause("FOR NO KEY UPDATE SKIP LOCKED"), parameters)
        tickets = cursor.fetchall()
        if len(tickets) < count:
            raise InsufficientStock(request, day, len(tickets))
        claim = Claim.objects.create(
            client=client,
            idempotency_key=key,
            mode=mode,
            count=count,
            draw_date=day,
            asked_draw_date=request.draw_date,
            created_at=now,
            request_id=current_request(),
            numbers=[list(row[1:7]) for row in tickets],
            ticket_details=[[row[7], row[8] or mode, isoformat_utc(row[9]), row[10]] for row in tickets],
        )
        placeholders = ", ".join(["%s"] * count)
        cursor.execute(f"{ASSIGN_SQL} ({placeholders})", [claim.pk, *(row[0] for row in tickets)])
        if cursor.rowcount < count:  # impossible under the locks; prevents double allocation without them
            raise InsufficientStock(request, day, cursor.rowcount)
    count_claims(client, mode, day, now, claims=1, tickets=count)
    return claim


def consume_quota(client: ApiClient, day: date, count: int) -> bool:
    """Update the quota usage in one atomic statement. Return False if too few tickets are left."""
    max_used = client.daily_quota - count
    if max_used < 0:
        return False
    with connection.cursor() as cursor:
        day_value = connection.ops.adapt_datefield_value(day)
        cursor.execute(CONSUME_QUOTA_SQL, [client.pk, day_value, count, max_used])
        return cursor.rowcount == 1


def row_lock_clause(clause: str) -> str:
    # SQLite needs no row locks: an IMMEDIATE transaction is the only writer.
    return clause if connection.vendor == "postgresql" else ""


def serialize_claimed_tickets(claim: Claim, draw: Draw | None) -> list[dict[str, Any]]:
    """Serialize the tickets of a claim for the API, with results if the draw is given."""
    rows = [
        (*numbers, *details) for numbers, details in zip(claim.numbers, claim.ticket_details, strict=True)
    ]
    return serialize_tickets(claim.mode, claim.draw_date, rows, draw)


def count_claims(
    client: ApiClient,
    mode: str,
    day: date,
    now: datetime,
    claims: int = 0,
    tickets: int = 0,
    refused: int = 0,
) -> None:
    key = [
        connection.ops.adapt_datefield_value(day),
        mode,
        connection.ops.adapt_datetimefield_value(floor_to_hour(now)),
        client.pk % COUNTER_SHARDS,
    ]
    with connection.cursor() as cursor:
        cursor.execute(COUNT_SQL, [*key, claims, tickets, refused])
