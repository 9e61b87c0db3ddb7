"""Keeping a lease: who signs it here, the thread that renews it through long work, and its loss."""

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

# What a database raises when it is away, full, read-only or locked: nothing is wrong with the work itself.
DATABASE_OUTAGES = (OperationalError, InterfaceError, InternalError)
BASE_DELAY = 5  # seconds until work that met an outage may be begun again; then 10, 20, 40


class LeaseLost(Exception):
    """The work is no longer ours: it was cancelled, or another has it since our lease ran out."""


def lease_holder() -> str:
    """Who signs a lease here: the cluster, by the name its watchdog gave it, else this process."""
    return os.environ.get(clusters.HOLDER) or f"{socket.gethostname()}/{os.getpid()}"


def backoff_delay(attempts: int) -> int:
    """Seconds to leave work alone after so many attempts without getting further."""
    return int(BASE_DELAY * 2 ** (max(attempts, 1) - 1))


@contextmanager
def renewing(rows: Sequence[PipelineRun | Training]) -> Iterator[None]:
    """Renew leases from a thread for as long as the block runs. A row without a token is no longer ours.

    One that is lost all the same is noticed where its holder next writes.
    """
    ended = Event()
    thread = Thread(target=_renew_loop, args=(rows, ended), name="leases", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _renew_loop(rows: Sequence[PipelineRun | Training], ended: Event) -> None:
    try:
        while not ended.wait(settings.LEASE_SECONDS / 4):
            try:
                for row in rows:
                    if row.token:
                        type(row).objects.renew(row)
            except DATABASE_OUTAGES as error:
                logger.warning("leases could not be renewed: %s", error)
                connection.close()
    finally:
        connection.close()
