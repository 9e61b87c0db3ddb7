"""The rate over several processes: shared by a Redis, each process's own without it, and when it is gone."""

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

ADDRESS = "/api/v1/tickets/batch-status"
LIMIT = 20
REQUESTS = 160
AWAY, BACK = b"Shared cache unavailable", b"Shared cache available again"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with redis_server(tmp_path) as server:
        yield server


def early_in_a_minute() -> None:
    """Wait for a minute of which enough is left: a count over two of them would be no test."""
    left = WINDOW - time.time() % WINDOW
    if left < 15:
        time.sleep(left)


def asked_of_two_workers(log: Path, **environment: str) -> list[Answer]:
    """The answers of two workers, once both serve, to eight callers at once within one minute."""
    environment |= {"SHIOL_ANONYMOUS_RATE": str(LIMIT)}
    with web_server(log, "--workers", "2", **environment) as (_, port):
        wait_until(lambda: log.read_bytes().count(b"Booting worker") == 2, 30, "a second worker")
        at_once(8, lambda _: get(port, "/admin/login/"), range(32))  # pages are not counted
        early_in_a_minute()
        answers = at_once(8, lambda _: ask(port, ADDRESS), range(REQUESTS))
        # How the system divides connections among the workers is its own: one may have got none yet.
        until = time.monotonic() + (0 if "CACHE_URL" in environment else 10)
        while granted(answers) == LIMIT and time.monotonic() < until:
            answers += at_once(8, lambda _: ask(port, ADDRESS), range(32))
        return answers


def granted(answers: list[Answer]) -> int:
    assert {one.status for one in answers} == {200, 429}
    return sum(one.status == 200 for one in answers)


def test_shared_cache_enforces_limit_across_processes(server: RedisServer, tmp_path: Path) -> None:
    answers = asked_of_two_workers(tmp_path / "log", CACHE_URL=server.url)

    assert granted(answers) == LIMIT
    remaining = sorted(int(one.headers["RateLimit-Remaining"]) for one in answers if one.status == 200)
    assert remaining == list(range(LIMIT))  # each number once: no two were counted as one
    (key,) = server.client().keys("*:rate:*")
    assert key.startswith("shiolplus:1:rate:address:127.0.0.1:")
    assert int(server.client().get(key) or 0) == REQUESTS
    assert 0 < server.client().ttl(key) <= 2 * WINDOW


def test_limit_is_per_process_without_shared_cache(tmp_path: Path) -> None:
    assert LIMIT < granted(asked_of_two_workers(tmp_path / "log")) <= 2 * LIMIT


@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGSTOP])
def test_redis_outage_falls_back_to_process_and_warns_once(
    blow: signal.Signals, server: RedisServer, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    environment = {"CACHE_URL": server.url, "SHIOL_ANONYMOUS_RATE": str(LIMIT)}
    with web_server(log, "--threads", "8", **environment) as (_, port):
        early_in_a_minute()
        before = [ask(port, ADDRESS) for _ in range(5)]
        os.kill(server.process.pid, blow)
        started = time.monotonic()
        after = at_once(8, lambda _: ask(port, ADDRESS), range(100))
        noticed = time.monotonic()
        after += [ask(port, ADDRESS) for _ in range(5)]
        ended = time.monotonic()

    assert [int(one.headers["RateLimit-Remaining"]) for one in before] == [19, 18, 17, 16, 15]
    assert granted(after) == LIMIT  # its own count begins anew
    assert log.read_bytes().count(AWAY) == 1
    assert noticed - started < 5  # a second for each would come to 12 with eight threads
    assert ended - noticed < 3.5  # and to 5 with one


def test_counting_in_redis_resumes_after_outage(server: RedisServer, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with web_server(log, CACHE_URL=server.url) as (_, port):
        ask(port, ADDRESS)
        os.kill(server.process.pid, signal.SIGSTOP)
        ask(port, ADDRESS)
        ask(port, ADDRESS)
        os.kill(server.process.pid, signal.SIGCONT)
        early_in_a_minute()
        wait_until(lambda: ask(port, ADDRESS).status == 200 and BACK in log.read_bytes(), 10, "its use")
        keys = server.client().keys("*:rate:*")
        before = sum(int(server.client().get(key) or 0) for key in keys)
        ask(port, ADDRESS)
        after = sum(int(server.client().get(key) or 0) for key in keys)

    assert after == before + 1
    assert log.read_bytes().count(AWAY) == 1
