"""Detect outages of the database, the disk and Redis, and condense their log records.

The first record of an outage is logged without its traceback, then a count every ten minutes, then the end.
"""

import errno
import logging
import re
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from threading import Lock

from concurrent_log_handler import ConcurrentRotatingFileHandler
from django.db import InterfaceError, InternalError, OperationalError
from redis import AuthenticationError, RedisError

DATABASE_UNREACHABLE = "database away"
DATABASE_LOCKED = "database locked"
READ_ONLY = "database read-only"
DISK_FULL = "disk full"
REDIS_UNREACHABLE = "Redis away"
REDIS_PASSWORD = "Redis password"

REPEATED_EVERY = 600.0  # seconds between two lines about one outage
ENDED_AFTER = 30.0  # seconds without a record
FULL_ERRNOS = {errno.ENOSPC, errno.EDQUOT}
READ_ONLY_STATES, FULL_STATES = {"25006"}, {"53100"}  # SQLSTATE of PostgreSQL


def classify_outage(error: BaseException | None) -> str | None:
    """Return the kind of outage that an error or one of its causes indicates."""
    for cause in iter_causes(error):
        if isinstance(cause, OSError) and cause.errno in FULL_ERRNOS:
            return DISK_FULL
        if isinstance(cause, RedisError):
            return redis_outage(cause)
        if isinstance(cause, OperationalError | InterfaceError | InternalError):
            return database_outage(cause)
    return None


def iter_causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def redis_outage(error: RedisError) -> str:
    is_refused = isinstance(error, AuthenticationError) or str(error).startswith(
        ("WRONGPASS", "NOAUTH", "NOPERM")
    )
    return REDIS_PASSWORD if is_refused else REDIS_UNREACHABLE


def database_outage(error: Exception) -> str:
    cause = error.__cause__
    state, name = getattr(cause, "sqlstate", None), getattr(cause, "sqlite_errorname", "")
    if state in READ_ONLY_STATES or name.startswith("SQLITE_READONLY"):
        return READ_ONLY
    if state in FULL_STATES or name == "SQLITE_FULL":
        return DISK_FULL
    return DATABASE_LOCKED if name.startswith("SQLITE_BUSY") else DATABASE_UNREACHABLE


@dataclass
class _Outage:
    """An outage at one place in the code; times are monotonic."""

    text: str
    logger: str
    started_at: float
    last_seen_at: float
    last_logged_at: float
    count: int = 1
    suppressed: int = 0


class OutageFilter(logging.Filter):
    """Drop repeated records of an outage. All handlers of a process share one instance.

    Records of a locked database are not dropped, since each is about different work.
    """

    def __init__(self) -> None:
        super().__init__()
        self._outages: dict[tuple[str, int, str], _Outage] = {}
        self._lock = Lock()

    def filter(self, record: logging.LogRecord) -> bool:
        if (decision := getattr(record, "is_outage_logged", None)) is not None:  # decided by another handler
            return bool(decision)
        self.log_ended()
        kind = kind_of_record(record)
        is_logged = kind is None or self._is_logged(record, kind)
        record.is_outage_logged = is_logged
        return is_logged

    def log_ended(self) -> None:
        if not self._outages:
            return
        cutoff = time.monotonic() - ENDED_AFTER
        with self._lock:
            keys = [key for key, outage in self._outages.items() if outage.last_seen_at < cutoff]
            ended = [self._outages.pop(key) for key in keys]
        for outage in ended:
            if outage.suppressed:
                seconds = outage.last_seen_at - outage.started_at
                logging.getLogger(outage.logger).warning(
                    "outage ended after %d s, %d occurrences: %s", seconds, outage.count, outage.text
                )

    def _is_logged(self, record: logging.LogRecord, kind: str) -> bool:
        """Count a record. If it must be logged, make it one line and return True."""
        error = record.exc_info[1] if record.exc_info else None
        record.exc_info = record.exc_text = None
        text = join_lines(record.getMessage())
        if error is not None:
            text = f"{text}: {join_lines(str(error))}"
        now, key = time.monotonic(), (record.pathname, record.lineno, kind)
        with self._lock:
            outage = self._outages.get(key)
            if outage is None:
                self._outages[key] = _Outage(text, record.name, now, now, now)
                record.msg, record.args = f"{text} (repetitions will be counted)", None
                return True
            outage.last_seen_at = now
            outage.count += 1
            if now - outage.last_logged_at < REPEATED_EVERY:
                outage.suppressed += 1
                return False
            outage.last_logged_at, outage.suppressed = now, 0
        record.msg, record.args = f"{text} ({outage.count} occurrences)", None
        return True


def log_ended_outages() -> None:
    """Log ended outages, from a process that may log nothing else for hours."""
    filters = {log_filter for handler in logging.getLogger().handlers for log_filter in handler.filters}
    for log_filter in filters:
        if isinstance(log_filter, OutageFilter):
            log_filter.log_ended()


class LogFile(ConcurrentRotatingFileHandler):
    """Rotating log file that reports write errors on stderr, once per REPEATED_EVERY seconds."""

    last_reported_at = -REPEATED_EVERY

    def handleError(self, record: logging.LogRecord) -> None:
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            super().handleError(record)
        elif time.monotonic() - self.last_reported_at >= REPEATED_EVERY:
            self.last_reported_at = time.monotonic()
            with suppress(OSError):  # stderr may be a file on the same disk
                sys.stderr.write(f"the log file {self.baseFilename} cannot be written: {error}\n")


# Contains the worker's traceback.
_FAILED_TASK = re.compile(
    r"(?P<first>.*?) : Traceback .*\n\S*(OperationalError|InterfaceError|InternalError): .*\Z", re.DOTALL
)


def kind_of_record(record: logging.LogRecord) -> str | None:
    args = record.args if isinstance(record.args, tuple) else ()
    error = record.exc_info[1] if record.exc_info else None
    for value in (error, record.msg, *args):
        if isinstance(value, BaseException) and (kind := classify_outage(value)) not in (
            None,
            DATABASE_LOCKED,
        ):
            return kind
    message = record.msg
    if record.name == "django-q" and isinstance(message, str) and (match := _FAILED_TASK.match(message)):
        record.msg, record.args = match["first"], None
        return DATABASE_UNREACHABLE
    return None


def join_lines(text: str) -> str:
    return " ".join(text.split())
