"""Reload of a real gunicorn by SIGHUP: workers are replaced and no request fails.

Clients are assumed to respect `Connection: close` and to reuse a connection within two seconds or not at all.
The server may close a connection that is idle for longer at any time; a client that sends at that moment must
retry (RFC 9112, section 9.5).
"""

import http.client
import os
import random
import re
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.db import transaction

from tests.processes import children_of, get, wait_until, web_server

pytestmark = pytest.mark.django_db(transaction=True)

CACHED = "/api/v1/tickets/cached"
WORKERS = 2
CLIENTS = 8
BOOT_SECONDS = 60  # on a busy machine


@dataclass
class Web:
    """A running gunicorn."""

    process: int
    port: int
    log: Path

    def workers(self) -> set[int]:
        return set(children_of(self.process))

    def count_booted(self) -> int:
        """Return the number of workers started so far."""
        return self.log.read_bytes().count(b"Booting worker")

    def reload(self, times: int) -> None:
        """Send SIGHUPs in a row, and wait until only the newest workers are left."""
        before, last = self.workers(), self.count_booted() + times * WORKERS
        for _ in range(times):
            os.kill(self.process, signal.SIGHUP)
            time.sleep(0.3)
        wait_until(lambda: self.count_booted() == last, BOOT_SECONDS, "the last reload")
        wait_until(lambda: len(self.workers()) == WORKERS, BOOT_SECONDS, "the end of the old workers")
        assert not before & self.workers()


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Web]:
    log = tmp_path / "log"
    with web_server(log, "--workers", str(WORKERS)) as (process, port):
        web = Web(process, port, log)
        wait_until(lambda: web.count_booted() == WORKERS, BOOT_SECONDS, "all workers")
        get(port, CACHED)
        yield web


@dataclass
class Load:
    """Clients with persistent connections, and the results of their requests."""

    port: int
    stop: threading.Event = field(default_factory=threading.Event)
    answered: int = 0
    kept: int = 0  # requests on a reused connection
    failures: list[str] = field(default_factory=list)

    def has_completed(self, enough: int) -> bool:
        return self.answered >= enough

    def client(self, number: int) -> None:
        """Send requests without pause (even numbers), or with pauses of up to a second (odd numbers)."""
        pause = random.Random(number)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        while not self.stop.is_set():
            self.kept += connection.sock is not None
            try:
                connection.request("GET", CACHED)
                response = connection.getresponse()
                response.read()
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(repr(error))
                connection.close()
                continue
            self.answered += 1
            if response.status != 200:
                self.failures.append(str(response.status))
            time.sleep(pause.uniform(0, 1) if number % 2 else 0.005)
        connection.close()


def test_reloads_under_load_fail_no_request(web: Web) -> None:
    load = Load(web.port)
    with ThreadPoolExecutor(CLIENTS) as clients:
        done = [clients.submit(load.client, number) for number in range(CLIENTS)]
        try:
            time.sleep(1)
            for times in (1, 2):  # then a second reload during the first
                enough = load.answered + 100
                web.reload(times)
                wait_until(partial(load.has_completed, enough), BOOT_SECONDS, "more requests")
        finally:
            load.stop.set()
    for one in done:
        one.result()

    assert load.failures == []
    assert load.kept > load.answered / 2  # the test needs reused connections


def test_old_workers_accept_connections_until_replacement_is_ready(tmp_path: Path) -> None:
    log, gate = tmp_path / "log", tmp_path / "gate"
    gate.touch()
    options = ("tests.slow_start", "--workers", str(WORKERS))
    with web_server(log, *options, SHIOL_TESTS_GATE=str(gate)) as (process, port):
        web = Web(process, port, log)
        wait_until(lambda: web.count_booted() == WORKERS, BOOT_SECONDS, "all workers")
        assert get(port, CACHED)[0] == 200
        before = web.workers()

        gate.unlink()
        os.kill(process, signal.SIGHUP)
        wait_until(lambda: web.count_booted() == 2 * WORKERS, BOOT_SECONDS, "new workers")
        for _ in range(3):
            time.sleep(1)
            assert get(port, CACHED)[0] == 200
        assert before < web.workers()

        gate.touch()
        wait_until(lambda: not before & web.workers(), BOOT_SECONDS, "the end of the old workers")
        assert get(port, CACHED)[0] == 200


def log_in(port: int, on_sent: Callable[[], None]) -> int:
    """Log in and return the status. Call `on_sent` once the request is sent."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", "/admin/login/")
    page = connection.getresponse()
    cookie = page.headers["Set-Cookie"].split(";")[0]
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.read().decode())
    assert token is not None
    body = f"csrfmiddlewaretoken={token[1]}&username=admin&password=secret"
    form = {"Content-Type": "application/x-www-form-urlencoded", "Cookie": cookie}
    connection.request("POST", "/admin/login/", body, form)
    on_sent()
    return connection.getresponse().status


def test_request_waiting_for_database_completes_during_reload(web: Web) -> None:
    user = User.objects.create_superuser("admin", password="secret")
    is_sent = threading.Event()
    with ThreadPoolExecutor(1) as clients:
        with transaction.atomic():
            User.objects.select_for_update().get(
                pk=user.pk
            )  # blocks all writers on SQLite, those of this row on PostgreSQL
            response = clients.submit(log_in, web.port, is_sent.set)
            assert is_sent.wait(30)
            time.sleep(0.5)
            before = web.workers()
            os.kill(web.process, signal.SIGHUP)
            wait_until(lambda: len(web.workers() - before) == WORKERS, BOOT_SECONDS, "new workers")
            wait_until(lambda: len(web.workers() & before) == 1, BOOT_SECONDS, "the end of the idle worker")
            assert not response.done()

        assert response.result() == 302
    wait_until(lambda: not web.workers() & before, BOOT_SECONDS, "the end of the last worker")


def test_half_sent_request_completes_during_reload(web: Web) -> None:
    with socket.create_connection(("127.0.0.1", web.port), timeout=60) as slow:
        slow.sendall(f"GET {CACHED} HTTP/1.1\r\nHost: localhost\r\nX-Half".encode())
        time.sleep(0.5)
        before = web.workers()
        os.kill(web.process, signal.SIGHUP)
        wait_until(lambda: len(web.workers() & before) == 1, BOOT_SECONDS, "the end of the idle worker")
        slow.sendall(b": sent\r\n\r\n")

        response = slow.recv(65_536)

    assert response.startswith(b"HTTP/1.1 200 OK")
    assert b"Connection: close" in response
