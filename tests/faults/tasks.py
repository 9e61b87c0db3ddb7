"""Tasks that harm their worker."""

import os
import signal
import sys
import time
from collections.abc import Callable


def die() -> None:
    """Die as in an out-of-memory kill."""
    os.kill(os.getpid(), signal.SIGKILL)


def leave() -> None:
    sys.exit(3)


def sleep(seconds: float) -> None:
    """Sleep until the task's time limit, whatever signals arrive."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        time.sleep(1)


def return_unpicklable() -> Callable[[], None]:
    """Return a result that cannot be pickled for the monitor."""
    return lambda: None
