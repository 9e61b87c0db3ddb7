"""Each mode's demand for the next draw beside its stock: read from counts, never from tickets or claims."""

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

# As sales.believed, of each of the rows that share an hour: one client's retries stay in its own row.
ESTIMATED_REQUESTS = F("claims") + Least(F("refused"), F("claims") + Value(1))


@dataclass(frozen=True)
class StockLevel:
    """A mode's tickets for the next draw, and what is to be expected of them.

    `stored` are in the table, `free` of them unclaimed; `coming` are asked for and not made yet. `short` are
    the claims that were refused, since too few were free.
    """

    mode: str
    draw_date: date
    stored: int
    claimed: int
    on_order: int
    refused_claims: int
    is_paused: bool
    outlook: ReorderPolicy

    @property
    def available(self) -> int:
        return self.stored - self.claimed

    @property
    def deficit(self) -> int:
        return self.outlook.deficit(self.available, self.on_order)

    @property
    def order_quantity(self) -> int:
        """Tickets to order now."""
        return 0 if self.is_paused else self.outlook.order_quantity(self.available, self.on_order)

    @property
    def hours_to_empty(self) -> float | None:
        return self.outlook.hours_to_empty(self.available)


class DemandModelCache:
    """What past draws' sales say of the modes; they change no more, so they are read once a draw."""

    def __init__(self) -> None:
        self._draw_date: date | None = None
        self._of_modes: dict[str, DemandModel] = {}

    def forget(self) -> None:
        self._draw_date = None

    def before(self, draw_date: date) -> dict[str, DemandModel]:
        if draw_date != self._draw_date:
            self._of_modes = _learn_all(_days_before(draw_date))
            self._draw_date = draw_date
        return self._of_modes


demand_models = DemandModelCache()  # as this process has read it


def stock_levels(now: datetime, patterns: DemandModelCache = demand_models) -> list[StockLevel]:
    """Each mode's shelf for the draw that is next at an instant, in the modes' order: four short queries."""
    span = SalesWindow.of(next_draw(now), settings.SALES_CUTOFF)
    past, stock, of_modes = patterns.before(span.draw_date), _stock(span.draw_date), policies_by_mode()
    rows = _by_mode(_hours(ClaimHour.objects.filter(draw_date=span.draw_date)))
    return [
        StockLevel(
            mode=mode,
            draw_date=span.draw_date,
            stored=stock[mode]["stored"],
            claimed=sum(row["bought"] for row in rows[mode]),
            on_order=stock[mode]["coming"],
            refused_claims=sum(row["refused_claims"] for row in rows[mode]),
            is_paused=of_modes[mode].paused,
            outlook=ReorderPolicy(
                pattern=past[mode],
                sale=_sale(span, rows[mode]),
                place=span.hours_to_close(now),
                max_stock=of_modes[mode].max_ready,
            ),
        )
        for mode in MODE_NAMES
    ]


def _stock(draw_date: date) -> dict[str, dict[str, int]]:
    """Of each mode the tickets `stored` for a draw, and those `coming` from batches that are not done."""
    unmade = Case(
        When(status__in=TicketBatch.UNFINISHED, then=F("requested") - F("generated")),
        default=0,
        output_field=IntegerField(),
    )
    of_draw = TicketBatch.objects.filter(draw_date=draw_date).order_by().values("mode")
    sums = of_draw.annotate(in_table=Sum("stored"), coming=Sum(unmade))
    nothing = {mode: {"stored": 0, "coming": 0} for mode in MODE_NAMES}
    return nothing | {row["mode"]: {"stored": row["in_table"], "coming": row["coming"]} for row in sums}


def _hours(counts: QuerySet[ClaimHour]) -> Iterable[Any]:
    """The counts of each draw, mode and hour, summed over the rows that share it."""
    return (
        counts.order_by()
        .values("draw_date", "mode", "hour")
        .annotate(
            granted=Sum("claims"),
            bought=Sum("tickets"),
            refused_claims=Sum("refused"),
            asked=Sum(ESTIMATED_REQUESTS),
        )
    )


def _by_mode(rows: Iterable[Any]) -> dict[str, list[dict[str, Any]]]:
    of_modes: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        of_modes[row["mode"]].append(row)
    return of_modes


def _sale(span: SalesWindow, rows: Sequence[dict[str, Any]]) -> SalesHistory:
    return span.sale(HourCount(row["hour"], row["asked"], row["granted"], row["bought"]) for row in rows)


def _days_before(draw_date: date) -> list[date]:
    """The last PAST_DRAWS draws before one, the oldest first."""
    days = [draw_date]
    while len(days) <= PAST_DRAWS:
        days.append(last_draw(draw_instant(days[-1]) - timedelta(seconds=1)))
    return days[:0:-1]


def _learn_all(days: Sequence[date]) -> dict[str, DemandModel]:
    """Each mode's pattern; its past begins with the first draw that any of it was claimed for."""
    rows = _by_mode(_hours(ClaimHour.objects.filter(draw_date__gte=days[0], draw_date__lte=days[-1])))
    return {mode: fit(_past(days, rows[mode])) for mode in MODE_NAMES}


def _past(days: Sequence[date], rows: Sequence[dict[str, Any]]) -> list[SalesHistory]:
    of_draws: dict[date, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        of_draws[row["draw_date"]].append(row)
    first = min(of_draws, default=date.max)
    return [_sale(SalesWindow.of(day, settings.SALES_CUTOFF), of_draws[day]) for day in days if day >= first]
