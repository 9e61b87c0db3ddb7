"""What gunicorn, or Django before any view, refuses: always a 4xx, and never a traceback.

gunicorn's own pages are for what is not a request that Django could read; the rest is Django's, as
problem+json under /api/.
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
    """(port, log) of a gunicorn; nothing here comes as far as the database."""
    log = tmp_path_factory.mktemp("web") / "log"
    with web_server(log) as (_, port):
        yield port, log


def raw(port: int, request: bytes) -> tuple[int, str, bytes]:
    """Status, content type and body of the answer to these bytes."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(request)
        answer = b""
        while part := connection.recv(65_536):
            answer += part
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines[1:])
    return int(lines[0].split()[1]), headers["content-type"], body


def request(path: str = CACHED, *headers: str, host: str = "localhost", method: str = "GET") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", "Connection: close", *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1")


@pytest.mark.parametrize(
    ("what", "status", "content_type"),
    [
        # never reaches Django
        (request(CACHED + "?x=" + "a" * 5000), 414, GUNICORN),
        (request(CACHED, *(f"X-{number}: x" for number in range(100))), 431, GUNICORN),
        (request(CACHED, "X-Long: " + "a" * 9000), 431, GUNICORN),
        (b"nonsense\r\n\r\n", 400, GUNICORN),
        (b"GET /\r\n\r\n", 400, GUNICORN),
        (b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n", 400, GUNICORN),
        (
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
            400,
            GUNICORN,
        ),  # TLS, spoken to a plain port
        (request(CACHED, "No colon"), 400, GUNICORN),
        (request(CACHED, "Bad name: x"), 400, GUNICORN),
        (request(CACHED, "X-Nul: a\x00b"), 400, GUNICORN),
        (request(CACHED, "Content-Length: -1"), 400, GUNICORN),
        (request(CACHED, "Content-Length: 1", "Transfer-Encoding: chunked"), 400, GUNICORN),
        (request(CACHED, "Host: other.example"), 400, GUNICORN),  # a second one
        # Django's own refusals
        (request(host="evil.example"), 400, PROBLEM),
        (request(host="bad_host!"), 400, PROBLEM),
        (request(host=""), 400, PROBLEM),
        (request("/admin/login/", host="evil.example"), 400, PAGE),
        (request("/api/%00"), 404, PROBLEM),
        (request("/api/%ff%fe"), 404, PROBLEM),
        (request("/%2e%2e/%2e%2e/etc/passwd"), 404, PAGE),
        (request("/static/../manage.py"), 404, PAGE),
        (request("/admin/login/", method="BREW"), 403, PAGE),
    ],
)
def test_invalid_request_returns_4xx(
    what: bytes, status: int, content_type: str, web: tuple[int, Path]
) -> None:
    port, log = web

    answer, kind, body = raw(port, what)

    assert (answer, kind) == (status, content_type)
    assert b"Traceback" not in body
    assert b"Traceback" not in log.read_bytes()


def test_head_response_has_no_body_and_logs_no_warning(web: tuple[int, Path]) -> None:
    port, log = web

    status, _, body = raw(port, request("/favicon.ico", method="HEAD"))

    assert (status, body) == (200, b"")
    assert b"no-body" not in log.read_bytes()


def test_silent_clients_occupy_no_thread(web: tuple[int, Path]) -> None:
    """As browsers open connections ahead of time: more of them than there are threads."""
    port, _ = web
    with ExitStack() as silent:
        for _ in range(6):
            silent.enter_context(socket.create_connection(("127.0.0.1", port)))
        time.sleep(0.5)  # the server has taken them
        begun = time.monotonic()

        assert raw(port, request("/favicon.ico"))[0] == 200

        assert time.monotonic() - begun < 3  # one that holds a thread does so for five seconds
