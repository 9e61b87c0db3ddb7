"""Run a django-q2 cluster that exits with its parent, which holds the write end of a pipe.

`python -m tickets.cluster.qcluster_main FD`: FD is the read end.
"""

import os
import signal
import sys
import time
from threading import Thread

DRAIN_SECONDS = 30  # from SIGTERM to SIGKILL; leases of killed workers expire


def exit_with_parent(pipe: int) -> None:
    os.read(pipe, 1)  # returns when the write end is closed
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(DRAIN_SECONDS)
    os.killpg(os.getpgrp(), signal.SIGKILL)


def main(pipe: int) -> None:
    import django
    from django.core.management import call_command

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shiolplus.settings")
    django.setup()
    Thread(target=exit_with_parent, args=(pipe,), name="lifeline", daemon=True).start()
    call_command("qcluster")


if __name__ == "__main__":
    main(int(sys.argv[1]))
