"""Run a django-q2 cluster that ends with the process that started it.

`python -m tickets.cluster.qcluster_main FD`: FD is the read end of a pipe whose other end only that process
holds, so it is closed when that process ends, however it ends. What does not drain then is killed with its
process group.
"""

import os
import signal
import sys
import time
from threading import Thread

DRAIN_SECONDS = 30  # what has not ended so long after SIGTERM is killed; its lease lets it be taken up again


def _exit_with_parent(lifeline: int) -> None:
    os.read(lifeline, 1)  # nothing is ever written: this returns when the other end is closed
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(DRAIN_SECONDS)
    os.killpg(os.getpgrp(), signal.SIGKILL)


def main(lifeline: int) -> None:
    """Serve the queue that Q_CLUSTER_NAME names, until SIGTERM."""
    import django
    from django.core.management import call_command

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shiolplus.settings")
    django.setup()
    Thread(target=_exit_with_parent, args=(lifeline,), name="lifeline", daemon=True).start()
    call_command("qcluster")


if __name__ == "__main__":
    main(int(sys.argv[1]))
