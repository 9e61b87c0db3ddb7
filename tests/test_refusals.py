"""Invalid requests to a real server: 4xx responses without a traceback.

gunicorn rejects malformed requests with its own pages. Django rejects the others (problem+json under /api/).
"""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.processes import web_server

CACHED = "/api/v1/tickets/cached"
GUNICORN, PAGE, PROBLEM = "text/html", "text/html; charset=utf-8", "application/problem+json"


@pytest.fixture(scope="module")
def web(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path]]:
    """Yield (port, log) of a gunicorn; no build_request reaches the database."""
    log = tmp_path_factory.mktemp("web") / "log"
    with web_server(log) as (_, port):
        yield port, log


def send_bytes(port: int, request: bytes) -> tuple[int, str, bytes]:
    """Send bytes. Return status, content type and body of the response."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(request)
        response = b""
        while part := connection.recv(65_536):
            response += part
    head, _, body = response.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines[1:])
    return int(lines[0].split()[1]), headers["content-type"], body


def build_request(path: str = CACHED, *headers: str, host: str = "localhost", method: str = "GET") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", "Connection: close", *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1")


@pytest.mark.parametrize(
    ("data", "status", "content_type"),
    [
        # rejected by gunicorn
        (build_request(CACHED + "?x=" + "a" * 5000), 414, GUNICORN),
        (build_request(CACHED, *(f"X-{number}: x" for number in range(100))), 431, GUNICORN),
        (build_request(CACHED, "X-Long: " + "a" * 9000), 431, GUNICORN),
        (b"nonsense\r\n\r\n", 400, GUNICORN),
        (b"GET /\r\n\r\n", 400, GUNICORN),
        (b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n", 400, GUNICORN),
        (
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
            400,
            GUNICORN,
        ),  # TLS on a plain HTTP port
        (build_request(CACHED, "No colon"), 400, GUNICORN),
        (build_request(CACHED, "Bad name: x"), 400, GUNICORN),
        (build_request(CACHED, "X-Nul: a\x00b"), 400, GUNICORN),
        (build_request(CACHED, "Content-Length: -1"), 400, GUNICORN),
        (build_request(CACHED, "Content-Length: 1", "Transfer-Encoding: chunked"), 400, GUNICORN),
        (build_request(CACHED, "Host: other.example"), 400, GUNICORN),  # duplicate
        # rejected by Django
        (build_request(host="evil.example"), 400, PROBLEM),
        (build_request(host="bad_host!"), 400, PROBLEM),
        (build_request(host=""), 400, PROBLEM),
        (build_request("/admin/login/", host="evil.example"), 400, PAGE),
        (build_request("/api/%00"), 404, PROBLEM),
        (build_request("/api/%ff%fe"), 404, PROBLEM),
        (build_request("/%2e%2e/%2e%2e/etc/passwd"), 404, PAGE),
        (build_request("/static/../manage.py"), 404, PAGE),
        (build_request("/admin/login/", method="BREW"), 403, PAGE),
    ],
)
def test_invalid_request_returns_4xx(
    data: bytes, status: int, content_type: str, web: tuple[int, Path]
) -> None:
    port, log = web

    response, kind, body = send_bytes(port, data)

    assert (response, kind) == (status, content_type)
    assert b"Traceback" not in body
    assert b"Traceback" not in log.read_bytes()


def test_head_response_has_no_body_and_logs_no_warning(web: tuple[int, Path]) -> None:
    port, log = web

    status, _, body = send_bytes(port, build_request("/favicon.ico", method="HEAD"))

    assert (status, body) == (200, b"")
    assert b"no-body" not in log.read_bytes()


def test_silent_clients_occupy_no_thread(web: tuple[int, Path]) -> None:
    """Open more idle connections than threads, as browsers do ahead of time."""
    port, _ = web
    with ExitStack() as silent:
        for _ in range(6):
            silent.enter_context(socket.create_connection(("127.0.0.1", port)))
        time.sleep(0.5)  # until the server has accepted them
        started = time.monotonic()

        assert send_bytes(port, build_request("/favicon.ico"))[0] == 200

        assert time.monotonic() - started < 3  # an idle connection would occupy a thread for 5 seconds
