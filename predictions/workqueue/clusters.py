"""The django-q2 clusters: their queues, their names, and the signs that they get work done.

A watchdog gives each of its clusters a name and reads its signs from the cluster's row. There are two: the
monitor signs each result, which has then gone all the way from the queue through a worker; and a task that
takes longer signs from a thread meanwhile, for as long as the queue's time limit lets it.
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
HOLDER = "SHIOL_HOLDER"  # the environment variable in which a watchdog tells its cluster who it is
HEARTBEAT_SECONDS = 5


def current_cluster() -> str | None:
    """The name of the cluster that this process belongs to; None where no watchdog gave it one."""
    return os.environ.get(HOLDER)


def secret_key_fingerprint() -> str:
    """What tells whether two hosts share SECRET_KEY, with which tasks are signed, and not what it is."""
    return hmac.new(settings.SECRET_KEY.encode(), b"shiolplus key print", "sha256").hexdigest()[:16]


def with_other_key() -> list[Cluster]:
    """Return the live clusters whose secret key differs from that of this process."""
    alive = Cluster.objects.alive().order_by("queue", "host", "id")
    return [cluster for cluster in alive if has_other_key(cluster)]


def has_other_key(cluster: Cluster) -> bool:
    return bool(cluster.key_fingerprint) and cluster.key_fingerprint != secret_key_fingerprint()


def heartbeat(**kwargs: Any) -> None:
    """Let the watchdog know that work gets done. While the database is away it cannot look either."""
    try:
        Cluster.objects.filter(holder=current_cluster()).update(last_heartbeat_at=timezone.now())
    except (DatabaseError, InterfaceError) as error:
        logger.warning("no sign could be given: %s", error)


def is_stopping() -> bool:
    """Whether this process's cluster is about to end, so that a long task should give back what is left."""
    name = current_cluster()
    return name is not None and Cluster.objects.filter(holder=name, status=Cluster.Status.STOPPING).exists()


class HeartbeatThread:
    """Signs while a task runs; a worker runs one at a time."""

    def __init__(self) -> None:
        self.ended = Event()

    def begin(self, **kwargs: Any) -> None:
        self.ended = Event()
        Thread(target=self._beat, args=(self.ended,), name="signs", daemon=True).start()

    def end(self, **kwargs: Any) -> None:
        self.ended.set()

    def _beat(self, ended: Event) -> None:
        try:
            while not ended.wait(HEARTBEAT_SECONDS):
                heartbeat()
        finally:
            connection.close()


_beat = HeartbeatThread()


def connect() -> None:
    """Sign what this process's cluster does, if it has a watchdog; called once, when the app is ready."""
    if current_cluster():
        pre_execute.connect(_beat.begin, dispatch_uid="clusters.begin")
        post_execute_in_worker.connect(_beat.end, dispatch_uid="clusters.end")
        post_execute.connect(heartbeat, dispatch_uid="clusters.sign")


def send_canary(queue: str, name: str, until: float) -> None:
    """Send a task that only asks the named cluster for a sign, until a time (seconds since 1970).

    Clusters of several hosts share a queue: one that gets another's canary sends it on.
    """
    options = {"cluster": queue, "task_name": f"canary for {name}", "save": False}
    async_task("predictions.tasks.answer", queue, name, until, **options)


def alive() -> list[str]:
    """The clusters that live, for people: those under a watchdog on any host, and others of this machine."""
    return [f"{one.queue} on {one.host}" for one in Cluster.objects.alive()] or started_by_hand()


def started_by_hand() -> list[str]:
    """The clusters of this machine that live, with a watchdog or without.

    Their heartbeat does not name their queue; it is in var/, for three seconds.
    """
    return [f"process {stat.pid} on {stat.host}" for stat in _read_heartbeats() if _process_exists(stat)]


def _read_heartbeats() -> list[Stat]:
    """Return what the heartbeat files of this machine hold, without writing there.

    django-q2's Stat.get_all writes back what it has read: run by root, it left a file that the service's own
    user could not read. A signature that does not fit is that of another secret key.
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
    """Whether a heartbeat is not that of a process of this machine that has ended since."""
    if heartbeat.host != socket.gethostname():
        return True
    try:
        os.kill(heartbeat.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it runs, as another user
        return True
    return True


def warn_unless_alive(stderr: OutputWrapper, verbosity: int, queue: str) -> None:
    """Tell an operator who enqueues something that nobody is there to do it."""
    if verbosity > 0 and not alive():
        stderr.write(
            f"warning: no cluster is alive, so this waits until one is; start them with `make serve`, or "
            f"`python manage.py run_cluster` (queue {queue})"
        )
