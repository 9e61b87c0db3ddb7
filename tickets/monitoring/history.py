"""Finished batches (the latest per mode, durations, outcomes per day) and claims per hour."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from operator import attrgetter
from typing import Any

from django.db.models import Count, F, QuerySet, Sum, Window
from django.db.models.functions import RowNumber, TruncDate

from predictions.modes.registry import MODE_NAMES
from tickets.demand.sales_window import floor_to_hour
from tickets.models import TicketBatch
from tickets.models.claims import ClaimHour

LATEST_BATCHES = 20  # per mode and outcome
DAYS = 14
ERROR_RATE_DAYS = 7
HOURS = 48

Status = TicketBatch.Status


@dataclass(frozen=True)
class ModeHistory:
    """Latest ready and latest failed batches of a mode, newest first."""

    ready_batches: list[TicketBatch] = field(default_factory=list)
    failed: list[TicketBatch] = field(default_factory=list)

    @property
    def last_success(self) -> TicketBatch | None:
        return self.ready_batches[0] if self.ready_batches else None

    @property
    def last_failure(self) -> TicketBatch | None:
        return self.failed[0] if self.failed else None

    @property
    def is_failing(self) -> bool:
        """Return True if the most recently finished batch has failed."""
        latest = [batch for batch in (self.last_success, self.last_failure) if batch is not None]
        return bool(latest) and max(latest, key=attrgetter("finished_at")).status == Status.FAILED


@dataclass
class DailyBatches:
    """Batches finished on a UTC day, by outcome, and their tickets per mode."""

    day: date
    tickets: dict[str, int]
    ready: int = 0
    failed: int = 0
    cancelled: int = 0

    def add(self, mode: str, status: str, batches: int, tickets: int) -> None:
        self.tickets[mode] += tickets
        if status == Status.READY:
            self.ready += batches
        elif status == Status.FAILED:
            self.failed += batches
        else:
            self.cancelled += batches


@dataclass(frozen=True)
class ErrorRate:
    """The share of failed batches among those finished in the last `days` days."""

    days: int
    finished: int
    failed: int

    @property
    def share(self) -> float | None:
        return self.failed / self.finished if self.finished else None


@dataclass(frozen=True)
class ClaimCount:
    """A mode's claims for all draws in the clock hour that begins at `hour`."""

    hour: datetime
    mode: str
    claims: int
    tickets: int
    refused: int


def _finished() -> QuerySet[TicketBatch]:
    return TicketBatch.objects.generated().filter(finished_at__isnull=False).order_by()


def mode_histories() -> dict[str, ModeHistory]:
    """Return the latest batches of every mode, in one query."""
    rank = Window(RowNumber(), partition_by=[F("mode"), F("status")], order_by=F("finished_at").desc())
    ranked = _finished().filter(status__in=[Status.READY, Status.FAILED]).annotate(rank=rank)
    histories = {mode: ModeHistory() for mode in MODE_NAMES}
    for batch in ranked.filter(rank__lte=LATEST_BATCHES).order_by("-finished_at", "-id"):
        history = histories[batch.mode]
        (history.ready_batches if batch.status == Status.READY else history.failed).append(batch)
    return histories


def recent_days(now: datetime, count: int = DAYS) -> list[DailyBatches]:
    """Return the last `count` days up to today, oldest first, in one query."""
    first = now.astimezone(UTC).date() - timedelta(days=count - 1)
    days = {
        day: DailyBatches(day, dict.fromkeys(MODE_NAMES, 0))
        for day in (first + timedelta(days=offset) for offset in range(count))
    }
    start = datetime.combine(first, datetime.min.time(), UTC)
    finished = _finished().filter(finished_at__gte=start).annotate(day=TruncDate("finished_at", tzinfo=UTC))
    rows: Any = finished.values("day", "mode", "status").annotate(
        batches=Count("pk"), generated_tickets=Sum("generated")
    )
    for row in rows:
        if row["day"] in days:  # a host whose clock is ahead may record a batch for tomorrow
            days[row["day"]].add(row["mode"], row["status"], row["batches"], row["generated_tickets"])
    return list(days.values())


def error_rate(days: Iterable[DailyBatches]) -> ErrorRate:
    """Return the error rate of the last ERROR_RATE_DAYS of `days`, not counting cancelled batches."""
    latest = list(days)[-ERROR_RATE_DAYS:]
    failed = sum(day.failed for day in latest)
    return ErrorRate(len(latest), failed + sum(day.ready for day in latest), failed)


def claim_counts(now: datetime, hours: int = HOURS) -> list[ClaimCount]:
    """Return each mode's claims in the last `hours` clock hours, including the current one.

    Hours without claims are omitted.
    """
    since = floor_to_hour(now) - timedelta(hours=hours - 1)
    # The index begins with draw_date; tickets are never claimed more than a day after their draw.
    counts = ClaimHour.objects.filter(draw_date__gte=since.date() - timedelta(days=1), hour__gte=since)
    rows: Any = (
        counts.order_by()
        .values("hour", "mode")
        .annotate(granted=Sum("claims"), granted_tickets=Sum("tickets"), refused_claims=Sum("refused"))
    )
    hourly = [
        ClaimCount(row["hour"], row["mode"], row["granted"], row["granted_tickets"], row["refused_claims"])
        for row in rows
    ]
    return sorted(hourly, key=lambda count: (count.hour, MODE_NAMES.index(count.mode)))
