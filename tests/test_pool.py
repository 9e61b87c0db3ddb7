"""Connection pool of the web process, with a real PostgreSQL."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from tests.commands import manage
from tests.postgres_server import PostgresServer, postgres_server
from tests.processes import get, group_of, wait_until, web_server

CACHED = "/api/v1/tickets/cached"
POOL, THREADS = 2, 8
SECONDS = 15  # above the pool timeout of 5 on a busy machine, below psycopg_pool's default of 30


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """Yield a migrated server."""
    with postgres_server("fsync=off") as server:
        done = manage("migrate", "-v", "0", DATABASE_URL=server.url)
        assert done.returncode == 0, done.stderr
        yield server


@pytest.fixture
def web(server: PostgresServer, tmp_path: Path) -> Iterator[tuple[int, int]]:
    """Yield (process group, port) of a gunicorn with more threads than connections and no response cache."""
    environment = {"DATABASE_URL": server.url, "SHIOL_DB_POOL": str(POOL), "SHIOL_ANSWER_SECONDS": "0"}
    with web_server(tmp_path / "log", "--threads", str(THREADS), **environment) as running:
        yield running


def timed_get(port: int) -> tuple[int, bytes, float]:
    """Return status, body and seconds of a GET of cached tickets."""
    start = time.monotonic()
    status, body = get(port, CACHED)
    return status, body, time.monotonic() - start


def count_waiting(database: psycopg.Connection[tuple[int]]) -> int:
    """Return the number of connections that wait for a lock."""
    row = database.execute("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'").fetchone()
    assert row is not None
    return row[0]


@pytest.fixture
def blocked_requests(
    server: PostgresServer, web: tuple[int, int]
) -> Iterator[tuple[psycopg.Connection, list[Future]]]:
    """Send one request per thread while a table lock blocks every connection of the pool."""
    with (
        psycopg.connect(server.url) as database,
        psycopg.connect(server.url, autocommit=True) as watcher,
        ThreadPoolExecutor(THREADS) as requests,
    ):
        assert timed_get(web[1])[0] == 200  # the first request is slow
        database.execute("LOCK TABLE pre_generated_tickets IN ACCESS EXCLUSIVE MODE")
        responses = [requests.submit(timed_get, web[1]) for _ in range(THREADS)]
        wait_until(lambda: count_waiting(watcher) == POOL, 30, "the use of the whole pool")
        time.sleep(0.5)  # time for an excess request to get a connection
        assert count_waiting(watcher) == POOL
        yield database, responses
        database.rollback()


def test_requests_wait_for_a_pooled_connection(
    blocked_requests: tuple[psycopg.Connection, list[Future]],
) -> None:
    database, responses = blocked_requests

    database.rollback()

    assert [response.result()[0] for response in responses] == [200] * THREADS


def test_request_without_connection_fails_within_seconds(
    blocked_requests: tuple[psycopg.Connection, list[Future]],
) -> None:
    database, responses = blocked_requests

    wait_until(
        lambda: sum(response.done() for response in responses) == THREADS - POOL, SECONDS, "the refusals"
    )
    database.rollback()

    done = [response.result() for response in responses]
    assert sorted(status for status, _, _ in done) == [200] * POOL + [503] * (THREADS - POOL)
    for _, body, seconds in (one for one in done if one[0] == 503):
        assert json.loads(body)["title"] == "Service Unavailable"
        assert 4 < seconds < SECONDS


@pytest.mark.parametrize("way", ["fast", "immediate"])
def test_response_is_503_while_server_is_down_then_200(
    way: str, server: PostgresServer, web: tuple[int, int]
) -> None:
    group, port = web
    before = group_of(group)
    assert timed_get(port)[0] == 200

    server.stop(way)
    try:
        for _ in range(2):
            status, body, seconds = timed_get(port)
            assert (status, json.loads(body)["status"]) == (503, 503)
            assert seconds < SECONDS
    finally:
        server.start()

    wait_until(lambda: timed_get(port)[0] == 200, 2 * SECONDS, "an answer")
    assert group_of(group) == before


def test_server_restart_between_requests_causes_no_error(
    server: PostgresServer, web: tuple[int, int]
) -> None:
    assert timed_get(web[1])[0] == 200
    server.stop()
    server.start()
    assert timed_get(web[1])[0] == 200


def test_each_connection_times_out_if_host_vanishes(server: PostgresServer) -> None:
    show = """
import socket
from django.db import connection
connection.ensure_connection()
wire = socket.socket(fileno=connection.connection.fileno())
names = ("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT", "TCP_USER_TIMEOUT")
print(*(wire.getsockopt(socket.IPPROTO_TCP, getattr(socket, name)) for name in names))
wire.detach()
"""
    done = manage("shell", "-v", "0", "-c", show, DATABASE_URL=server.url)

    assert done.stdout == "10 5 3 20000\n", done.stderr


def test_commands_have_no_pool_as_threads_do_not_survive_fork() -> None:
    show = "from django.db import connection as c; print(c.settings_dict['CONN_MAX_AGE'], c.pool)"
    away = "postgres://shiol@127.0.0.1:9/none"

    done = manage("shell", "-v", "0", "-c", show, DATABASE_URL=away)

    assert done.stdout == "600 None\n"
