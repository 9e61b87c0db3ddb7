"""Shared cache on a real Redis."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tests.commands import manage
from tests.factories import WEDNESDAY, some_tickets
from tests.processes import get, web_server
from tests.redis_server import RedisServer, redis_server
from tickets.store import insert_batch_tickets


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with redis_server(tmp_path) as server:
        yield server


def run_shell(code: str, url: str) -> str:
    """Run code in a process with this cache. Return its output, or the last line of its error."""
    done = manage("shell", "-v", "0", "-c", f"from django.core.cache import cache; {code}", CACHE_URL=url)
    return done.stdout.strip() or done.stderr.strip().splitlines()[-1]


def test_processes_share_values_under_the_key_prefix(server: RedisServer) -> None:
    assert run_shell("print(cache.set('stock', {'v1': 3}, 60))", server.url) == "None"

    assert run_shell("print(cache.get('stock'))", server.url) == "{'v1': 3}"
    assert server.client().keys() == ["shiolplus:1:stock"]
    assert 0 < server.client().ttl("shiolplus:1:stock") <= 60


def test_url_may_contain_user_password_and_options(server: RedisServer) -> None:
    server.client().acl_setuser(
        "tickets", enabled=True, passwords=["+s@lt"], keys=["*"], commands=["+@all"], reset=True
    )
    server.client().acl_setuser("default", enabled=False)
    url = f"redis://tickets:s%40lt@127.0.0.1:{server.port}/3?key_prefix=ours"

    assert run_shell("cache.set('a', 1); print(cache.get('a'), cache.make_key('a'))", url) == "1 ours:1:a"
    there = redis.Redis(port=server.port, db=3, username="tickets", password="s@lt", decode_responses=True)
    assert there.keys() == ["ours:1:a"]


@pytest.mark.parametrize(
    ("stop_signal", "error"), [(signal.SIGKILL, "ConnectionError"), (signal.SIGSTOP, "TimeoutError")]
)
def test_unavailable_redis_raises_within_seconds(
    stop_signal: signal.Signals, error: str, server: RedisServer
) -> None:
    os.kill(server.process.pid, stop_signal)
    code = f"""
import time, redis
start = time.monotonic()
try:
    cache.get('stock')
except redis.{error}:
    print(time.monotonic() - start)
"""
    assert float(run_shell(code, server.url)) < 5


@pytest.mark.django_db(transaction=True)
def test_api_serves_after_redis_has_stopped(server: RedisServer, tmp_path: Path) -> None:
    insert_batch_tickets(some_tickets(3), "v1", draw_date=WEDNESDAY)
    url = f"/api/v1/tickets/cached?mode=v1&draw_date={WEDNESDAY}"

    with web_server(tmp_path / "log", CACHE_URL=server.url) as (_, port):
        status, before = get(port, url)
        assert status == 200
        server.process.kill()
        server.process.wait()
        status, after = get(port, url)
        assert get(port, "/admin/login/")[0] == 200

    assert status == 200
    assert before.split(b'"response_time_ms"')[0] == after.split(b'"response_time_ms"')[0]
    assert b'"count":3' in after
