"""Tasks that do their worker harm, enqueued by their dotted paths."""

import os
import signal
import sys
import time
from collections.abc import Callable


def die() -> None:
    """As the kernel ends a process that takes too much memory."""
    os.kill(os.getpid(), signal.SIGKILL)


def leave() -> None:
    sys.exit(3)


def sleep(seconds: float) -> None:
    """Deaf to everything but its time limit."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        time.sleep(1)


def answer_with_a_function() -> Callable[[], None]:
    """A result that cannot be pickled, so it cannot be sent to the monitor."""
    return lambda: None
