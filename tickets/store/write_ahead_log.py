"""SQLite's write-ahead log: shrink the file that a large batch, or a reader that stayed open, has left.

While a reader is open the log can only grow. Once it has left, a checkpoint copies the log into the database
and truncates the file. `journal_size_limit` does so too, but only with the next write.
"""

import logging
from pathlib import Path

from django.conf import settings
from django.db import connection
from django.db.backends.utils import CursorWrapper

logger = logging.getLogger(__name__)

BUSY_MILLISECONDS = 100  # a checkpoint that truncates keeps writers waiting while it waits for readers


def truncate_log() -> bool:
    """Truncate the log if it is larger than `settings.WAL_BYTES`; return whether it is small now.

    A reader that is in the way is no error: the next batch and the watchdog try again.
    """
    if connection.vendor != "sqlite" or connection.in_atomic_block or log_bytes() <= settings.WAL_BYTES:
        return True
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA wal_checkpoint(PASSIVE)")  # blocks nobody
        _, frames, copied = cursor.fetchone()
        if copied == frames:
            _truncate(cursor)
    small = log_bytes() <= settings.WAL_BYTES
    if small:
        logger.info("SQLite's write-ahead log was truncated")
    return small


def log_bytes() -> int:
    """Return the size of the log in bytes: 0 if there is none."""
    try:
        return Path(f"{connection.settings_dict['NAME']}-wal").stat().st_size
    except FileNotFoundError:
        return 0


def _truncate(cursor: CursorWrapper) -> None:
    cursor.execute("PRAGMA busy_timeout")
    (timeout,) = cursor.fetchone()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_MILLISECONDS}")
    try:
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # reports a reader in its row, and raises nothing
        cursor.fetchone()
    finally:
        cursor.execute(f"PRAGMA busy_timeout = {timeout}")
