"""The watchdog: starts the clusters, starts again those that died or hang, sends again what was lost, sends
what is due by the clock, and orders what the stock lacks.

It looks at each cluster's signs and at the work that waits, by our own rows: a django-q2 cluster can hang for
good while its own status says "Working", and neither a lost task nor a dead worker leaves a trace there.
"""

import logging
import time
from contextlib import ExitStack
from threading import Event

from django.db import connection

from predictions.models import LeasedQuerySet, PipelineRun
from predictions.workqueue import clusters
from predictions.workqueue.leases import DATABASE_OUTAGES
from shiolplus.logs.outages import tell_ended_outages
from tickets.cluster.reaper import reap
from tickets.cluster.scheduler import enqueue_due, sync_schedules
from tickets.cluster.supervised import TERM_SECONDS, SupervisedCluster, stop_all
from tickets.generation.replenishment import Replenisher
from tickets.models import TicketBatch
from tickets.store.write_ahead_log import truncate_log

logger = logging.getLogger(__name__)

LOOK_SECONDS = 2
REAP_SECONDS = 4
STALL_TIMEOUT = 120  # seconds that free work may wait while nobody does any


class BacklogTimer:
    """Work of one queue that is free, and for how long this watchdog has seen it so."""

    def __init__(self, rows: LeasedQuerySet) -> None:
        self.rows = rows
        self.since: dict[int, float] = {}

    def seconds(self) -> float:
        """How long the oldest has waited; nought while any of the queue's work is being done."""
        now, free = time.monotonic(), self.rows.unleased().values_list("pk", flat=True)
        self.since = {pk: self.since.get(pk, now) for pk in free}
        if not self.since or self.rows.leased().exists():
            return 0.0
        return now - min(self.since.values())

    def forget(self) -> None:
        self.since = {}


class Watchdog:
    """Both clusters, and what waits for each."""

    def __init__(self) -> None:
        self.clusters = [SupervisedCluster(clusters.DEFAULT), SupervisedCluster(clusters.HEAVY)]
        self.waiting = {
            clusters.DEFAULT: BacklogTimer(TicketBatch.objects.generated()),
            clusters.HEAVY: BacklogTimer(PipelineRun.objects.all()),
        }
        self.replenisher = Replenisher()
        self.reaped = self.looked = 0.0
        self.sent = 0

    @property
    def restarts(self) -> int:
        return sum(one.restarts for one in self.clusters)

    def run(self, ended: Event) -> None:
        """Watch until `ended` is set, then drain; whatever happens, no process of the clusters is left."""
        with ExitStack() as exits:
            exits.callback(stop_all, self.clusters)
            sync_schedules()
            for one in self.clusters:
                one.register()
                one.start()
            self.looked = time.monotonic()
            while not ended.wait(LOOK_SECONDS):
                self._tick()

    def _tick(self) -> None:
        try:
            self._detect_suspend()
            for one in self.clusters:
                self._check_cluster(one)
            if time.monotonic() - self.reaped >= REAP_SECONDS:
                reaped = reap()
                enqueue_due()
                self.replenisher.run_if_due()
                truncate_log()
                self.sent += reaped.batches + reaped.runs + reaped.signalled
                self.reaped = time.monotonic()
            tell_ended_outages()
        except DATABASE_OUTAGES as error:
            logger.warning("the database is away: %s", error)
            connection.close()
            self._reset_timers()

    def _detect_suspend(self) -> None:
        """A machine that slept, or a watchdog that was stopped, says nothing about the clusters."""
        now = time.monotonic()
        if now - self.looked > 5 * LOOK_SECONDS:
            self._reset_timers()
        self.looked = now

    def _reset_timers(self) -> None:
        for one in self.clusters:
            one.reset_timer()
        for waiting in self.waiting.values():
            waiting.forget()

    def _check_cluster(self, one: SupervisedCluster) -> None:
        if one.process is None:
            if time.monotonic() >= one.start_at:
                one.start()
            return
        trouble = one.check() or self._stuck(one)
        if not trouble:
            return
        logger.error("cluster %s is started again: %s", one.name, trouble)
        one.terminate()
        one.wait_or_kill(TERM_SECONDS)
        one.record_stopped(trouble)
        one.schedule_restart()

    def _stuck(self, one: SupervisedCluster) -> str:
        waiting = self.waiting[one.queue]
        if (seconds := waiting.seconds()) <= STALL_TIMEOUT:
            return ""
        waiting.forget()
        return f"work has waited for {seconds:.0f} seconds while nobody does any"


def summary(watchdog: Watchdog, seconds: float) -> str:
    """What came of it, in a line."""
    hours, rest = divmod(int(seconds), 3600)
    return (
        f"clusters stopped after {hours} h {rest // 60:02d} min {rest % 60:02d} s; "
        f"{watchdog.restarts} started again, {watchdog.sent} tasks sent again"
    )
