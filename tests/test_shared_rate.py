"""Rate limit across processes: shared by a Redis, or per process without one."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.callers import Answer, ask, at_once
from tests.processes import get, wait_until, web_server
from tests.redis_server import RedisServer, redis_server
from tickets.api.throttling import WINDOW

pytestmark = pytest.mark.django_db(transaction=True)

PATH = "/api/v1/tickets/batch-status"
LIMIT = 20
REQUESTS = 160
AWAY, BACK = b"Shared cache unavailable", b"Shared cache available again"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with redis_server(tmp_path) as server:
        yield server


def wait_for_early_in_minute() -> None:
    """Wait until enough of the minute is left, so that all requests count in one minute."""
    left = WINDOW - time.time() % WINDOW
    if left < 15:
        time.sleep(left)


def request_two_workers(log: Path, **environment: str) -> list[Answer]:
    """Return the responses of two workers to eight concurrent callers within one minute."""
    environment |= {"SHIOL_ANONYMOUS_RATE": str(LIMIT)}
    with web_server(log, "--workers", "2", **environment) as (_, port):
        wait_until(lambda: log.read_bytes().count(b"Booting worker") == 2, 30, "a second worker")
        at_once(8, lambda _: get(port, "/admin/login/"), range(32))  # not rate-limited
        wait_for_early_in_minute()
        responses = at_once(8, lambda _: ask(port, PATH), range(REQUESTS))
        # The kernel distributes connections, and may not have given any to one of the workers yet.
        until = time.monotonic() + (0 if "CACHE_URL" in environment else 10)
        while count_granted(responses) == LIMIT and time.monotonic() < until:
            responses += at_once(8, lambda _: ask(port, PATH), range(32))
        return responses


def count_granted(responses: list[Answer]) -> int:
    assert {one.status for one in responses} == {200, 429}
    return sum(one.status == 200 for one in responses)


def test_shared_cache_enforces_limit_across_processes(server: RedisServer, tmp_path: Path) -> None:
    responses = request_two_workers(tmp_path / "log", CACHE_URL=server.url)

    assert count_granted(responses) == LIMIT
    remaining = sorted(int(one.headers["RateLimit-Remaining"]) for one in responses if one.status == 200)
    assert remaining == list(range(LIMIT))  # each value once: no increment was lost
    (key,) = server.client().keys("*:rate:*")
    assert key.startswith("shiolplus:1:rate:address:127.0.0.1:")
    assert int(server.client().get(key) or 0) == REQUESTS
    assert 0 < server.client().ttl(key) <= 2 * WINDOW


def test_limit_is_per_process_without_shared_cache(tmp_path: Path) -> None:
    assert LIMIT < count_granted(request_two_workers(tmp_path / "log")) <= 2 * LIMIT


@pytest.mark.parametrize("stop_signal", [signal.SIGKILL, signal.SIGSTOP])
def test_redis_outage_falls_back_to_process_and_warns_once(
    stop_signal: signal.Signals, server: RedisServer, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    environment = {"CACHE_URL": server.url, "SHIOL_ANONYMOUS_RATE": str(LIMIT)}
    with web_server(log, "--threads", "8", **environment) as (_, port):
        wait_for_early_in_minute()
        before = [ask(port, PATH) for _ in range(5)]
        os.kill(server.process.pid, stop_signal)
        started = time.monotonic()
        after = at_once(8, lambda _: ask(port, PATH), range(100))
        noticed = time.monotonic()
        after += [ask(port, PATH) for _ in range(5)]
        ended = time.monotonic()

    assert [int(one.headers["RateLimit-Remaining"]) for one in before] == [19, 18, 17, 16, 15]
    assert count_granted(after) == LIMIT  # the process counts from zero
    assert log.read_bytes().count(AWAY) == 1
    assert noticed - started < 5  # a timeout of one second per request would add up to 12
    assert ended - noticed < 3.5  # and to 5 without concurrency


def test_counting_in_redis_resumes_after_outage(server: RedisServer, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with web_server(log, CACHE_URL=server.url) as (_, port):
        ask(port, PATH)
        os.kill(server.process.pid, signal.SIGSTOP)
        ask(port, PATH)
        ask(port, PATH)
        os.kill(server.process.pid, signal.SIGCONT)
        wait_for_early_in_minute()
        wait_until(lambda: ask(port, PATH).status == 200 and BACK in log.read_bytes(), 10, "its use")
        keys = server.client().keys("*:rate:*")
        before = sum(int(server.client().get(key) or 0) for key in keys)
        ask(port, PATH)
        after = sum(int(server.client().get(key) or 0) for key in keys)

    assert after == before + 1
    assert log.read_bytes().count(AWAY) == 1
