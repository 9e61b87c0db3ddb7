"""Totals over all batches, claims and queued tasks, read from small tables."""

from collections.abc import Mapping
from dataclasses import astuple, dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import Count, DurationField, ExpressionWrapper, F, Q, QuerySet, Sum
from django_q.models import OrmQ

from predictions.modes.registry import MODE_NAMES
from predictions.powerball import last_draw
from predictions.workqueue import clusters
from tickets.models import Origin, TicketBatch
from tickets.models.claims import ClaimHour

DURATION = ExpressionWrapper(F("finished_at") - F("started_at"), output_field=DurationField())
GENERATED = Q(origin=Origin.GENERATED)


@dataclass(frozen=True)
class BatchTotal:
    """Totals of a mode's generated batches in one status. `stored` includes inserted batches."""

    batches: int = 0
    generated: int = 0
    stored: int = 0
    seconds: float = 0.0


def batch_totals() -> dict[tuple[str, str], BatchTotal]:
    """Return {(mode, status): total} for every mode and status, with one query."""
    rows: Any = (
        TicketBatch.objects.order_by()
        .values("mode", "status")
        .annotate(
            batches=Count("pk", filter=GENERATED),
            tickets=Sum("generated", filter=GENERATED, default=0),
            in_table=Sum("stored"),
            duration=Sum(DURATION, filter=GENERATED),
        )
    )
    totals = {
        (row["mode"], row["status"]): BatchTotal(
            row["batches"], row["tickets"], row["in_table"], (row["duration"] or timedelta(0)).total_seconds()
        )
        for row in rows
    }
    keys = [(mode, status) for mode in MODE_NAMES for status in TicketBatch.Status.values]
    return {key: totals.get(key, BatchTotal()) for key in keys}


@dataclass(frozen=True)
class ClaimTotal:
    granted: int = 0
    tickets: int = 0
    refused: int = 0

    def plus(self, other: "ClaimTotal") -> "ClaimTotal":
        return ClaimTotal(*map(sum, zip(astuple(self), astuple(other), strict=True)))


class ClaimTotals:
    """Claim totals per mode over all draws. Past draws are final, so their totals are cached."""

    def __init__(self) -> None:
        self._last_draw: date | None = None
        self._past: Mapping[str, ClaimTotal] = {}

    def at(self, now: datetime) -> dict[str, ClaimTotal]:
        """Return {mode: total}, with one query unless a draw took place since the last call."""
        last = last_draw(now)
        if last != self._last_draw:
            self._past = _totals_by_mode(ClaimHour.objects.filter(draw_date__lt=last))
            self._last_draw = last
        recent = _totals_by_mode(ClaimHour.objects.filter(draw_date__gte=last))
        return {mode: self._past[mode].plus(recent[mode]) for mode in MODE_NAMES}


def _totals_by_mode(hours: QuerySet[ClaimHour]) -> dict[str, ClaimTotal]:
    rows = (
        hours.order_by()
        .values_list("mode")
        .annotate(granted=Sum("claims"), claimed=Sum("tickets"), refused_claims=Sum("refused"))
    )
    return {mode: ClaimTotal() for mode in MODE_NAMES} | {row[0]: ClaimTotal(*row[1:]) for row in rows}


def tasks_waiting() -> dict[str, int]:
    """Return {queue: number of tasks}, including tasks that a cluster has fetched and not finished."""
    rows = OrmQ.objects.order_by().values_list("key").annotate(tasks=Count("pk"))
    return {clusters.DEFAULT: 0, clusters.HEAVY: 0} | dict(rows)
