"""Which django-q2 clusters are alive, as their heartbeats say."""

import os
import socket

from django.core.management.base import OutputWrapper
from django_q.status import Stat

DEFAULT, HEAVY = "shiolplus", "heavy"


def alive() -> list[Stat]:
    """The clusters with a heartbeat of the last three seconds; a heartbeat does not name its queue.

    One of this machine whose process has ended since is not counted.
    """
    return [one for one in Stat.get_all() if one.host != socket.gethostname() or _is_running(one.pid)]


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it runs, as another user
        return True
    return True


def warn_unless_alive(stderr: OutputWrapper, verbosity: int, queue: str) -> None:
    """Tell an operator who enqueues something that nobody is there to do it."""
    if verbosity > 0 and not alive():
        stderr.write(
            f"warning: no cluster is alive, so this waits until one is; start them with `make serve`, or the "
            f"{queue} one with `Q_CLUSTER_NAME={queue} python manage.py qcluster`"
        )
