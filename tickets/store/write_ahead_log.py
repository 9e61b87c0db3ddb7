"""Truncation of SQLite's write-ahead log, which grows while a reader is open.

`journal_size_limit` truncates it too, but only at the next write.
"""

import logging
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
            _truncate(cursor)
    small = log_bytes() <= settings.WAL_BYTES
    if small:
        logger.info("Truncated the write-ahead log of SQLite")
    return small


def log_bytes() -> int:
    try:
        return Path(f"{connection.settings_dict['NAME']}-wal").stat().st_size
    except FileNotFoundError:
        return 0


def _truncate(cursor: CursorWrapper) -> None:
    cursor.execute("PRAGMA busy_timeout")
    (timeout,) = cursor.fetchone()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_MILLISECONDS}")
    try:
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # reports a blocking reader in its result
        cursor.fetchone()
    finally:
        cursor.execute(f"PRAGMA busy_timeout = {timeout}")
