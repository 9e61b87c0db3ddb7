"""Report of `status` on a read-only PostgreSQL."""

from typing import Any

import psycopg

from tests.commands import manage
from tests.postgres_server import postgres_server


def test_status_reports_read_only_postgresql_and_remedy() -> None:
    with postgres_server("fsync=off") as server:
        manage("migrate", "-v", "0", DATABASE_URL=server.url).check_returncode()
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute("ALTER DATABASE postgres SET default_transaction_read_only = on")
        found: Any = manage("status", DATABASE_URL=server.url)

    assert found.returncode == 1
    assert "Traceback" not in found.stdout + found.stderr
    assert "The database is read-only (transaction_read_only is on)" in found.stdout
    assert "default_transaction_read_only = off" in found.stdout
