"""Stock levels: each mode's tickets for the next draw compared with its demand."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
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

# `estimated_requests` in SQL; all retries of a client are in one shard.
ESTIMATED_REQUESTS = F("claims") + Least(F("refused"), F("claims") + Value(1))


@dataclass(frozen=True)
class StockLevel:
    """A mode's tickets for the next draw; `on_order` are being generated."""

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


def stock_levels(now: datetime) -> list[StockLevel]:
    """Return each mode's stock level for the next draw, using four short queries on counters."""
    window = SalesWindow.of(next_draw(now), settings.SALES_CUTOFF)
    models, stock, policies = fit_models(window.draw_date), sum_stock(window.draw_date), policies_by_mode()
    rows = hourly_counts_by_mode(ClaimHour.objects.filter(draw_date=window.draw_date))
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
                history=sales_history(window, rows[mode]),
                hours_left=window.hours_to_close(now),
                max_stock=policies[mode].max_ready,
            ),
        )
        for mode in MODE_NAMES
    ]


def sum_stock(draw_date: date) -> dict[str, dict[str, int]]:
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


def hourly_counts_by_mode(counts: QuerySet[ClaimHour]) -> dict[str, list[Any]]:
    rows = (
        counts.order_by()
        .values("draw_date", "mode", "hour")
        .annotate(
            granted=Sum("claims"),
            granted_tickets=Sum("tickets"),
            refused_claims=Sum("refused"),
            requested=Sum(ESTIMATED_REQUESTS),
        )
    )
    by_mode: dict[str, list[Any]] = {mode: [] for mode in MODE_NAMES}
    for row in rows:
        by_mode[row["mode"]].append(row)
    return by_mode


def sales_history(window: SalesWindow, rows: Iterable[Any]) -> SalesHistory:
    return window.history(
        HourCount(row["hour"], row["requested"], row["granted"], row["granted_tickets"]) for row in rows
    )


@lru_cache(maxsize=1)  # past sales no longer change
def fit_models(draw_date: date) -> dict[str, DemandModel]:
    """Fit a model per mode to the PAST_DRAWS draws before `draw_date`, from its first with claims."""
    days = [draw_date]
    while len(days) <= PAST_DRAWS:
        days.append(last_draw(draw_instant(days[-1]) - timedelta(seconds=1)))
    days = days[:0:-1]
    counts = ClaimHour.objects.filter(draw_date__gte=days[0], draw_date__lte=days[-1])
    models = {}
    for mode, rows in hourly_counts_by_mode(counts).items():
        rows_by_day = defaultdict(list)
        for row in rows:
            rows_by_day[row["draw_date"]].append(row)
        first = min(rows_by_day, default=date.max)
        windows = [SalesWindow.of(day, settings.SALES_CUTOFF) for day in days if day >= first]
        models[mode] = fit([sales_history(window, rows_by_day[window.draw_date]) for window in windows])
    return models
