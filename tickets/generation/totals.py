"""What batches and claims came to since the beginning, and the tasks that wait: sums over short tables."""

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

TOOK = ExpressionWrapper(F("finished_at") - F("started_at"), output_field=DurationField())
DRAWN = Q(origin=Origin.GENERATED)


@dataclass(frozen=True)
class BatchTotal:
    """A mode's batches of one status: how many were drawn from a law, and the `seconds` that these took.

    `generated` are the tickets that they ever stored; `stored` are in the table, those handed in with them.
    """

    batches: int = 0
    generated: int = 0
    stored: int = 0
    seconds: float = 0.0


def batch_totals() -> dict[tuple[str, str], BatchTotal]:
    """{(mode, status): total}, all of them, in one query."""
    rows: Any = (
        TicketBatch.objects.order_by()
        .values("mode", "status")
        .annotate(
            batches=Count("pk", filter=DRAWN),
            tickets=Sum("generated", filter=DRAWN, default=0),
            in_table=Sum("stored"),
            took=Sum(TOOK, filter=DRAWN),
        )
    )
    found = {
        (row["mode"], row["status"]): BatchTotal(
            row["batches"], row["tickets"], row["in_table"], (row["took"] or timedelta(0)).total_seconds()
        )
        for row in rows
    }
    states = [(mode, status) for mode in MODE_NAMES for status in TicketBatch.Status.values]
    return {state: found.get(state, BatchTotal()) for state in states}


@dataclass(frozen=True)
class ClaimTotal:
    """A mode's claims: those granted with their tickets, and those refused, since too few were free."""

    granted: int = 0
    tickets: int = 0
    refused: int = 0

    def plus(self, other: "ClaimTotal") -> "ClaimTotal":
        return ClaimTotal(*(one + two for one, two in zip(astuple(self), astuple(other), strict=True)))


class ClaimTotals:
    """Every mode's claims, of all draws; what is over changes no more, so it is summed once a draw."""

    def __init__(self) -> None:
        self._before: date | None = None
        self._settled: Mapping[str, ClaimTotal] = {}

    def at(self, now: datetime) -> dict[str, ClaimTotal]:
        """{mode: total}: one query, over the draws that were not over when the last one was held."""
        last = last_draw(now)
        if last != self._before:
            self._settled = _summed(ClaimHour.objects.filter(draw_date__lt=last))
            self._before = last
        running = _summed(ClaimHour.objects.filter(draw_date__gte=last))
        return {mode: self._settled[mode].plus(running[mode]) for mode in MODE_NAMES}


def _summed(hours: QuerySet[ClaimHour]) -> dict[str, ClaimTotal]:
    sums = hours.order_by().values_list("mode")
    rows = sums.annotate(granted=Sum("claims"), bought=Sum("tickets"), refused_claims=Sum("refused"))
    return {mode: ClaimTotal() for mode in MODE_NAMES} | {row[0]: ClaimTotal(*row[1:]) for row in rows}


def tasks_waiting() -> dict[str, int]:
    """{queue: tasks in it}, those among them that a cluster has fetched and not done."""
    rows = OrmQ.objects.order_by().values_list("key").annotate(tasks=Count("pk"))
    return {clusters.DEFAULT: 0, clusters.HEAVY: 0} | dict(rows)
