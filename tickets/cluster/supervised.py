"""One cluster under a watchdog: started, looked at, ended, started again."""

import logging
import os
import secrets
import signal
import socket
import subprocess
import sys
import time

from django.conf import settings
from django.utils import timezone

from predictions.models import Cluster, PipelineRun, Training
from predictions.workqueue import clusters
from predictions.workqueue.leases import DATABASE_OUTAGES
from tickets.cluster.qcluster_main import DRAIN_SECONDS
from tickets.models import TicketBatch

logger = logging.getLogger(__name__)

CANARY_AFTER = 8  # seconds without a sign, then a canary is sent
CANARY_EVERY = 4
HUNG_AFTER = 25  # seconds without a sign, canaries or not
TERM_SECONDS = 5  # a hung cluster has so long to end by itself
# One that ran so long, as any that hangs has, is started again at once; others later and later.
STEADY_SECONDS = 20
LONGEST_PAUSE = 30

Status = Cluster.Status


class SupervisedCluster:
    """A django-q2 cluster in a process group of its own, and its row."""

    def __init__(self, queue: str) -> None:
        self.queue = queue
        self.host = socket.gethostname()
        self.name = f"{self.host}/{os.getpid()}-{secrets.token_hex(3)}/{queue}"
        self.process: subprocess.Popen[bytes] | None = None
        self.parent_pipe: int | None = None
        self.restarts = 0
        self.start_at = 0.0  # not before, by the monotonic clock
        self.pause = 1.0
        self.started = self.last_progress = time.monotonic()
        self.canary = 0.0
        self.sign: object = None

    def register(self) -> None:
        """Make its row, which its workers sign."""
        Cluster.objects.create(
            holder=self.name,
            queue=self.queue,
            host=self.host,
            key_fingerprint=clusters.secret_key_fingerprint(),
        )

    def start(self) -> None:
        """Start it; its main process ends when this one does."""
        reading, self.parent_pipe = os.pipe()
        extra = {clusters.HOLDER: self.name, "Q_CLUSTER_NAME": self.queue}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tickets.cluster.qcluster_main", str(reading)],
            cwd=settings.BASE_DIR,
            env=os.environ | extra,
            stdin=subprocess.DEVNULL,
            pass_fds=(reading,),
            start_new_session=True,
        )
        os.close(reading)
        self.started = self.last_progress = time.monotonic()
        self.canary = 0.0
        logger.info("cluster %s started as process %d", self.name, self.process.pid)

    def check(self) -> str:
        """Read its signs, and ask for one if it is quiet; what is wrong with it, or nothing.

        Times are this process's own: only whether a sign is new is read from the row.
        """
        row = Cluster.objects.get(holder=self.name)
        now = time.monotonic()
        if row.last_heartbeat_at != self.sign:
            self.sign, self.last_progress = row.last_heartbeat_at, now
        quiet = now - self.last_progress
        self._write(Status.STARTING if row.last_heartbeat_at is None else Status.RUNNING)
        if self.process is not None and (code := self.process.poll()) is not None:
            return f"its main process ended with exit code {code}"
        if quiet > HUNG_AFTER:
            return f"it got nothing done for {quiet:.0f} seconds"
        if (row.last_heartbeat_at is None or quiet > CANARY_AFTER) and now - self.canary > CANARY_EVERY:
            self.canary = now
            clusters.send_canary(self.queue, self.name, time.time() + HUNG_AFTER)
        return ""

    def _write(self, status: str, **values: object) -> None:
        """What others read of it; while the database is away, they cannot either."""
        try:
            Cluster.objects.filter(holder=self.name).update(status=status, seen_at=timezone.now(), **values)
        except DATABASE_OUTAGES as error:
            logger.warning("the state of cluster %s could not be written: %s", self.name, error)

    def reset_timer(self) -> None:
        """Count its silence from now on: the watchdog itself could not look."""
        self.last_progress = time.monotonic()

    def terminate(self) -> None:
        """SIGTERM to the main process only: sent to the whole group, django-q2 hangs on it."""
        self._write(Status.STOPPING)
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)

    def wait_or_kill(self, seconds: float) -> None:
        """Wait so long for its end, then kill what is left of its process group, and free what it had."""
        if self.process is None:
            return
        try:
            self.process.wait(max(0.0, seconds))
        except subprocess.TimeoutExpired:
            logger.warning("cluster %s did not end in time and is killed", self.name)
        kill_group(self.process.pid)
        self.process.wait()
        if self.parent_pipe is not None:
            os.close(self.parent_pipe)
        self.process = self.parent_pipe = None

    def record_stopped(self, trouble: str = "") -> None:
        """Record that it has ended, with all its processes: what they held is free at once.

        The tasks that it had fetched are lost to it, so all that is free is sent again.
        """
        try:
            for rows in (TicketBatch.objects, PipelineRun.objects, Training.objects):
                rows.release(self.name)
                rows.redeliver_now()
        except DATABASE_OUTAGES as error:
            logger.warning("what cluster %s held is free when its leases run out: %s", self.name, error)
        self._write(Status.STOPPED, last_heartbeat_at=None, restarts=self.restarts, trouble=trouble)
        self.sign = None

    def schedule_restart(self) -> None:
        """Start again: at once if it ran well until now, else later and later."""
        now = time.monotonic()
        self.pause = 0.0 if now - self.started > STEADY_SECONDS else min(LONGEST_PAUSE, self.pause * 2 + 1)
        self.start_at = now + self.pause
        self.restarts += 1


def kill_group(leader: int) -> None:
    """SIGKILL to whoever is left of a process group, its leader or not."""
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        return


def stop_all(watched: list[SupervisedCluster]) -> None:
    """Drain clusters together, within DRAIN_SECONDS; then kill."""
    deadline = time.monotonic() + DRAIN_SECONDS
    for one in watched:
        one.terminate()
    for one in watched:
        one.wait_or_kill(deadline - time.monotonic())
        one.record_stopped()
