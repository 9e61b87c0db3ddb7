"""What batches came to lately: the last of each mode, how long they took, and what each day brought."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.db.models import Count, F, QuerySet, Sum, Window
from django.db.models.functions import RowNumber, TruncDate

from predictions.modes.registry import MODE_NAMES
from tickets.demand.sales_window import floor_to_hour
from tickets.models import TicketBatch
from tickets.models.claims import ClaimHour

LATEST = 20  # batches of a mode whose durations are told
DAYS = 14
ERROR_DAYS = 7  # over which the error rate is taken
HOURS = 48

Status = TicketBatch.Status


@dataclass(frozen=True)
class FinishedBatch:
    """One batch that has ended; `seconds` is None where it was never begun."""

    id: int
    finished_at: datetime
    seconds: float | None
    tickets: int
    error: str


@dataclass(frozen=True)
class ModeHistory:
    """A mode's newest batches that were made, and that failed, the newest first."""

    made: list[FinishedBatch] = field(default_factory=list)
    failed: list[FinishedBatch] = field(default_factory=list)

    @property
    def last_success(self) -> FinishedBatch | None:
        return self.made[0] if self.made else None

    @property
    def last_failure(self) -> FinishedBatch | None:
        return self.failed[0] if self.failed else None

    @property
    def is_failing(self) -> bool:
        """Whether the newest batch that ended is a failed one."""
        success, failure = self.last_success, self.last_failure
        return failure is not None and (success is None or failure.finished_at > success.finished_at)


@dataclass
class Day:
    """A day (UTC): tickets of the batches that ended on it, {mode: tickets}, and how the batches ended."""

    day: date
    tickets: dict[str, int]
    made: int = 0
    failed: int = 0
    cancelled: int = 0


@dataclass(frozen=True)
class ErrorRate:
    """Of the batches that ended in so many days, how many failed."""

    days: int
    ended: int
    failed: int

    @property
    def share(self) -> float | None:
        return self.failed / self.ended if self.ended else None


@dataclass(frozen=True)
class ClaimCount:
    """What was claimed of a mode in the clock hour that begins at `hour`, for whichever draw."""

    hour: datetime
    mode: str
    claims: int
    tickets: int
    refused: int


def _ended() -> QuerySet[TicketBatch]:
    return TicketBatch.objects.generated().filter(finished_at__isnull=False).order_by()


def mode_histories() -> dict[str, ModeHistory]:
    """Every mode's newest batches, in one query."""
    place = Window(RowNumber(), partition_by=[F("mode"), F("status")], order_by=F("finished_at").desc())
    rows = _ended().filter(status__in=[Status.READY, Status.FAILED]).annotate(place=place)
    histories = {mode: ModeHistory() for mode in MODE_NAMES}
    newest: Iterable[Any] = rows.filter(place__lte=LATEST).order_by("-finished_at", "-id")
    for row in newest:
        history = histories[row.mode]
        kept = history.made if row.status == Status.READY else history.failed
        kept.append(FinishedBatch(row.pk, row.finished_at, row.seconds, row.generated, row.error))
    return histories


def recent_days(now: datetime, count: int = DAYS) -> list[Day]:
    """So many days, today's the last; one query."""
    first = now.astimezone(UTC).date() - timedelta(days=count - 1)
    days = {
        day: Day(day, dict.fromkeys(MODE_NAMES, 0))
        for day in (first + timedelta(days=place) for place in range(count))
    }
    begin = datetime.combine(first, datetime.min.time(), UTC)
    ended = _ended().filter(finished_at__gte=begin).annotate(day=TruncDate("finished_at", tzinfo=UTC))
    rows: Any = ended.values("day", "mode", "status").annotate(batches=Count("pk"), made=Sum("generated"))
    for row in rows:
        if row["day"] in days:  # a clock that is ahead of ours may have ended one tomorrow
            _count(days[row["day"]], row)
    return list(days.values())


def _count(day: Day, row: dict[str, Any]) -> None:
    day.tickets[row["mode"]] += row["made"]
    if row["status"] == Status.READY:
        day.made += row["batches"]
    elif row["status"] == Status.FAILED:
        day.failed += row["batches"]
    else:
        day.cancelled += row["batches"]


def error_rate(days: Iterable[Day]) -> ErrorRate:
    """Over the last ERROR_DAYS of some days; what was cancelled is no error."""
    counted = list(days)[-ERROR_DAYS:]
    failed = sum(day.failed for day in counted)
    return ErrorRate(len(counted), failed + sum(day.made for day in counted), failed)


def claim_counts(now: datetime, hours: int = HOURS) -> list[ClaimCount]:
    """Each mode's claims in so many clock hours, the present one the last; those without any are left out."""
    since = floor_to_hour(now) - timedelta(hours=hours - 1)
    # The draw leads the index; no draw that is over since a day is claimed any more.
    counts = ClaimHour.objects.filter(draw_date__gte=since.date() - timedelta(days=1), hour__gte=since)
    sums = counts.order_by().values("hour", "mode")
    rows: Any = sums.annotate(granted=Sum("claims"), bought=Sum("tickets"), refused_claims=Sum("refused"))
    found = [
        ClaimCount(row["hour"], row["mode"], row["granted"], row["bought"], row["refused_claims"])
        for row in rows
    ]
    return sorted(found, key=lambda one: (one.hour, MODE_NAMES.index(one.mode)))
