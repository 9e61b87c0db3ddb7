"""Lease renewal: the holder's name, the thread that renews leases during long work, and LeaseLost."""

import logging
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Event, Thread

from django.conf import settings
from django.db import InterfaceError, InternalError, OperationalError, connection

from predictions.models import PipelineRun, Training
from predictions.workqueue import clusters

logger = logging.getLogger(__name__)

# Raised by a database that is unavailable, full, read-only or locked: the work itself is not at fault.
DATABASE_OUTAGES = (OperationalError, InterfaceError, InternalError)
BASE_DELAY = 5  # seconds until the first retry after an outage; then 10, 20, 40


class LeaseLost(Exception):
    """The work was cancelled, or another worker acquired it after the lease expired."""


def lease_holder() -> str:
    """Return the name that leases of this process carry: its cluster's, else host and process id."""
    return os.environ.get(clusters.HOLDER) or f"{socket.gethostname()}/{os.getpid()}"


def backoff_delay(attempts: int) -> int:
    """Return the seconds to wait after so many attempts without progress."""
    return int(BASE_DELAY * 2 ** (max(attempts, 1) - 1))


@contextmanager
def renewing(rows: Sequence[PipelineRun | Training]) -> Iterator[None]:
    """Renew the leases of rows from a thread while the block runs; rows without a token are skipped.

    A lease that is lost nevertheless is detected by the holder's next write.
    """
    stopped = Event()
    thread = Thread(target=_renew_loop, args=(rows, stopped), name="leases", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()


def _renew_loop(rows: Sequence[PipelineRun | Training], stopped: Event) -> None:
    try:
        while not stopped.wait(settings.LEASE_SECONDS / 4):
            try:
                for row in rows:
                    if row.token:
                        type(row).objects.renew(row)
            except DATABASE_OUTAGES as error:
                logger.warning("Could not renew leases: %s", error)
                connection.close()
    finally:
        connection.close()
