"""gunicorn's worker, relieved: on a reload it serves until one of the new workers can.

And no thread waits for a client that says nothing. Its log lines are JSON where ours are.
"""

import mmap
import selectors
import struct
import time
from functools import partial
from types import FrameType
from typing import Any

from gunicorn.glogging import Logger
from gunicorn.workers.gthread import ThreadWorker

from shiolplus.logs.json_formatter import JsonFormatter
from shiolplus.logs.line_formatter import LineFormatter

# Seconds. Below graceful_timeout: whoever stops the server amid a reload must not cut requests off.
RELIEF_SECONDS = 15
SILENCE_SECONDS = 5  # that a new connection may say nothing
NUMBER = struct.Struct("q")


class JsonLogger(Logger):
    """gunicorn's own lines, and those of its access log, as JSON."""

    def setup(self, cfg: Any) -> None:
        """At the start, and anew on each reload."""
        super().setup(cfg)
        for log in (self.error_log, self.access_log):
            for handler in log.handlers:
                handler.setFormatter(JsonFormatter())


class LineLogger(Logger):
    """Write gunicorn's own lines with control characters escaped, so that no request forges one."""

    def setup(self, cfg: Any) -> None:
        """At the start, and again on each reload."""
        super().setup(cfg)
        for log in (self.error_log, self.access_log):
            for handler in log.handlers:
                layout = handler.formatter
                if layout is not None:
                    handler.setFormatter(LineFormatter(layout._fmt, layout.datefmt))


class Newest:
    """The age of a worker (gunicorn numbers them) that all processes forked from this one see and raise."""

    def __init__(self) -> None:
        self.memory = mmap.mmap(-1, NUMBER.size)

    def age(self) -> int:
        return int(NUMBER.unpack_from(self.memory)[0])

    def raise_to(self, age: int) -> None:
        NUMBER.pack_into(self.memory, 0, max(self.age(), age))


begun, ready = Newest(), Newest()


class RelievedWorker(ThreadWorker):
    """gunicorn starts the new workers and asks the old ones to end in the same moment.

    While the new ones load the code nobody would accept connections, for seconds on a busy machine. So one
    that is asked to end goes on until one of those that will stay, which are the youngest, is ready.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)  # still in the first process, before the fork
        self.relief_by = 0.0  # set when it is asked to end
        begun.raise_to(self.age)

    def enqueue_req(self, conn: Any) -> None:
        """A new connection gets a thread when it has something to say.

        Browsers open some ahead of time, of which each would hold a thread for five seconds.
        """
        if conn.initialized or conn.data_ready:
            super().enqueue_req(conn)
            return
        conn.sock.setblocking(False)
        conn.timeout = time.monotonic() + SILENCE_SECONDS
        self.pending_conns.append(conn)
        spoke = partial(self.on_pending_socket_readable, conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, spoke)

    def run(self) -> None:
        ready.raise_to(self.age)
        super().run()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """SIGTERM, which a reload may send more than once."""
        self.relief_by = self.relief_by or time.monotonic() + RELIEF_SECONDS
        if not self.must_stay():
            super().handle_exit(sig, frame)

    def notify(self) -> None:
        """A sign of life; the loop gives one a second at least, so relief is seen here."""
        super().notify()
        if self.relief_by and not self.must_stay():
            self.alive = False

    def must_stay(self) -> bool:
        """Among the youngest, and so asked by a stop: no. Older: while none of the youngest is ready."""
        oldest_to_go = begun.age() - self.cfg.workers
        return max(self.age, ready.age()) <= oldest_to_go and time.monotonic() < self.relief_by
