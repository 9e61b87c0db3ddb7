"""gunicorn worker with uninterrupted reloads, and loggers in this project's format."""

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

# Shorter than graceful_timeout, so that a stop during a reload cuts off no request.
HANDOVER_SECONDS = 15
IDLE_CONNECTION_SECONDS = 5
INT64 = struct.Struct("q")


class JsonLogger(Logger):
    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        for log in (self.error_log, self.access_log):
            for handler in log.handlers:
                handler.setFormatter(JsonFormatter())


class LineLogger(Logger):
    """Escape control characters, so that no request can forge a log line."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        for log in (self.error_log, self.access_log):
            for handler in log.handlers:
                formatter = handler.formatter
                if formatter is not None:
                    handler.setFormatter(LineFormatter(formatter._fmt, formatter.datefmt))


class SharedMaximum:
    """The highest worker age (gunicorn's counter of started workers) over all processes."""

    def __init__(self) -> None:
        self.memory = mmap.mmap(-1, INT64.size)

    def get(self) -> int:
        return int(INT64.unpack_from(self.memory)[0])

    def update(self, age: int) -> None:
        INT64.pack_into(self.memory, 0, max(self.get(), age))


newest_started, newest_ready = SharedMaximum(), SharedMaximum()


class GracefulReloadWorker(ThreadWorker):
    """Keep serving during a reload until a replacement is ready; gunicorn would stop at once."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.handover_deadline = 0.0  # set by the first SIGTERM
        newest_started.update(self.age)  # in the master process, before the fork

    def enqueue_req(self, conn: Any) -> None:
        """Assign a thread only when a request arrives, since browsers open connections in advance."""
        if conn.initialized or conn.data_ready:
            super().enqueue_req(conn)
            return
        conn.sock.setblocking(False)
        conn.timeout = time.monotonic() + IDLE_CONNECTION_SECONDS
        self.pending_conns.append(conn)
        on_readable = partial(self.on_pending_socket_readable, conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, on_readable)

    def run(self) -> None:
        newest_ready.update(self.age)
        super().run()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Start the handover on the first SIGTERM; a reload may send several."""
        self.handover_deadline = self.handover_deadline or time.monotonic() + HANDOVER_SECONDS
        if not self.should_keep_serving():
            super().handle_exit(sig, frame)

    def notify(self) -> None:
        """Send the heartbeat, and stop after the handover."""
        super().notify()
        if self.handover_deadline and not self.should_keep_serving():
            self.alive = False

    def should_keep_serving(self) -> bool:
        """Return True during a reload until a replacement is ready or the handover deadline passes."""
        # A worker among the newest has no replacement: the server is stopping.
        newest_replaced = newest_started.get() - self.cfg.workers
        return (
            max(self.age, newest_ready.get()) <= newest_replaced and time.monotonic() < self.handover_deadline
        )
