"""Outages: a database that is away, read-only or full, a full disk, a Redis that does not respond.

`outage_of` classifies an error. `OutageFilter` logs each outage once per process and place: the first record
as one line without traceback, then one line with the count every ten minutes and one when it has ended.
"""

import errno
import logging
import re
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Lock

from concurrent_log_handler import ConcurrentRotatingFileHandler
from django.db import InterfaceError, InternalError, OperationalError
from redis import AuthenticationError, RedisError

DATABASE_AWAY = "database away"
DATABASE_LOCKED = "database locked"
READ_ONLY = "database read-only"
DISK_FULL = "disk full"
REDIS_AWAY = "Redis away"
REDIS_PASSWORD = "Redis password"

REPEATED_EVERY = 600.0  # seconds between two lines of an outage that lasts
ENDED_AFTER = 30.0  # seconds without a record, then an outage counts as ended
FULL_ERRNOS = {errno.ENOSPC, errno.EDQUOT}
READ_ONLY_STATES, FULL_STATES = {"25006"}, {"53100"}  # SQLSTATE of PostgreSQL


def outage_of(error: BaseException | None) -> str | None:
    """Return the kind of outage that an error or one of its causes tells of; None for any other error."""
    for cause in _chain(error):
        if isinstance(cause, OSError) and cause.errno in FULL_ERRNOS:
            return DISK_FULL
        if isinstance(cause, RedisError):
            return _of_redis(cause)
        if isinstance(cause, OperationalError | InterfaceError | InternalError):
            return _of_database(cause)
    return None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _of_redis(error: RedisError) -> str:
    text = str(error)
    is_refused = isinstance(error, AuthenticationError) or text.startswith(("WRONGPASS", "NOAUTH", "NOPERM"))
    return REDIS_PASSWORD if is_refused else REDIS_AWAY


def _of_database(error: Exception) -> str:
    cause = error.__cause__
    state, name = getattr(cause, "sqlstate", None), getattr(cause, "sqlite_errorname", "")
    if state in READ_ONLY_STATES or name.startswith("SQLITE_READONLY"):
        return READ_ONLY
    if state in FULL_STATES or name == "SQLITE_FULL":
        return DISK_FULL
    return DATABASE_LOCKED if name.startswith("SQLITE_BUSY") else DATABASE_AWAY


@dataclass
class _Outage:
    """What was logged of one kind of outage at one place of the code."""

    text: str
    seen_at: float
    told_at: float
    count: int = 1
    suppressed: int = 0
    logger: str = ""
    began_at: float = field(default=0.0)


class OutageFilter(logging.Filter):
    """Drop the repetitions of an outage. One instance serves all handlers of a process.

    A record tells of an outage by its exception, or by an exception among its arguments. Locked databases
    are no outage here: each such line names other work.
    """

    def __init__(self) -> None:
        super().__init__()
        self._outages: dict[tuple[str, int, str], _Outage] = {}
        self._lock = Lock()

    def filter(self, record: logging.LogRecord) -> bool:
        if (decided := getattr(record, "is_outage_logged", None)) is not None:  # by another handler
            return bool(decided)
        self.tell_ended()
        kind = _kind_in(record)
        is_logged = kind is None or self._is_logged(record, kind)
        record.is_outage_logged = is_logged
        return is_logged

    def tell_ended(self) -> None:
        """Log the outages that have ended with their count; called with each record and by watchdogs."""
        if not self._outages:
            return
        oldest = time.monotonic() - ENDED_AFTER
        with self._lock:
            ended = [key for key, outage in self._outages.items() if outage.seen_at < oldest]
            outages = [self._outages.pop(key) for key in ended]
        for outage in outages:
            if outage.suppressed:
                seconds = outage.seen_at - outage.began_at
                logging.getLogger(outage.logger).warning(
                    "outage over after %d s, met %d times: %s", seconds, outage.count, outage.text
                )

    def _is_logged(self, record: logging.LogRecord, kind: str) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        record.exc_info = record.exc_text = None
        text = _one_line(record.getMessage())
        if error is not None:
            text = f"{text}: {_one_line(str(error))}"
        now, key = time.monotonic(), (record.pathname, record.lineno, kind)
        with self._lock:
            outage = self._outages.get(key)
            if outage is None:
                self._outages[key] = _Outage(text, now, now, logger=record.name, began_at=now)
                record.msg, record.args = f"{text} (further ones are counted)", None
                return True
            outage.seen_at = now
            outage.count += 1
            if now - outage.told_at < REPEATED_EVERY:
                outage.suppressed += 1
                return False
            outage.told_at, outage.suppressed = now, 0
        record.msg, record.args = f"{text} (met {outage.count} times)", None
        return True


def tell_ended_outages() -> None:
    """Log what has ended, in a process that else may log nothing for hours."""
    filters = {found for handler in logging.getLogger().handlers for found in handler.filters}
    for found in filters:
        if isinstance(found, OutageFilter):
            found.tell_ended()


class LogFile(ConcurrentRotatingFileHandler):
    """The rotating log file. While it cannot be written, that is one line on stderr, not one per record."""

    told_at = -REPEATED_EVERY

    def handleError(self, record: logging.LogRecord) -> None:
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            super().handleError(record)
        elif time.monotonic() - self.told_at >= REPEATED_EVERY:
            self.told_at = time.monotonic()
            with suppress(OSError):  # stderr may be a file on the same disk
                sys.stderr.write(f"the log file {self.baseFilename} cannot be written: {error}\n")


def _kind_in(record: logging.LogRecord) -> str | None:
    args = record.args if isinstance(record.args, tuple) else ()
    raised = record.exc_info[1] if record.exc_info else None
    for value in (raised, record.msg, *args):
        if isinstance(value, BaseException) and (kind := outage_of(value)) not in (None, DATABASE_LOCKED):
            return kind
    return _kind_in_result(record)


def _kind_in_result(record: logging.LogRecord) -> str | None:
    """Return the kind told by django-q2's line on a failed task, whose text holds the worker's traceback."""
    if record.name == "django-q" and isinstance(record.msg, str) and (found := _FAILED.match(record.msg)):
        record.msg, record.args = found["first"], None
        return DATABASE_AWAY
    return None


_FAILED = re.compile(
    r"(?P<first>.*?) : Traceback .*\n\S*(OperationalError|InterfaceError|InternalError): .*\Z", re.DOTALL
)


def _one_line(text: str) -> str:
    return " ".join(text.split())
