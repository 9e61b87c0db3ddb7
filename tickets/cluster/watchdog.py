"""Restart dead or hung clusters, enqueue lost work again, and run periodic work.

Clusters are judged only by their heartbeats and backlog in the database: a django-q2 cluster can hang while
its own status is "Working".
"""

import logging
import time
from contextlib import ExitStack
from threading import Event

from django.db import connection

from predictions.models import LeasedQuerySet, PipelineRun
from predictions.workqueue import clusters
from predictions.workqueue.leases import DATABASE_OUTAGES
from shiolplus.logs.outages import log_ended_outages
from tickets.cluster.reaper import reap
from tickets.cluster.schedules import postpone_invalid, sync_schedules
from tickets.cluster.supervised import SupervisedCluster, stop_all
from tickets.generation.replenishment import Replenisher
from tickets.models import TicketBatch
from tickets.store.write_ahead_log import truncate_log

logger = logging.getLogger(__name__)

TICK_SECONDS = 2
PERIODIC_SECONDS = 4
STALL_TIMEOUT = 120  # seconds that work may wait while no worker of its queue is busy


class BacklogTimer:
    """Measures how long work has waited in a queue."""

    def __init__(self, rows: LeasedQuerySet) -> None:
        self.rows = rows
        self.since: dict[int, float] = {}

    def check(self) -> str:
        """Return why the queue's cluster must be restarted, or ""."""
        if (seconds := self.seconds()) <= STALL_TIMEOUT:
            return ""
        self.reset_timer()
        return f"work has waited for {seconds:.0f} seconds while no worker is busy"

    def seconds(self) -> float:
        """Return how long the oldest work has waited, or 0 while any worker of the queue is busy."""
        now, unleased = time.monotonic(), self.rows.unleased().values_list("pk", flat=True)
        self.since = {pk: self.since.get(pk, now) for pk in unleased}
        if not self.since or self.rows.leased().exists():
            return 0.0
        return now - min(self.since.values())

    def reset_timer(self) -> None:
        self.since = {}


class Watchdog:
    def __init__(self) -> None:
        self.clusters = [SupervisedCluster(clusters.DEFAULT), SupervisedCluster(clusters.HEAVY)]
        self.backlogs = {
            clusters.DEFAULT: BacklogTimer(TicketBatch.objects.generated()),
            clusters.HEAVY: BacklogTimer(PipelineRun.objects.all()),
        }
        self.replenisher = Replenisher()
        self.last_periodic = self.last_tick = 0.0
        self.resent = 0

    def run(self, stopped: Event) -> None:
        """Supervise until `stopped` is set, then drain. No cluster process survives, even after an error."""
        with ExitStack() as exits:
            exits.callback(stop_all, self.clusters)
            sync_schedules()
            for cluster in self.clusters:
                cluster.register()
                cluster.start()
            self.last_tick = time.monotonic()
            while not stopped.wait(TICK_SECONDS):
                self.tick()

    def tick(self) -> None:
        try:
            self.detect_suspend()
            for cluster in self.clusters:
                if cluster.process is None:
                    cluster.start_if_due()
                elif restart_reason := cluster.check() or self.backlogs[cluster.queue].check():
                    cluster.stop_and_restart_later(restart_reason)
            if time.monotonic() - self.last_periodic >= PERIODIC_SECONDS:
                reaped = reap()
                postpone_invalid()
                self.replenisher.run_if_due()
                truncate_log()
                self.resent += reaped.batches + reaped.runs + reaped.signalled
                self.last_periodic = time.monotonic()
            log_ended_outages()
        except DATABASE_OUTAGES as error:
            logger.warning("Database unavailable: %s", error)
            connection.close()
            self.reset_timers()

    def detect_suspend(self) -> None:
        """Reset the timers if the machine or this process was suspended since the last tick."""
        now = time.monotonic()
        if now - self.last_tick > 5 * TICK_SECONDS:
            self.reset_timers()
        self.last_tick = now

    def reset_timers(self) -> None:
        for cluster in self.clusters:
            cluster.reset_timer()
        for backlog in self.backlogs.values():
            backlog.reset_timer()


def summary(watchdog: Watchdog, seconds: float) -> str:
    hours, rest = divmod(int(seconds), 3600)
    restarts = sum(cluster.restarts for cluster in watchdog.clusters)
    return (
        f"clusters stopped after {hours} h {rest // 60:02d} min {rest % 60:02d} s; "
        f"{restarts} restarts, {watchdog.resent} tasks enqueued again"
    )
