"""`manage.py run_cluster`: both clusters under a watchdog, until SIGTERM or Ctrl-C."""

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
        "Start the clusters `shiolplus` (tickets) and `heavy` (pipelines, fits) and watch them: one that "
        "dies or hangs is started again, work whose task was lost is sent again, scheduled jobs are sent. "
        f"SIGTERM or Ctrl-C lets running tasks end for {DRAIN_SECONDS} seconds, then kills them; what is cut "
        "is taken up where it was, by whichever host is there. Start one on each host."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        ended = Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: ended.set())
        started, watchdog = time.monotonic(), Watchdog()
        write_line(self.stdout, options["verbosity"], "clusters shiolplus and heavy; Ctrl-C ends them")
        self.stdout.flush()
        watchdog.run(ended)
        write_line(self.stdout, options["verbosity"], summary(watchdog, time.monotonic() - started))
