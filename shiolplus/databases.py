"""Defaults of DATABASE_URL and CACHE_URL per engine."""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

SQLITE = "django.db.backends.sqlite3"
# Detect a vanished PostgreSQL host after 20 s instead of 15 minutes to 2 hours.
KEEPALIVE = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,  # milliseconds
}


def tune_database(database: dict[str, Any], pool_size: int, wal_bytes: int, test_file: Path) -> None:
    """Add options for concurrent writers and outages, unless the URL sets them."""
    database["CONN_MAX_AGE"] = database.get("CONN_MAX_AGE") or 600
    if database["ENGINE"] == SQLITE:
        options: dict[str, Any] = {  # otherwise concurrent tasks fail with "database is locked"
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; "
            f"PRAGMA journal_size_limit={wal_bytes};",
        }
        # A file can be shared with clusters.
        database["TEST"] = {"NAME": str(test_file)}
    else:
        database["CONN_HEALTH_CHECKS"] = True
        options = dict(KEEPALIVE)
        if pool_size:
            database["CONN_MAX_AGE"] = 0  # each request returns its connection to the pool
            options["pool"] = {"min_size": 1, "max_size": pool_size, "timeout": 5, "reconnect_timeout": 5}
    database["OPTIONS"] = options | database.get("OPTIONS", {})


def tune_cache(cache: dict[str, Any], url: str) -> None:
    """Add options of the default cache. Raise ValueError for an incomplete Redis URL."""
    cache.setdefault("KEY_PREFIX", "shiolplus")
    if "redis" in cache["BACKEND"]:
        parts = urlsplit(url)
        if not parts.hostname or not parts.path.strip("/").isdecimal():
            raise ValueError('"CACHE_URL": allowed is redis://[user:password@]host[:port]/number')
        cache["LOCATION"] = parts._replace(query="").geturl()  # the parser drops a user and breaks IPv6
        cache["OPTIONS"] = {"socket_connect_timeout": 1, "socket_timeout": 1}  # seconds
    if "locmem" in cache["BACKEND"]:
        # 300, the default, would evict the request counts of anonymous clients.
        cache["OPTIONS"] = {"MAX_ENTRIES": 100_000}
