"""The web server's pool of connections to a real PostgreSQL: its threads share it, and it mends itself."""

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
SECONDS = 15  # a bound for 5 of waiting and a busy machine; the pool's own default would be 30


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """A server with our tables."""
    with postgres_server("fsync=off") as server:
        done = manage("migrate", "-v", "0", DATABASE_URL=server.url)
        assert done.returncode == 0, done.stderr
        yield server


@pytest.fixture
def web(server: PostgresServer, tmp_path: Path) -> Iterator[tuple[int, int]]:
    """(process group, port) of a gunicorn with more threads than connections, which asks them each time."""
    environment = {"DATABASE_URL": server.url, "SHIOL_DB_POOL": str(POOL), "SHIOL_ANSWER_SECONDS": "0"}
    with web_server(tmp_path / "log", "--threads", str(THREADS), **environment) as running:
        yield running


def timed_get(port: int) -> tuple[int, bytes, float]:
    """Status, body and seconds of a read from the stock."""
    start = time.monotonic()
    status, body = get(port, CACHED)
    return status, body, time.monotonic() - start


def waiting(database: psycopg.Connection[tuple[int]]) -> int:
    """How many connections wait for a lock."""
    row = database.execute("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'").fetchone()
    assert row is not None
    return row[0]


@pytest.fixture
def stuck(server: PostgresServer, web: tuple[int, int]) -> Iterator[tuple[psycopg.Connection, list[Future]]]:
    """As many requests as there are threads, all connections of the pool kept waiting by our lock."""
    with (
        psycopg.connect(server.url) as database,
        psycopg.connect(server.url, autocommit=True) as watcher,
        ThreadPoolExecutor(THREADS) as requests,
    ):
        assert timed_get(web[1])[0] == 200  # a first request loads much, and takes its time
        database.execute("LOCK TABLE pre_generated_tickets IN ACCESS EXCLUSIVE MODE")
        answers = [requests.submit(timed_get, web[1]) for _ in range(THREADS)]
        wait_until(lambda: waiting(watcher) == POOL, 30, "the use of the whole pool")
        time.sleep(0.5)  # for a request too many that would get a connection
        assert waiting(watcher) == POOL
        yield database, answers
        database.rollback()


def test_requests_wait_for_a_pooled_connection(
    stuck: tuple[psycopg.Connection, list[Future]],
) -> None:
    database, answers = stuck

    database.rollback()

    assert [answer.result()[0] for answer in answers] == [200] * THREADS


def test_request_without_connection_fails_within_seconds(
    stuck: tuple[psycopg.Connection, list[Future]],
) -> None:
    database, answers = stuck

    wait_until(lambda: sum(answer.done() for answer in answers) == THREADS - POOL, SECONDS, "the refusals")
    database.rollback()

    done = [answer.result() for answer in answers]
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
