"""When to order tickets of a mode and how many: pure arithmetic, shared with the simulated season."""

import math
from dataclasses import dataclass

from tickets.demand.forecast import Demand, DemandModel
from tickets.demand.sales_window import SalesHistory

# A replenishment takes about a minute: the watchdog's interval, and the time slice of another batch. Stock
# for ten minutes lasts that minute even if claims arrive ten times as fast as known so far.
LEAD_TIME_HOURS = 10 / 60
SERVICE_LEVEL = 0.999  # probability that the reorder point covers the demand of the lead time
MIN_STOCK = 100  # tickets: the largest claim allowed can always be granted
COVER_HOURS = 6.0  # of mean demand per order; few orders, because each adds a run and a batch for good


@dataclass(frozen=True)
class ReorderPolicy:
    """A mode's reorder point and order quantity at an instant, `hours_left` before the close.

    Replenishment leaves at most `max_stock` tickets available.
    """

    model: DemandModel
    history: SalesHistory
    hours_left: float
    max_stock: int

    @property
    def has_demand(self) -> bool:
        """Return True if the mode was ever claimed; no stock is kept for other modes."""
        return self.model.is_known or bool(self.history.requested.any())

    @property
    def rest(self) -> Demand:
        """Return the demand until sales close."""
        return self.model.forecast(self.history, self.hours_left, self.hours_left)

    @property
    def is_open(self) -> bool:
        return self.hours_left > self.history.closed

    @property
    def reorder_point(self) -> int:
        """Return the minimum number of tickets available or on order."""
        if not (self.has_demand and self.is_open):
            return 0
        demand = self.model.forecast(self.history, self.hours_left, LEAD_TIME_HOURS)
        return min(self.max_stock, max(MIN_STOCK, demand.quantile(SERVICE_LEVEL)))

    def deficit(self, available: int, on_order: int) -> int:
        reorder_point = self.reorder_point
        return max(0, reorder_point - available - on_order) if reorder_point else 0

    def order_quantity(self, available: int, on_order: int) -> int:
        """Return the tickets to order now: up to COVER_HOURS beyond the reorder point once below it."""
        stock, reorder_point = available + on_order, self.reorder_point
        if not reorder_point or stock >= reorder_point:
            return 0
        cover = self.model.forecast(self.history, self.hours_left, COVER_HOURS)
        return min(self.max_stock, reorder_point + math.ceil(cover.mean)) - stock

    def hours_to_empty(self, available: int) -> float | None:
        """Return when the available tickets run out on average; None if not before sales close."""
        if not self.is_open or not self.has_demand or available >= self.rest.mean:
            return None
        tickets_per_weight = self.model.rate(self.history, self.hours_left).mean * self.rest.size
        weight = max(available, 0) / tickets_per_weight
        return self.hours_left - self.model.hours_left_after(self.hours_left, weight)
