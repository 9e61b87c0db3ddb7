"""Probe what the service needs: writing to the database, free disk space, and the shared cache.

Each returns what it found. Results are reused for a second, so that a monitor that asks often costs little.
"""

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Generic, TypeVar

from django.conf import settings
from django.core.cache import caches
from django.db import DatabaseError, connection
from django.db.backends.utils import CursorWrapper
from redis import RedisError

from shiolplus.logs.outages import DATABASE_LOCKED, DISK_FULL, READ_ONLY, outage_of

REUSED_SECONDS = 1.0
LOCK_MILLISECONDS = 250  # a writer that holds SQLite longer is at work: that is no fault
PROBE_BYTES = 64 * 1024
FULL_BELOW = 16 * 1024**2  # bytes of free space; SQLite needs room for its write-ahead log
LOW_BELOW = 256 * 1024**2
Found = TypeVar("Found")


class Probe(Generic[Found]):
    """A function whose result is reused for a second by all threads of this process."""

    def __init__(self, look: Callable[[], Found]) -> None:
        self._look, self._lock = look, Lock()
        self._found: tuple[float, Found] | None = None

    def __call__(self) -> Found:
        with self._lock:
            if self._found is None or time.monotonic() - self._found[0] >= REUSED_SECONDS:
                found = self._look()
                self._found = (time.monotonic(), found)
            return self._found[1]

    def forget(self) -> None:
        self._found = None


# The database


def refused_write() -> str:
    """Return why the database refuses writes, "" if it accepts them or another writer is at work.

    A database that does not answer at all raises DatabaseError, as any query would.
    """
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            return _refused_by_postgresql(cursor)
        try:
            return _refused_by_sqlite(cursor)
        except DatabaseError as error:
            kind = outage_of(error)
            if kind == DATABASE_LOCKED:
                return ""
            if kind in (READ_ONLY, DISK_FULL):
                return str(error)
            raise


def _refused_by_postgresql(cursor: CursorWrapper) -> str:
    cursor.execute("SELECT pg_is_in_recovery(), current_setting('transaction_read_only')")
    is_standby, read_only = cursor.fetchone()
    if is_standby:
        return "the server is a standby"
    return "transaction_read_only is on" if read_only == "on" else ""


def _refused_by_sqlite(cursor: CursorWrapper) -> str:
    cursor.execute("PRAGMA query_only")
    if cursor.fetchone()[0]:
        return "query_only is on"
    if not connection.in_atomic_block:  # there the transaction of another would end with ours
        with _short_timeout(cursor):
            cursor.execute("BEGIN IMMEDIATE")
            cursor.execute("ROLLBACK")
    return ""


@contextmanager
def _short_timeout(cursor: CursorWrapper) -> Iterator[None]:
    cursor.execute("PRAGMA busy_timeout")
    (before,) = cursor.fetchone()
    cursor.execute(f"PRAGMA busy_timeout = {LOCK_MILLISECONDS}")
    try:
        yield
    finally:
        cursor.execute(f"PRAGMA busy_timeout = {int(before)}")


# Disks


@dataclass(frozen=True)
class Disk:
    """A folder that is written to, its free space in bytes, and why a write failed."""

    name: str
    folder: Path
    free: int
    error: str = ""
    has_no_space: bool = False  # met by the write, whatever the free space is

    @property
    def is_full(self) -> bool:
        return self.has_no_space or (not self.error and self.free < FULL_BELOW)

    @property
    def is_low(self) -> bool:
        return not self.error and self.free < LOW_BELOW


def _look_at_disks() -> list[Disk]:
    """Look at var/, and at the folder of a SQLite file if that is elsewhere."""
    found = [_look_at_disk("data folder", Path(settings.VAR))]
    name = str(connection.settings_dict["NAME"])
    if connection.vendor == "sqlite" and not name.startswith(("file:", ":")):
        folder = Path(name).resolve().parent
        if folder != found[0].folder:
            found.append(_look_at_disk("database", folder))
    return found


def _look_at_disk(name: str, folder: Path) -> Disk:
    """Write a small file, since quotas and read-only file systems do not show in the free space."""
    free = _free_in(folder)
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(PROBE_BYTES))
            file.flush()
    except OSError as error:
        has_no_space = outage_of(error) == DISK_FULL
        return Disk(name, folder, free, error.strerror or type(error).__name__, has_no_space)
    return Disk(name, folder, free)


def _free_in(folder: Path) -> int:
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return 0


# The shared cache


def _look_at_cache() -> RedisError | None:
    """Return the error of a write to Redis; None where it succeeds or where CACHE_URL names no Redis."""
    if not has_redis():
        return None
    try:
        caches["default"].set(f"probe:{os.getpid()}", 1, 10)
    except RedisError as error:
        return error
    return None


def has_redis() -> bool:
    return "redis" in settings.CACHES["default"]["BACKEND"]


disks = Probe(_look_at_disks)
cache_error = Probe(_look_at_cache)


def forget() -> None:
    """Probe anew at the next call."""
    disks.forget()
    cache_error.forget()
