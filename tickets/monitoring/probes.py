"""Probes of database writes, free disk space and the shared cache.

Results are reused for a second, so that frequent monitoring costs little.
"""

import os
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Generic, TypeVar

from django.conf import settings
from django.core.cache import caches
from django.db import DatabaseError, connection
from django.db.backends.utils import CursorWrapper
from redis import RedisError

from shiolplus.logs.outages import DATABASE_LOCKED, DISK_FULL, READ_ONLY, classify_outage
from tickets.store.write_ahead_log import busy_timeout

REUSE_SECONDS = 1.0
LOCK_MILLISECONDS = 250  # a writer that locks SQLite for longer is busy, not failing
PROBE_BYTES = 64 * 1024
FULL_BELOW = 16 * 1024**2  # bytes of free space; SQLite needs room for its write-ahead log
LOW_BELOW = 256 * 1024**2
Result = TypeVar("Result")


class Probe(Generic[Result]):
    """A function whose result is reused for REUSE_SECONDS by all threads of a process."""

    def __init__(self, function: Callable[[], Result]) -> None:
        self._function, self._lock = function, Lock()
        self._cached: tuple[float, Result] | None = None

    def __call__(self) -> Result:
        with self._lock:
            if self._cached is None or time.monotonic() - self._cached[0] >= REUSE_SECONDS:
                result = self._function()
                self._cached = (time.monotonic(), result)
            return self._cached[1]

    def forget(self) -> None:
        self._cached = None


def write_error() -> str:
    """Return why the database refuses writes, or "" if it accepts them or another writer is busy.

    Raise DatabaseError if the database is unreachable.
    """
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT pg_is_in_recovery(), current_setting('transaction_read_only')")
            is_standby, read_only = cursor.fetchone()
            if is_standby:
                return "the server is a standby"
            return "transaction_read_only is on" if read_only == "on" else ""
        try:
            return sqlite_write_error(cursor)
        except DatabaseError as error:
            kind = classify_outage(error)
            if kind == DATABASE_LOCKED:
                return ""
            if kind in (READ_ONLY, DISK_FULL):
                return str(error)
            raise


def sqlite_write_error(cursor: CursorWrapper) -> str:
    cursor.execute("PRAGMA query_only")
    if cursor.fetchone()[0]:
        return "query_only is on"
    if not connection.in_atomic_block:  # the ROLLBACK would end the caller's transaction
        with busy_timeout(cursor, LOCK_MILLISECONDS):
            cursor.execute("BEGIN IMMEDIATE")
            cursor.execute("ROLLBACK")
    return ""


@dataclass(frozen=True)
class Disk:
    name: str
    folder: Path
    free: int
    error: str = ""
    has_no_space: bool = False  # reported by the test write

    @property
    def is_full(self) -> bool:
        return self.has_no_space or (not self.error and self.free < FULL_BELOW)

    @property
    def is_low(self) -> bool:
        return not self.error and self.free < LOW_BELOW


@Probe
def disks() -> list[Disk]:
    """Probe var/ and, if elsewhere, the folder of the SQLite file."""
    result = [probe_disk("data folder", Path(settings.VAR))]
    name = str(connection.settings_dict["NAME"])
    if connection.vendor == "sqlite" and not name.startswith(("file:", ":")):
        folder = Path(name).resolve().parent
        if folder != result[0].folder:
            result.append(probe_disk("database", folder))
    return result


def probe_disk(name: str, folder: Path) -> Disk:
    """Write a small file, since free space does not show quotas and read-only file systems."""
    try:
        free = shutil.disk_usage(folder).free
    except OSError:
        free = 0
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(PROBE_BYTES))
            file.flush()
    except OSError as error:
        has_no_space = classify_outage(error) == DISK_FULL
        return Disk(name, folder, free, error.strerror or type(error).__name__, has_no_space)
    return Disk(name, folder, free)


@Probe
def cache_error() -> RedisError | None:
    """Return the error of a test write to Redis, or None if it succeeds."""
    try:
        caches["default"].set(f"probe:{os.getpid()}", 1, 10)
    except RedisError as error:
        return error
    return None


def has_redis() -> bool:
    return "redis" in settings.CACHES["default"]["BACKEND"]


def forget() -> None:
    disks.forget()
    cache_error.forget()
