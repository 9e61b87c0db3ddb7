"""Periodic deletion of expired tickets, in time slices."""

import time

from django_q.tasks import async_task

from predictions.modes.registry import MODE_NAMES
from predictions.workqueue import clusters
from tickets.store import clear_old_batch_tickets

SLICE_SECONDS = 60  # well within the queue's time limit


def apply_retention(seconds: float = SLICE_SECONDS) -> dict[str, int]:
    """Delete expired tickets, in a further task if time runs out. Return {mode: number deleted}."""
    deadline = time.monotonic() + seconds
    deleted: dict[str, int] = {}
    for mode in MODE_NAMES:
        deleted[mode] = clear_old_batch_tickets(mode=mode, until=deadline)
        if deleted[mode] and time.monotonic() >= deadline:
            async_task("tickets.tasks.clean_up_tickets", task_name="cleanup", cluster=clusters.DEFAULT)
            break
    return deleted
