"""Cleanup by the clock: what each mode's policy no longer keeps, a slice of time a task."""

import time

from django_q.tasks import async_task

from predictions import clusters
from tickets.policies import policies
from tickets.store import clear_old_batch_tickets

SLICE_SECONDS = 60  # well within the queue's time limit, whatever there is to delete


class _TimeIsUp(Exception):
    """The slice is over, and there may be more; what was deleted is committed."""


def clean_up_in_task(seconds: float = SLICE_SECONDS) -> dict[str, int]:
    """Delete tickets that are older than their mode's policy keeps; returns how many, a mode.

    When the time is over before all is done, the rest is enqueued.
    """
    until = time.monotonic() + seconds
    deleted: dict[str, int] = {}
    try:
        for mode, policy in policies().items():
            _clean_up(mode, policy.keep_days, until, deleted)
    except _TimeIsUp:
        async_task("tickets.tasks.clean_up_tickets", task_name="cleanup", cluster=clusters.DEFAULT)
    return deleted


def _clean_up(mode: str, days: int, until: float, deleted: dict[str, int]) -> None:
    deleted[mode] = 0

    def count(tickets: int) -> None:
        deleted[mode] += tickets
        if time.monotonic() >= until:
            raise _TimeIsUp

    clear_old_batch_tickets(days, mode, watch=count)
