"""Orders of what a mode's stock lacks for the next draw, the largest shortfall first, until sales close.

Any number of processes may look at the same time: who orders holds the mode's policy row, and finds what
another has ordered among what is coming.
"""

import logging
import time
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from predictions.models import Prediction, new_run_id
from predictions.workqueue.leases import DATABASE_OUTAGES
from tickets.demand.inventory import DemandModelCache, StockLevel, stock_levels
from tickets.generation.generator import BatchTicketGenerator
from tickets.models import TicketBatch
from tickets.models.policies import MAX_PRIORITY, ModePolicy

logger = logging.getLogger(__name__)

LOOK_SECONDS = 10
RETRY_AFTER = timedelta(minutes=10)  # after an order that came to nothing
RUN_ID_PREFIX = "replenish"  # of the runs' ids
# Before whatever the policies say: a batch of a million may be in the queue. What is ordered at one look is
# made in its order, the largest shortfall first.
PRIORITY = MAX_PRIORITY + 1


class Replenisher:
    """Looks at the stock from time to time, and remembers what it has said already."""

    def __init__(self) -> None:
        self.patterns = DemandModelCache()
        self._looked = -float(LOOK_SECONDS)
        self._put_off: dict[str, datetime] = {}
        self._lawless: set[tuple[str, object]] = set()

    def run_if_due(self) -> None:
        """Replenish, unless that was done a moment ago."""
        if time.monotonic() - self._looked >= LOOK_SECONDS:
            self._looked = time.monotonic()
            self.replenish()

    def replenish(self, now: datetime | None = None) -> int:
        """Order what is lacking at an instant; returns how many tickets. Only an outage is raised."""
        now = now or timezone.now()
        lacking = [
            one
            for one in stock_levels(now, self.patterns)
            if one.order_quantity and self._may_order(one, now)
        ]
        lacking.sort(key=lambda one: one.deficit, reverse=True)
        return sum(self._order_or_put_off(one.mode, now) for one in lacking)

    def _may_order(self, shelf: StockLevel, now: datetime) -> bool:
        if now < self._put_off.get(shelf.mode, now):
            return False
        if Prediction.objects.newest(shelf.mode, shelf.draw_date) is not None:
            return not _recently_failed(shelf, now)
        if (shelf.mode, shelf.draw_date) not in self._lawless:
            self._lawless.add((shelf.mode, shelf.draw_date))
            logger.warning(
                "%s lacks %d tickets for the draw of %s and has no prediction: nothing can be ordered yet",
                shelf.mode,
                shelf.deficit,
                shelf.draw_date,
            )
        return False

    def _order_or_put_off(self, mode: str, now: datetime) -> int:
        try:
            return self._order(mode, now)
        except DATABASE_OUTAGES:
            raise
        except Exception:  # one mode's broken row must stop neither the others nor the watchdog
            self._put_off[mode] = now + RETRY_AFTER
            logger.exception("%s cannot be replenished; tried again in %s", mode, RETRY_AFTER)
            return 0

    def _order(self, mode: str, now: datetime) -> int:
        """Order what a mode lacks, if it still lacks it once nobody else can order."""
        with transaction.atomic():
            _lock(mode)
            (shelf,) = (one for one in stock_levels(now, self.patterns) if one.mode == mode)
            if not (size := shelf.order_quantity):
                return 0
            run_id = new_run_id(RUN_ID_PREFIX)
            BatchTicketGenerator(size, [mode], auto_cleanup=False, priority=PRIORITY).generate_batch(
                run_id, draw_date=shelf.draw_date
            )
        logger.info(
            "%s has %d free tickets for the draw of %s and %d coming, its floor is %d: %d ordered, %s",
            mode,
            shelf.available,
            shelf.draw_date,
            shelf.on_order,
            shelf.outlook.reorder_point,
            size,
            run_id,
        )
        return size


def _recently_failed(shelf: StockLevel, now: datetime) -> bool:
    """Whether such an order failed, or was cancelled, a moment ago: the next would fare no better."""
    ended = TicketBatch.objects.filter(
        mode=shelf.mode,
        draw_date=shelf.draw_date,
        status__in=[TicketBatch.Status.FAILED, TicketBatch.Status.CANCELLED],
        finished_at__gt=now - RETRY_AFTER,
    )
    return ended.filter(run__pipeline_run_id__startswith=f"{RUN_ID_PREFIX}-").exists()


def _lock(mode: str) -> None:
    """Hold a mode's policy row until the transaction ends."""
    ModePolicy.objects.get_or_create(mode=mode)
    ModePolicy.objects.select_for_update().get(mode=mode)
