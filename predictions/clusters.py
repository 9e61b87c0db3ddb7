"""Which django-q2 clusters are alive, as their heartbeats say."""

from django.core.management.base import OutputWrapper
from django_q.status import Stat

DEFAULT, HEAVY = "shiolplus", "heavy"


def alive() -> list[Stat]:
    """The clusters whose heartbeat is at most three seconds old; a heartbeat does not name its queue."""
    return list(Stat.get_all())


def warn_unless_alive(stderr: OutputWrapper, verbosity: int, queue: str) -> None:
    """Tell an operator who enqueues something that nobody is there to do it."""
    if verbosity > 0 and not alive():
        stderr.write(
            f"warning: no cluster is alive, so this waits until one is; start them with `make serve`, or the "
            f"{queue} one with `Q_CLUSTER_NAME={queue} python manage.py qcluster`"
        )
