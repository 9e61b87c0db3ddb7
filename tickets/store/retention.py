"""Cleanup by the clock: what each mode's policy no longer keeps, a slice of time a task."""

import time

from django_q.tasks import async_task

from predictions.modes.registry import MODE_NAMES
from predictions.workqueue import clusters
from tickets.store import clear_old_batch_tickets

SLICE_SECONDS = 60  # well within the queue's time limit, whatever there is to delete


def apply_retention(seconds: float = SLICE_SECONDS) -> dict[str, int]:
    """Delete tickets that are older than their mode's policy keeps; returns how many, a mode.

    When the time is over before all is done, the rest is enqueued.
    """
    until = time.monotonic() + seconds
    deleted: dict[str, int] = {}
    for mode in MODE_NAMES:
        deleted[mode] = clear_old_batch_tickets(mode=mode, until=until)
        if deleted[mode] and time.monotonic() >= until:
            async_task("tickets.tasks.clean_up_tickets", task_name="cleanup", cluster=clusters.DEFAULT)
            break
    return deleted
