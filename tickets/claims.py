"""Handing tickets out for good: all or nothing, each to one client, however many ask at once.

A client's row is locked first, so one client's claims come one after the other: the same request finds its
claim, and the quota is exact. Tickets are locked one by one, and passed over where another client is taking
them, so clients do not wait for each other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from predictions.draws import upcoming_draw
from predictions.models import Draw
from predictions.powerball import EASTERN, next_draw, sales_close
from tickets.claimed import SLOTS, Claim
from tickets.clients import ApiClient, ClientDay, spend
from tickets.models import PreGeneratedTicket
from tickets.stock import ticket_dicts, utc_text

MAX_COUNT = 100  # tickets a claim
NUMBERS = ("n1", "n2", "n3", "n4", "n5", "powerball")
ORIGIN = ("confidence_score", "strategy_used", "created_at", "pipeline_run_id")


class Refused(Exception):
    """A claim that is not granted: nothing was taken and nothing counted. Its text is for people."""

    field = ""

    def __init__(self, detail: str, value: object, allowed: str) -> None:
        self.value = value
        self.allowed = allowed
        super().__init__(detail)


class ModeNotAllowed(Refused):
    """The client may not claim this mode."""

    field = "mode"


class OtherRequest(Refused):
    """The idempotency key was used for something else."""

    field = "Idempotency-Key"


class Closed(Refused):
    """No ticket is handed out for this draw any more."""

    field = "draw_date"


class ShortStock(Refused):
    """Fewer tickets are free than were asked for."""

    field = "count"


class QuotaSpent(Refused):
    """More tickets were asked for than the client may still have today."""

    field = "count"

    def __init__(self, quota: "Quota", count: int) -> None:
        self.quota = quota
        super().__init__(
            f"The daily quota of {quota.limit} tickets has {quota.remaining} left; it is renewed at "
            f"{utc_text(quota.resets_at)}.",
            count,
            f"at most {quota.remaining} until then",
        )


@dataclass(frozen=True)
class Asked:
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
    now = timezone.now()
    used = ClientDay.objects.filter(client=client, day=_today(now)).values_list("used", flat=True).first()
    return Quota(client.daily_quota, used or 0, _resets_at(now))


def claim_tickets(client: ApiClient, asked: Asked, idempotency_key: str) -> tuple[Claim, bool]:
    """A client's claim under this key, and whether it is this call that made it.

    The same key again gives the same claim, whatever has become of quota, stock and draw since; Refused, in
    one of its kinds, when it is not granted.
    """
    _make_commits_durable()
    try:
        with transaction.atomic():
            return _claim(client, asked, idempotency_key)
    except ShortStock:
        _count(client, asked.mode, asked.draw_date or upcoming_draw(), timezone.now(), short=1)
        raise


def _make_commits_durable() -> None:
    """What was answered is on the disk, also after a power cut; SQLite's workers do without, for speed."""
    if connection.vendor == "sqlite" and not connection.in_atomic_block:
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA synchronous = FULL")


def _claim(client: ApiClient, asked: Asked, key: str) -> tuple[Claim, bool]:
    client = ApiClient.objects.select_for_update(no_key=True).get(pk=client.pk)
    earlier = Claim.objects.filter(client=client, idempotency_key=key).first()
    if earlier is None:
        return _take(client, asked, key), True
    if Asked(earlier.mode, earlier.count, earlier.asked_draw_date) != asked:
        detail = f"This Idempotency-Key was used for another request, which is claim {earlier.pk}."
        raise OtherRequest(detail, key, "a new key, or the same body as before")
    return earlier, False


