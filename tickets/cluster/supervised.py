"""A django-q2 cluster under a watchdog: start, check, terminate, restart."""

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

CANARY_AFTER = 8  # seconds without heartbeat before a canary is sent
CANARY_EVERY = 4
HUNG_AFTER = 25  # seconds without heartbeat
TERM_SECONDS = 5  # from SIGTERM to SIGKILL of a hung cluster
STEADY_SECONDS = 20  # a cluster that ran longer is restarted at once, others after a growing pause
MAX_PAUSE = 30

Status = Cluster.Status


class SupervisedCluster:
    """A django-q2 cluster in its own process group, and its database row."""

    def __init__(self, queue: str) -> None:
        self.queue = queue
        self.host = socket.gethostname()
        self.name = f"{self.host}/{os.getpid()}-{secrets.token_hex(3)}/{queue}"
        self.process: subprocess.Popen[bytes] | None = None
        self.parent_pipe: int | None = None
        self.restarts = 0
        self.start_at = 0.0  # earliest start; all times are monotonic
        self.pause = 1.0
        self.started = self.last_progress = time.monotonic()
        self.last_canary = 0.0
        self.last_heartbeat: object = None

    def register(self) -> None:
        Cluster.objects.create(
            holder=self.name,
            queue=self.queue,
            host=self.host,
            key_fingerprint=clusters.secret_key_fingerprint(),
        )

    def start(self) -> None:
        """Start the main process, which exits when this process does."""
        read_end, self.parent_pipe = os.pipe()
        environment = {clusters.HOLDER: self.name, "Q_CLUSTER_NAME": self.queue}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tickets.cluster.qcluster_main", str(read_end)],
            cwd=settings.BASE_DIR,
            env=os.environ | environment,
            stdin=subprocess.DEVNULL,
            pass_fds=(read_end,),
            start_new_session=True,
        )
        os.close(read_end)
        self.started = self.last_progress = time.monotonic()
        self.last_canary = 0.0
        logger.info("Cluster %s started as process %d", self.name, self.process.pid)

    def start_if_due(self) -> None:
        if time.monotonic() >= self.start_at:
            self.start()

    def check(self) -> str:
        """Return why the cluster must be restarted, or "". Send a canary if its heartbeat is late."""
        row = Cluster.objects.get(holder=self.name)
        now = time.monotonic()  # of this process, as hosts' clocks may differ
        if row.last_heartbeat_at != self.last_heartbeat:
            self.last_heartbeat, self.last_progress = row.last_heartbeat_at, now
        silence = now - self.last_progress
        self.update_row(Status.STARTING if row.last_heartbeat_at is None else Status.RUNNING)
        if self.process is not None and (code := self.process.poll()) is not None:
            return f"main process exited with code {code}"
        if silence > HUNG_AFTER:
            return f"no progress for {silence:.0f} seconds"
        is_late = row.last_heartbeat_at is None or silence > CANARY_AFTER
        if is_late and now - self.last_canary > CANARY_EVERY:
            self.last_canary = now
            clusters.send_canary(self.queue, self.name, time.time() + HUNG_AFTER)
        return ""

    def update_row(self, status: str, **values: object) -> None:
        """Update the row; only log a database outage, when nobody could read it."""
        try:
            Cluster.objects.filter(holder=self.name).update(status=status, seen_at=timezone.now(), **values)
        except DATABASE_OUTAGES as error:
            logger.warning("Status of cluster %s could not be stored: %s", self.name, error)

    def reset_timer(self) -> None:
        """Restart the timer after the watchdog itself could not check."""
        self.last_progress = time.monotonic()

    def terminate(self) -> None:
        """Send SIGTERM to the main process only; django-q2 hangs if the whole group receives it."""
        self.update_row(Status.STOPPING)
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)

    def wait_or_kill(self, seconds: float) -> None:
        """Wait for the main process to exit, then kill the rest of its process group."""
        if self.process is None:
            return
        try:
            self.process.wait(max(0.0, seconds))
        except subprocess.TimeoutExpired:
            logger.warning("Cluster %s did not exit in time; killing it", self.name)
        kill_group(self.process.pid)
        self.process.wait()
        if self.parent_pipe is not None:
            os.close(self.parent_pipe)
        self.process = self.parent_pipe = None

    def record_stopped(self, restart_reason: str = "") -> None:
        """Record that all processes have exited, and release their leases.

        Fetched tasks are lost, so all unleased work is enqueued again.
        """
        try:
            for rows in (TicketBatch.objects, PipelineRun.objects, Training.objects):
                rows.release(self.name)
                rows.redeliver_now()
        except DATABASE_OUTAGES as error:
            logger.warning("Leases of cluster %s are left to expire: %s", self.name, error)
        self.update_row(
            Status.STOPPED, last_heartbeat_at=None, restarts=self.restarts, trouble=restart_reason
        )
        self.last_heartbeat = None

    def stop_and_restart_later(self, restart_reason: str) -> None:
        logger.error("Restarting cluster %s: %s", self.name, restart_reason)
        self.terminate()
        self.wait_or_kill(TERM_SECONDS)
        self.record_stopped(restart_reason)
        self.schedule_restart()

    def schedule_restart(self) -> None:
        now = time.monotonic()
        self.pause = 0.0 if now - self.started > STEADY_SECONDS else min(MAX_PAUSE, self.pause * 2 + 1)
        self.start_at = now + self.pause
        self.restarts += 1


def kill_group(leader: int) -> None:
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        return


def stop_all(supervised: list[SupervisedCluster]) -> None:
    """Drain all clusters in parallel for at most DRAIN_SECONDS, then kill the rest."""
    deadline = time.monotonic() + DRAIN_SECONDS
    for cluster in supervised:
        cluster.terminate()
    for cluster in supervised:
        cluster.wait_or_kill(deadline - time.monotonic())
        cluster.record_stopped()
