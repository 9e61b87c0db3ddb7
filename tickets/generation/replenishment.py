"""Replenishment: order tickets for the next draw until sales close, largest deficit first.

Several processes may run it at the same time.
"""

import logging
import time
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from predictions.models import Prediction, new_run_id
from predictions.workqueue.leases import DATABASE_OUTAGES
from tickets.demand.inventory import StockLevel, stock_levels
from tickets.generation.generator import BatchTicketGenerator
from tickets.models import TicketBatch
from tickets.models.policies import MAX_PRIORITY, ModePolicy

logger = logging.getLogger(__name__)

CHECK_SECONDS = 10
RETRY_AFTER = timedelta(minutes=10)  # after a failed order
RUN_ID_PREFIX = "replenish"
# Above every policy's priority, since a batch of a million tickets may be queued.
PRIORITY = MAX_PRIORITY + 1


class Replenisher:
    def __init__(self) -> None:
        self._last_check = -float(CHECK_SECONDS)
        self._retry_at: dict[str, datetime] = {}
        self._unpredicted: set[tuple[str, object]] = set()  # already logged

    def run_if_due(self) -> None:
        if time.monotonic() - self._last_check >= CHECK_SECONDS:
            self._last_check = time.monotonic()
            self.replenish()

    def replenish(self, now: datetime | None = None) -> int:
        """Order missing tickets of all modes and return their number. Raise only database outages."""
        now = now or timezone.now()
        due = [level for level in stock_levels(now) if level.order_quantity and self._may_order(level, now)]
        ordered = 0
        for level in sorted(due, key=lambda level: level.deficit, reverse=True):
            try:
                ordered += self._order(level.mode, now)
            except DATABASE_OUTAGES:
                raise
            except Exception:  # must stop neither the other modes nor the watchdog
                self._retry_at[level.mode] = now + RETRY_AFTER
                logger.exception("%s could not be replenished; next attempt in %s", level.mode, RETRY_AFTER)
        return ordered

    def _may_order(self, level: StockLevel, now: datetime) -> bool:
        if now < self._retry_at.get(level.mode, now):
            return False
        if Prediction.objects.newest(level.mode, level.draw_date) is not None:
            return not has_recently_failed(level, now)
        if (level.mode, level.draw_date) not in self._unpredicted:
            self._unpredicted.add((level.mode, level.draw_date))
            logger.warning(
                "%s is short by %d tickets for the draw of %s, but has no prediction to generate them from",
                level.mode,
                level.deficit,
                level.draw_date,
            )
        return False

    def _order(self, mode: str, now: datetime) -> int:
        with transaction.atomic():
            # Lock: another process waits here and then sees this order in `on_order`.
            ModePolicy.objects.get_or_create(mode=mode)
            ModePolicy.objects.select_for_update().get(mode=mode)
            (level,) = (level for level in stock_levels(now) if level.mode == mode)
            if not (size := level.order_quantity):
                return 0
            run_id = new_run_id(RUN_ID_PREFIX)
            BatchTicketGenerator(size, [mode], auto_cleanup=False, priority=PRIORITY).generate_batch(
                run_id, draw_date=level.draw_date
            )
        logger.info(
            "Ordered %d %s tickets for the draw of %s (%d available, %d on order, reorder point %d): run %s",
            size,
            mode,
            level.draw_date,
            level.available,
            level.on_order,
            level.reorder_policy.reorder_point,
            run_id,
        )
        return size


def has_recently_failed(level: StockLevel, now: datetime) -> bool:
    """Return True if a replenishment failed or was cancelled recently; another would fail too."""
    finished = TicketBatch.objects.filter(
        mode=level.mode,
        draw_date=level.draw_date,
        status__in=[TicketBatch.Status.FAILED, TicketBatch.Status.CANCELLED],
        finished_at__gt=now - RETRY_AFTER,
    )
    return finished.filter(run__pipeline_run_id__startswith=f"{RUN_ID_PREFIX}-").exists()
