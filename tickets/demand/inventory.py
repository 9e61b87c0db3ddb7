"""Stock levels: each mode's tickets for the next draw compared with its demand."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Case, F, IntegerField, QuerySet, Sum, Value, When
from django.db.models.functions import Least

from predictions.modes.registry import MODE_NAMES
from predictions.powerball import draw_instant, last_draw, next_draw
from tickets.demand.forecast import PAST_DRAWS, DemandModel, fit
from tickets.demand.reorder import ReorderPolicy
from tickets.demand.sales_window import HourCount, SalesHistory, SalesWindow
from tickets.models import TicketBatch
from tickets.models.claims import ClaimHour
from tickets.models.policies import policies_by_mode

# `estimated_requests` in SQL; a client's retries are all counted in one shard.
ESTIMATED_REQUESTS = F("claims") + Least(F("refused"), F("claims") + Value(1))


@dataclass(frozen=True)
class StockLevel:
    """A mode's tickets for the next draw, and its reorder policy.

    `on_order` tickets are being generated. `refused_claims` were refused as out of stock.
    """

    mode: str
    draw_date: date
    stored: int
    claimed: int
    on_order: int
    refused_claims: int
    is_paused: bool
    reorder_policy: ReorderPolicy

    @property
    def available(self) -> int:
        return self.stored - self.claimed

    @property
    def deficit(self) -> int:
        return self.reorder_policy.deficit(self.available, self.on_order)

    @property
    def order_quantity(self) -> int:
        return 0 if self.is_paused else self.reorder_policy.order_quantity(self.available, self.on_order)

    @property
    def hours_to_empty(self) -> float | None:
        return self.reorder_policy.hours_to_empty(self.available)


class DemandModelCache:
    """Cache the demand models of one draw; past sales no longer change."""

    def __init__(self) -> None:
        self._draw_date: date | None = None
        self._models: dict[str, DemandModel] = {}

    def forget(self) -> None:
        self._draw_date = None

    def before(self, draw_date: date) -> dict[str, DemandModel]:
        """Return each mode's model, fitted to the draws before `draw_date`."""
        if draw_date != self._draw_date:
            self._models = _fit_models(_draws_before(draw_date))
            self._draw_date = draw_date
        return self._models


demand_models = DemandModelCache()


def stock_levels(now: datetime, cache: DemandModelCache = demand_models) -> list[StockLevel]:
    """Return each mode's stock level for the next draw, using four short queries on counters."""
    window = SalesWindow.of(next_draw(now), settings.SALES_CUTOFF)
    models, stock, policies = cache.before(window.draw_date), _stock(window.draw_date), policies_by_mode()
    rows = _group_by_mode(_hourly_counts(ClaimHour.objects.filter(draw_date=window.draw_date)))
    return [
        StockLevel(
            mode=mode,
            draw_date=window.draw_date,
            stored=stock[mode]["stored"],
            claimed=sum(row["granted_tickets"] for row in rows[mode]),
            on_order=stock[mode]["on_order"],
            refused_claims=sum(row["refused_claims"] for row in rows[mode]),
            is_paused=policies[mode].paused,
            reorder_policy=ReorderPolicy(
                model=models[mode],
                history=_history(window, rows[mode]),
                hours_left=window.hours_to_close(now),
                max_stock=policies[mode].max_ready,
            ),
        )
        for mode in MODE_NAMES
    ]


def _stock(draw_date: date) -> dict[str, dict[str, int]]:
    remaining = Case(
        When(status__in=TicketBatch.UNFINISHED, then=F("requested") - F("generated")),
        default=0,
        output_field=IntegerField(),
    )
    batches = TicketBatch.objects.filter(draw_date=draw_date).order_by().values("mode")
    rows = batches.annotate(stored_tickets=Sum("stored"), on_order=Sum(remaining))
    stock = {mode: {"stored": 0, "on_order": 0} for mode in MODE_NAMES}
    return stock | {
        row["mode"]: {"stored": row["stored_tickets"], "on_order": row["on_order"]} for row in rows
    }


def _hourly_counts(counts: QuerySet[ClaimHour]) -> Iterable[Any]:
    return (
        counts.order_by()
        .values("draw_date", "mode", "hour")
        .annotate(
            granted=Sum("claims"),
            granted_tickets=Sum("tickets"),
            refused_claims=Sum("refused"),
            requested=Sum(ESTIMATED_REQUESTS),
        )
    )


def _group_by_mode(rows: Iterable[Any]) -> dict[str, list[dict[str, Any]]]:
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        groups[row["mode"]].append(row)
    return groups


def _history(window: SalesWindow, rows: Sequence[dict[str, Any]]) -> SalesHistory:
    return window.history(
        HourCount(row["hour"], row["requested"], row["granted"], row["granted_tickets"]) for row in rows
    )


def _draws_before(draw_date: date) -> list[date]:
    """Return the PAST_DRAWS draw dates before `draw_date`, oldest first."""
    days = [draw_date]
    while len(days) <= PAST_DRAWS:
        days.append(last_draw(draw_instant(days[-1]) - timedelta(seconds=1)))
    return days[:0:-1]


def _fit_models(days: Sequence[date]) -> dict[str, DemandModel]:
    counts = ClaimHour.objects.filter(draw_date__gte=days[0], draw_date__lte=days[-1])
    rows = _group_by_mode(_hourly_counts(counts))
    return {mode: fit(_past(days, rows[mode])) for mode in MODE_NAMES}


def _past(days: Sequence[date], rows: Sequence[dict[str, Any]]) -> list[SalesHistory]:
    """Return a mode's sales history per draw, starting with its first draw that has claims."""
    rows_by_draw: dict[date, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        rows_by_draw[row["draw_date"]].append(row)
    first = min(rows_by_draw, default=date.max)
    return [
        _history(SalesWindow.of(day, settings.SALES_CUTOFF), rows_by_draw[day])
        for day in days
        if day >= first
    ]
