"""The django-q2 clusters: their queues, names and heartbeats.

A watchdog names each of its clusters and reads the heartbeat from the cluster's row. The monitor records one
per result, which proves the whole way from the queue through a worker; a thread records them during a task.
"""

import hmac
import logging
import os
import socket
from threading import Event, Thread
from typing import Any

from django.conf import settings
from django.core.cache import caches
from django.core.management.base import OutputWrapper
from django.db import DatabaseError, InterfaceError, connection
from django.utils import timezone
from django_q.conf import Conf
from django_q.signals import post_execute, post_execute_in_worker, pre_execute
from django_q.signing import BadSignature, SignedPackage
from django_q.status import Stat
from django_q.tasks import async_task

from predictions.models import Cluster

logger = logging.getLogger(__name__)

DEFAULT, HEAVY = "shiolplus", "heavy"
HOLDER = "SHIOL_HOLDER"  # the environment variable in which a watchdog passes its cluster the name
HEARTBEAT_SECONDS = 5


def current_cluster() -> str | None:
    """Return the name of this process's cluster; None if it has no watchdog."""
    return os.environ.get(HOLDER)


def secret_key_fingerprint() -> str:
    """Return a digest that shows whether two hosts sign tasks with the same SECRET_KEY."""
    return hmac.new(settings.SECRET_KEY.encode(), b"shiolplus key print", "sha256").hexdigest()[:16]


def with_other_key() -> list[Cluster]:
    alive = Cluster.objects.alive().order_by("queue", "host", "id")
    return [cluster for cluster in alive if has_other_key(cluster)]


def has_other_key(cluster: Cluster) -> bool:
    return bool(cluster.key_fingerprint) and cluster.key_fingerprint != secret_key_fingerprint()


def heartbeat(**kwargs: Any) -> None:
    """Record a heartbeat of this cluster. During a database outage the watchdog cannot read one either."""
    try:
        Cluster.objects.filter(holder=current_cluster()).update(last_heartbeat_at=timezone.now())
    except (DatabaseError, InterfaceError) as error:
        logger.warning("Could not record a heartbeat: %s", error)


def is_stopping() -> bool:
    """Return True if this process's cluster is shutting down; a long task should then requeue its work."""
    name = current_cluster()
    return name is not None and Cluster.objects.filter(holder=name, status=Cluster.Status.STOPPING).exists()


class HeartbeatThread:
    """Record heartbeats while a task runs; a worker runs one task at a time."""

    def __init__(self) -> None:
        self.stopped = Event()

    def start(self, **kwargs: Any) -> None:
        self.stopped = Event()
        Thread(target=self._run, args=(self.stopped,), name="heartbeat", daemon=True).start()

    def stop(self, **kwargs: Any) -> None:
        self.stopped.set()

    def _run(self, stopped: Event) -> None:
        try:
            while not stopped.wait(HEARTBEAT_SECONDS):
                heartbeat()
        finally:
            connection.close()


_heartbeat_thread = HeartbeatThread()


def connect() -> None:
    """Record heartbeats of this process's cluster, if it has a watchdog."""
    if current_cluster():
        pre_execute.connect(_heartbeat_thread.start, dispatch_uid="clusters.start")
        post_execute_in_worker.connect(_heartbeat_thread.stop, dispatch_uid="clusters.stop")
        post_execute.connect(heartbeat, dispatch_uid="clusters.heartbeat")


def send_canary(queue: str, name: str, until: float) -> None:
    """Enqueue a task that makes the named cluster record a heartbeat; `until` is in seconds since 1970.

    Clusters of several hosts share a queue, so a cluster forwards a canary that is meant for another.
    """
    options = {"cluster": queue, "task_name": f"canary for {name}", "save": False}
    async_task("predictions.tasks.answer", queue, name, until, **options)


def alive() -> list[str]:
    """Describe the live clusters: those with a watchdog on any host, else those of this machine."""
    return [f"{cluster.queue} on {cluster.host}" for cluster in Cluster.objects.alive()] or started_by_hand()


def started_by_hand() -> list[str]:
    """Describe the live clusters of this machine, from heartbeat files, which do not name the queue."""
    return [f"process {stat.pid} on {stat.host}" for stat in _read_heartbeats() if _process_exists(stat)]


def _read_heartbeats() -> list[Stat]:
    """Return the states in the heartbeat files, except those signed with another secret key.

    django-q2's Stat.get_all writes them back: run by root, it left a file that the service could not read.
    """
    cache, stats = caches["queue"], []
    index = cache.get(Conf.Q_STAT)
    for key in index if isinstance(index, list) else []:
        try:
            stats.append(SignedPackage.loads(str(cache.get(key))))
        except BadSignature:
            continue
    return stats


def _process_exists(heartbeat: Stat) -> bool:
    if heartbeat.host != socket.gethostname():
        return True
    try:
        os.kill(heartbeat.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it runs as another user
        return True
    return True


def warn_unless_alive(stderr: OutputWrapper, verbosity: int, queue: str) -> None:
    """Warn an operator who enqueues work that no cluster will run it now."""
    if verbosity > 0 and not alive():
        stderr.write(
            f"warning: no cluster is alive; the task stays queued until one is. Start the clusters with "
            f"`make serve` or `python manage.py run_cluster` (queue {queue})"
        )
