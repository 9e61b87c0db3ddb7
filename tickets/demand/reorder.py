"""Reorder policy: when to order tickets of a mode, and how many. Also used by the simulated season."""

import math
from dataclasses import dataclass

from tickets.demand.forecast import Demand, DemandModel
from tickets.demand.sales_window import SalesHistory

# Replenishment takes about a minute, which ten minutes' stock covers even if claims arrive ten times as fast.
LEAD_TIME_HOURS = 10 / 60
SERVICE_LEVEL = 0.999  # probability that the reorder point covers the demand of the lead time
MIN_STOCK = 100  # tickets, so that the largest allowed claim can be granted
COVER_HOURS = 6.0  # of mean demand per order; large orders, because each adds a permanent run and batch


@dataclass(frozen=True)
class ReorderPolicy:
    """A mode's reorder point and order quantity; orders raise the stock to at most `max_stock`."""

    model: DemandModel
    history: SalesHistory
    hours_left: float
    max_stock: int

    @property
    def has_demand(self) -> bool:
        """Return True if the mode was ever claimed; other modes need no stock."""
        return self.model.is_known or bool(self.history.requested.any())

    @property
    def remaining_demand(self) -> Demand:
        return self.model.forecast(self.history, self.hours_left, self.hours_left)

    @property
    def is_open(self) -> bool:
        return self.hours_left > self.history.closed

    @property
    def reorder_point(self) -> int:
        if not (self.has_demand and self.is_open):
            return 0
        demand = self.model.forecast(self.history, self.hours_left, LEAD_TIME_HOURS)
        return min(self.max_stock, max(MIN_STOCK, demand.quantile(SERVICE_LEVEL)))

    def deficit(self, available: int, on_order: int) -> int:
        reorder_point = self.reorder_point
        return max(0, reorder_point - available - on_order) if reorder_point else 0

    def order_quantity(self, available: int, on_order: int) -> int:
        """Return 0, or below the reorder point what raises the stock to it plus COVER_HOURS of demand."""
        stock, reorder_point = available + on_order, self.reorder_point
        if not reorder_point or stock >= reorder_point:
            return 0
        cover = self.model.forecast(self.history, self.hours_left, COVER_HOURS)
        return min(self.max_stock, reorder_point + math.ceil(cover.mean)) - stock

    def hours_to_empty(self, available: int) -> float | None:
        """Return the expected hours until stock runs out, or None if sales close first."""
        if not self.is_open or not self.has_demand or available >= self.remaining_demand.mean:
            return None
        tickets_per_weight = self.model.rate(self.history, self.hours_left).mean * self.remaining_demand.size
        weight = max(available, 0) / tickets_per_weight
        return self.hours_left - self.model.hours_left_after(self.hours_left, weight)
