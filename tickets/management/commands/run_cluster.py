"""Management command that runs both clusters of a host under a watchdog."""

import signal
import time
from threading import Event
from typing import Any

from django.core.management.base import BaseCommand

from shiolplus.cli import write_line
from tickets.cluster.qcluster_main import DRAIN_SECONDS
from tickets.cluster.watchdog import Watchdog, summary


class Command(BaseCommand):
    help = (
        "Runs the clusters `shiolplus` (tickets) and `heavy` (pipelines and model fits) of this host under a "
        "watchdog, which restarts a cluster that exits or stalls, enqueues lost tasks again and enqueues "
        f"scheduled jobs. On SIGTERM or Ctrl-C, running tasks have {DRAIN_SECONDS} seconds to finish before "
        "they are killed; any host resumes their work. Start one per host."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        stopped = Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stopped.set())
        started, watchdog = time.monotonic(), Watchdog()
        write_line(
            self.stdout, options["verbosity"], "Running clusters shiolplus and heavy. Quit with Ctrl-C."
        )
        self.stdout.flush()
        watchdog.run(stopped)
        write_line(self.stdout, options["verbosity"], summary(watchdog, time.monotonic() - started))
