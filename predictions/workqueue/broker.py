"""The queue's broker: django-q2's ORM broker, made to survive database outages."""

import logging
from time import sleep
from typing import Any

from django.db import InterfaceError, InternalError, OperationalError, connections
from django_q.brokers.orm import ORM
from django_q.conf import Conf

from shiolplus.logs.outages import log_ended_outages

logger = logging.getLogger(__name__)

OUTAGES = (OperationalError, InterfaceError, InternalError)
RETRY_SECONDS = 2


class QueueBroker(ORM):
    """Wait while the database is unavailable, read-only or full.

    With django-q2's broker each failed read logs a traceback and ends the process that fetches tasks, and a
    failed acknowledgement ends the process that stores results.
    """

    def dequeue(self) -> list[tuple[int, str]] | None:
        try:
            tasks: list[tuple[int, str]] | None = super().dequeue()
        except OUTAGES as error:
            logger.warning("Could not fetch a task from the queue: %s", error)
            self._reconnect_later()
            return None
        log_ended_outages()
        return tasks

    def acknowledge(self, task_id: Any) -> None:
        """Delete a finished task; if that fails, it is delivered again and finds its row finished."""
        try:
            super().acknowledge(task_id)
        except OUTAGES as error:
            logger.warning("Could not delete task %s from the queue: %s", task_id, error)
            self._reconnect_later()

    def _reconnect_later(self) -> None:
        connections[Conf.ORM].close()
        sleep(RETRY_SECONDS)
