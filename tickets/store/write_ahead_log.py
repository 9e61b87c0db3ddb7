"""Truncation of SQLite's write-ahead log, which grows while a reader is open.

`journal_size_limit` truncates it too, but only at the next write.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.db import connection
from django.db.backends.utils import CursorWrapper

logger = logging.getLogger(__name__)

BUSY_MILLISECONDS = 100  # a truncating checkpoint blocks writers while it waits for readers


def truncate_log() -> bool:
    """Truncate the log if it exceeds `settings.WAL_BYTES`. Return False if a reader prevents it."""
    if connection.vendor != "sqlite" or connection.in_atomic_block or log_bytes() <= settings.WAL_BYTES:
        return True
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA wal_checkpoint(PASSIVE)")  # never blocks
        _, frames, copied = cursor.fetchone()
        if copied == frames:
            with busy_timeout(cursor, BUSY_MILLISECONDS):
                cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # reports a blocking reader in its result
                cursor.fetchone()
    small = log_bytes() <= settings.WAL_BYTES
    if small:
        logger.info("Truncated the write-ahead log of SQLite")
    return small


def log_bytes() -> int:
    try:
        return Path(f"{connection.settings_dict['NAME']}-wal").stat().st_size
    except FileNotFoundError:
        return 0


@contextmanager
def busy_timeout(cursor: CursorWrapper, milliseconds: int) -> Iterator[None]:
    """Change the time that SQLite waits for a lock within the block."""
    cursor.execute("PRAGMA busy_timeout")
    (previous,) = cursor.fetchone()
    cursor.execute(f"PRAGMA busy_timeout = {milliseconds}")
    try:
        yield
    finally:
        cursor.execute(f"PRAGMA busy_timeout = {previous}")
