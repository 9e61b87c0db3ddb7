"""Forwarding headers with a real gunicorn: trusted only from peers in SHIOL_TRUSTED_PROXIES."""

import http.client
import socket
import time
from pathlib import Path

import pytest

from tests.factories import some_tickets
from tests.processes import wait_until, web_server
from tickets.store import insert_batch_tickets

pytestmark = pytest.mark.django_db(transaction=True)

STATUS, CACHED = "/api/v1/tickets/batch-status", "/api/v1/tickets/cached"
CLIENT = "203.0.113.7"
BY_TLS = {"X-Forwarded-For": CLIENT, "X-Forwarded-Proto": "https"}


def get(peer: int | Path, headers: dict[str, str], path: str = STATUS) -> http.client.HTTPResponse:
    """Return the response to a GET over a loopback port or a Unix socket."""
    connection = http.client.HTTPConnection("127.0.0.1", peer if isinstance(peer, int) else 80, timeout=60)
    if isinstance(peer, Path):
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(str(peer))
    connection.request("GET", path, headers={"Host": "localhost"} | headers)
    response = connection.getresponse()
    response.read()
    return response


def test_local_client_cannot_set_scheme_or_path(tmp_path: Path) -> None:
    with web_server(tmp_path / "log", SHIOL_HTTPS="on") as (_, port):
        assert get(port, {}).status == 301
        assert get(port, BY_TLS).status == 400
        assert get(port, {"X-Forwarded-SSL": "on"}).status == 301
        assert get(port, {"SCRIPT_NAME": "/api"}).headers["Location"] == f"https://localhost{STATUS}"


def test_client_on_unix_socket_cannot_set_scheme_or_path(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with web_server(tmp_path / "log", unix=path, SHIOL_HTTPS="on"):
        assert get(path, BY_TLS).status == 400


@pytest.mark.parametrize("word", ["127.0.0.1", "unix"])
def test_client_ip_from_trusted_proxy_is_logged(word: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    unix = tmp_path / "socket" if word == "unix" else None
    environment = {"SHIOL_HTTPS": "on", "SHIOL_TRUSTED_PROXIES": word}
    with web_server(log, "--access-logfile", "-", unix=unix, **environment) as (_, port):
        response = get(unix or port, BY_TLS)

        assert response.status == 200
        assert response.headers["Strict-Transport-Security"] == "max-age=31536000"
        wait_until(lambda: CLIENT in log.read_text(), 10, "the line of the log")
    (line,) = (line for line in log.read_text().splitlines() if line.startswith(CLIENT))
    assert f'"GET {STATUS} HTTP/1.1" 200' in line
    assert f"request={response.headers['X-Request-ID']}" in line


def count_used_requests(port: int, path: str, header: str, value: str) -> int:
    """Return the number of this client's requests in the current minute, including this one."""
    response = get(port, {header: value}, path)
    assert response.status == 200
    return int(response.headers["RateLimit-Limit"]) - int(response.headers["RateLimit-Remaining"])


def test_fast_path_and_django_identify_the_same_client(tmp_path: Path) -> None:
    """The port of a client is ignored, and all unknown clients share one count."""
    insert_batch_tickets(some_tickets(5), "random_forest")
    log = tmp_path / "log"
    unknown = [("X-Forwarded-For", "unknown"), ("X-Forwarded-For", "_hidden"), ("Forwarded", "for=unknown")]
    known = [
        *(("X-Forwarded-For", f"{CLIENT}:51234"), ("X-Forwarded-For", f"::ffff:{CLIENT}")),
        *(("X-Forwarded-For", f"[::ffff:{CLIENT}]:443"), ("Forwarded", f'for="{CLIENT}:51234"')),
    ]
    with web_server(log, "--access-logfile", "-", SHIOL_TRUSTED_PROXIES="127.0.0.1") as (_, port):
        _wait_for_next_minute_if_close()
        for headers in (known, unknown):
            counts = [
                count_used_requests(port, path, *one) for path in (STATUS, CACHED, CACHED) for one in headers
            ]
            assert counts == list(range(1, 3 * len(headers) + 1))
            assert {get(port, dict([one]), "/metrics").status for one in headers} == {403}
        assert get(port, {}, "/metrics").status == 200  # a request of the proxy itself
        wait_until(lambda: '/metrics HTTP/1.1" 200' in log.read_text(), 10, "the line of the log")
    clients = [line.partition(" ")[0] for line in log.read_text().splitlines() if f"GET {CACHED}" in line]
    assert clients == [CLIENT] * 8 + [""] * 6


def _wait_for_next_minute_if_close() -> None:
    """Rate limits count per calendar minute, and the requests take a few seconds."""
    if (left := 60 - time.time() % 60) < 15:
        time.sleep(left)