def _take(client: ApiClient, asked: Asked, key: str) -> Claim:
    now = timezone.now()
    day = asked.draw_date or next_draw(now)
    _check_allowed(client, asked.mode)
    _check_open(day, now)
    if not spend(client, _today(now), asked.count):
        raise QuotaSpent(quota_of(client), asked.count)
    tickets = _lock_oldest(asked.mode, day, asked.count)
    if len(tickets) < asked.count:
        detail = f"{asked.count} tickets of {asked.mode} for {day} were asked for; {len(tickets)} are free."
        raise ShortStock(detail, asked.count, f"at most {len(tickets)} at present")
    claim = _store(client, asked, key, day, now, tickets)
    _count(client, asked.mode, day, now, claims=1, tickets=asked.count)
    return claim


def _check_allowed(client: ApiClient, mode: str) -> None:
    if mode not in client.modes:
        allowed = f"one of {', '.join(client.modes)}" if client.modes else "none"
        raise ModeNotAllowed(f"This client may not claim tickets of {mode}.", mode, allowed)


def _check_open(day: date, now: datetime) -> None:
    if now >= (closed_at := sales_close(day, settings.SALES_CUTOFF)):
        detail = f"Claims for the draw of {day} closed at {utc_text(closed_at)}."
        raise Closed(detail, str(day), "a draw whose sales have not closed")


def _lock_oldest(mode: str, day: date, count: int) -> Sequence[dict[str, Any]]:
    """The oldest free tickets, ours until the transaction ends: the newest are those that `cached` shows."""
    free = PreGeneratedTicket.objects.free(mode, day).select_for_update(skip_locked=True, no_key=True)
    return list(free.values("id", *NUMBERS, *ORIGIN)[:count])


def _store(
    client: ApiClient, asked: Asked, key: str, day: date, now: datetime, tickets: Sequence[dict[str, Any]]
) -> Claim:
    claim = Claim.objects.create(
        client=client,
        idempotency_key=key,
        mode=asked.mode,
        count=asked.count,
        draw_date=day,
        asked_draw_date=asked.draw_date,
        created_at=now,
        numbers=[[ticket[name] for name in NUMBERS] for ticket in tickets],
        origins=[
            [
                ticket["confidence_score"],
                ticket["strategy_used"] or asked.mode,
                utc_text(ticket["created_at"]),
                ticket["pipeline_run_id"],
            ]
            for ticket in tickets
        ],
    )
    keys = [ticket["id"] for ticket in tickets]
    PreGeneratedTicket.objects.filter(pk__in=keys, claim=None).update(claim=claim)
    return claim


def tickets_of(claim: Claim, draw: Draw | None) -> list[dict[str, Any]]:
    """A claim's tickets as the API shows them: from the claim, since their rows are deleted one day.

    `draw` is the draw of its date, None while its numbers are not known.
    """
    rows = [(*numbers, *origin) for numbers, origin in zip(claim.numbers, claim.origins, strict=True)]
    return ticket_dicts(claim.mode, claim.draw_date, rows, draw)


_COUNT = """
    INSERT INTO tickets_claimhour (draw_date, mode, hour, slot, claims, tickets, short)
    VALUES (%s, %s, %s, %s, %s, %s, %s)
    ON CONFLICT (draw_date, mode, hour, slot) DO UPDATE SET
        claims = tickets_claimhour.claims + excluded.claims,
        tickets = tickets_claimhour.tickets + excluded.tickets,
        short = tickets_claimhour.short + excluded.short
"""


def _count(
    client: ApiClient, mode: str, day: date, now: datetime, claims: int = 0, tickets: int = 0, short: int = 0
) -> None:
    """Add to the hour's counts, in the row that the client shares with few others."""
    hour = now.replace(minute=0, second=0, microsecond=0)
    key = [
        connection.ops.adapt_datefield_value(day),
        mode,
        connection.ops.adapt_datetimefield_value(hour),
        client.pk % SLOTS,
    ]
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, [*key, claims, tickets, short])


def _today(now: datetime) -> date:
    return now.astimezone(EASTERN).date()


def _resets_at(now: datetime) -> datetime:
    """The next midnight in New York."""
    return datetime.combine(_today(now) + timedelta(days=1), datetime.min.time(), EASTERN)
