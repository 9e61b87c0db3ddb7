"""How many tickets of a mode must lie ready, and how many are ordered when they do not; pure arithmetic.

Who decides sees the stock, what of it is coming, the past and the running sale, and the time; the watchdog
and the simulated season decide by the same lines.
"""

import math
from dataclasses import dataclass

from tickets.demand.forecast import Demand, DemandModel
from tickets.demand.sales_window import SalesHistory

# A replenishment takes about a minute: the watchdog's look, and the slice of another batch that is being
# made. A stock that lasts ten lasts that minute also when claims come ten times as fast as is known so far.
LEAD_TIME_HOURS = 10 / 60  # hours
SERVICE_LEVEL = 0.999  # with which the demand of the horizon is met from the floor
MIN_STOCK = 100  # tickets: the largest claim that is allowed is granted at any time
# Of demand on average that an order lasts: each is a run and a batch for good, so they are few.
COVER_HOURS = 6.0  # hours


@dataclass(frozen=True)
class ReorderPolicy:
    """What is to be expected of a mode at a moment (`place`, as in `sales`), and what must lie ready for it.

    `most` is how many free tickets replenishment may leave.
    """

    pattern: DemandModel
    sale: SalesHistory
    place: float
    max_stock: int

    @property
    def has_demand(self) -> bool:
        """Whether any claim was ever made: no stock is laid in for nobody."""
        return self.pattern.is_known or bool(self.sale.asked.any())

    @property
    def rest(self) -> Demand:
        """The demand until sales close."""
        return self.pattern.forecast(self.sale, self.place, self.place)

    @property
    def is_open(self) -> bool:
        return self.place > self.sale.closed

    @property
    def reorder_point(self) -> int:
        """Tickets that must be ready or coming."""
        if not (self.has_demand and self.is_open):
            return 0
        horizon = self.pattern.forecast(self.sale, self.place, LEAD_TIME_HOURS)
        return min(self.max_stock, max(MIN_STOCK, horizon.quantile(SERVICE_LEVEL)))

    def deficit(self, free: int, coming: int) -> int:
        """Tickets that the floor lacks."""
        floor = self.reorder_point
        return max(0, floor - free - coming) if floor else 0

    def order_quantity(self, free: int, coming: int) -> int:
        """Tickets to order now: none unless the floor lacks some, and then what lasts a while beyond it."""
        ready, floor = free + coming, self.reorder_point
        if not floor or ready >= floor:
            return 0
        cover = self.pattern.forecast(self.sale, self.place, COVER_HOURS)
        return min(self.max_stock, floor + math.ceil(cover.mean)) - ready

    def hours_to_empty(self, free: int) -> float | None:
        """Until the free tickets are claimed, on average; None: not before sales close, or nobody claims."""
        if not self.is_open or not self.has_demand or free >= self.rest.mean:
            return None
        tickets_a_weight = self.pattern.rate(self.sale, self.place).mean * self.rest.size
        return self.place - self.pattern.place_after(self.place, max(free, 0) / tickets_a_weight)
