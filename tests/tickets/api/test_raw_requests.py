"""Malformed requests sent as raw bytes to a real server get a 4xx problem."""

import gzip
import http.client
import json
import socket
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.factories import draw_on_sale, make_client, make_key, some_tickets
from tests.processes import web_server
from tickets.models import Claim
from tickets.store import insert_batch_tickets

pytestmark = pytest.mark.django_db(transaction=True)

CACHED, CLAIMS = b"/api/v1/tickets/cached", b"/api/v1/tickets/claims"
JSON = b"Content-Type: application/json"
MEGABYTE = 1_000_000


def get(target: bytes, *headers: bytes, method: bytes = b"GET") -> bytes:
    """Build a request without a body."""
    return b"\r\n".join([method + b" " + target + b" HTTP/1.1", b"Host: localhost", *headers, b"", b""])


def post(body: bytes, *headers: bytes, key: bytes = b"Idempotency-Key: one") -> bytes:
    """Build a claim with a valid key and this body."""
    length = b"Content-Length: %d" % len(body)
    return get(CLAIMS, b"Authorization: Api-Key @", key, length, *(headers or [JSON]), method=b"POST") + body


def chunked(body: bytes, size: int = 10_000) -> bytes:
    """Build the same request with a chunked body, without Content-Length."""
    chunks = [body[start : start + size] for start in range(0, len(body), size)]
    text = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
    head = get(
        CLAIMS,
        *(b"Authorization: Api-Key @", b"Idempotency-Key: one", b"Transfer-Encoding: chunked", JSON),
        method=b"POST",
    )
    return head + text


DRAW_DATE = draw_on_sale()
GOOD = b'{"mode": "v1", "count": 1, "draw_date": "%b"}' % str(DRAW_DATE).encode()


FIRST_LINE = b"%x\r\n" % len(GOOD)  # of the body in one chunk


def with_mode(text: bytes) -> bytes:
    return b'{"mode": %b, "count": 1}' % text


# What it is, the request, the status, and what the problem's first error names.
BODIES: list[tuple[str, bytes, int, str | None]] = [
    ("nothing", post(b""), 400, "body"),
    ("no JSON", post(b"mode=v1"), 400, "body"),
    ("two values", post(GOOD + GOOD), 400, "body"),
    ("a comma too many", post(b'{"mode": "v1", "count": 1,}'), 400, "body"),
    ("a list", post(b"[" + GOOD + b"]"), 400, "body"),
    ("null", post(b"null"), 400, "body"),
    ("invalid UTF-8", post(b'{"mode": "\xff", "count": 1}'), 400, "body"),
    ("UTF-16", post(GOOD.decode().encode("utf-16")), 400, "body"),
    ("a byte order mark", post(b"\xef\xbb\xbf" + GOOD), 400, "body"),
    ("NaN", post(with_mode(b"NaN")), 400, "body"),
    ("Infinity", post(with_mode(b"-Infinity")), 400, "body"),
    ("1e999", post(with_mode(b"1e999")), 400, "body"),
    ("a doubled field", post(b'{"mode": "v1", "count": 1, "count": 2}'), 400, "body"),
    ("a doubled field inside", post(with_mode(b'{"a": 1, "a": 2}')), 400, "body"),
    ("an integer of 5000 digits", post(with_mode(b"9" * 5000)), 400, "body"),
    ("an integer of 60000 digits", post(with_mode(b"-" + b"9" * 60_000)), 400, "body"),
    ("a lone surrogate", post(with_mode(b'"\\ud800"')), 400, "body"),
    ("a name with a lone surrogate", post(b'{"\\udfff": 1}'), 400, "body"),
    ("NUL", post(with_mode(b'"v1\\u0000"')), 400, "body"),
    ("a NUL byte", post(with_mode(b'"v1\0"')), 400, "body"),
    ("30000 lists in each other", post(b"[" * 30_000 + b"]" * 30_000), 400, "body"),
    ("30000 lists never closed", post(b"[" * 30_000), 400, "body"),
    ("10000 objects in each other", post(b'{"a":' * 10_000 + b"1" + b"}" * 10_000), 400, "body"),
    ("500 lists in a field", post(with_mode(b"[" * 500 + b"]" * 500)), 400, "body"),
    ("10000 unknown fields", post(b"{" + b",".join(b'"%d":1' % n for n in range(6000)) + b"}"), 400, "0"),
    ("a name of 60000 characters", post(b'{"%b": 1}' % (b"x" * 60_000)), 400, "x" * 200),
    ("a count of 19 digits", post(b'{"mode": "v1", "count": %d}' % 10**18), 400, "body"),
    ("a count of 18 digits", post(b'{"mode": "v1", "count": %d}' % 10**17), 400, "count"),
    ("a count of 1e2", post(b'{"mode": "v1", "count": 1e2}'), 400, "count"),
    (
        "a date in other digits",
        post(b'{"mode": "v1", "count": 1, "draw_date": "2026-12-\\uff10\\uff12"}'),
        400,
        "draw_date",
    ),
    ("a short date", post(b'{"mode": "v1", "count": 1, "draw_date": "2026-12-2"}'), 400, "draw_date"),
    ("a megabyte", post(b'{"mode": "' + b"x" * MEGABYTE + b'"}'), 413, None),
    ("64 KiB and a byte", post(GOOD + b" " * (65_537 - len(GOOD))), 413, None),
    ("a megabyte in chunks", chunked(b'{"mode": "' + b"x" * MEGABYTE + b'"}'), 413, None),
    ("64 KiB and a byte in chunks", chunked(GOOD + b" " * (65_537 - len(GOOD))), 413, None),
    ("nonsense in chunks", chunked(b"mode=v1"), 400, "body"),
    ("a chunk of no size", chunked(GOOD).replace(FIRST_LINE, b"zz\r\n"), 400, "body"),
    ("a chunk longer than it says", chunked(GOOD).replace(FIRST_LINE, b"2\r\n"), 400, "body"),
    ("a chunk of a negative size", chunked(GOOD).replace(FIRST_LINE, b"-1\r\n"), 400, "body"),
    ("a form", post(b"mode=v1", b"Content-Type: application/x-www-form-urlencoded"), 415, "Content-Type"),
    (
        "a form of parts",
        post(b"--x--", b"Content-Type: multipart/form-data; boundary=x"),
        415,
        "Content-Type",
    ),
    ("no type", post(GOOD, b"X-None: 1"), 415, "Content-Type"),
    ("an empty type", post(GOOD, b"Content-Type:"), 415, "Content-Type"),
    ("another JSON", post(GOOD, b"Content-Type: application/merge-patch+json"), 415, "Content-Type"),
    ("latin-1", post(GOOD, JSON + b"; charset=latin-1"), 415, "Content-Type"),
    ("no charset at all", post(GOOD, JSON + b"; charset=none-such"), 415, "Content-Type"),
    ("a charset that is none for text", post(GOOD, JSON + b"; charset=base64"), 415, "Content-Type"),
    ("an encoded charset", post(GOOD, JSON + b"; charset*=none'en'utf-8"), 415, "Content-Type"),
    ("two charsets", post(GOOD, JSON + b"; charset=utf-8; charset=utf-16"), 415, "Content-Type"),
    ("another parameter", post(GOOD, JSON + b"; version=1"), 415, "Content-Type"),
    ("compressed", post(gzip.compress(GOOD), JSON, b"Content-Encoding: gzip"), 415, "Content-Encoding"),
]
HEADERS: list[tuple[str, bytes, int, str | None]] = [
    ("no idempotency key", post(GOOD, key=b"X-None: 1"), 400, "Idempotency-Key"),
    ("two idempotency keys", post(GOOD, JSON, b"Idempotency-Key: two"), 400, "Idempotency-Key"),
    ("a long idempotency key", post(GOOD, key=b"Idempotency-Key: " + b"x" * 300), 400, "Idempotency-Key"),
    ("an idempotency key of bytes", post(GOOD, key=b"Idempotency-Key: \xff\xfe"), 400, "Idempotency-Key"),
    ("two keys", get(CACHED, b"Authorization: Api-Key @", b"Authorization: Api-Key @"), 401, None),
    ("a key of bytes", get(CACHED, b"Authorization: \xff"), 401, None),
    ("a long key", get(CACHED, b"Authorization: Api-Key " + b"x" * 5000), 401, None),
    ("another host", get(CACHED).replace(b"localhost", b"evil.example"), 400, None),
    ("a host of bytes", get(CACHED).replace(b"localhost", b"\xff"), 400, None),
]
ADDRESSES: list[tuple[str, bytes, int, str | None]] = [
    ("NUL in the path", get(b"/api/v1/draws/%00"), 404, None),
    ("a byte that is no UTF-8 in the path", get(b"/api/v1/draws/%ff"), 404, None),
    ("broken percent-encoding in the path", get(b"/api/v1/draws/%zz%"), 404, None),
    ("a surrogate in the path", get(b"/api/v1/draws/%ed%a0%80"), 404, None),
    ("digits of another script", get(b"/api/v1/draws/" + b"%D9%A2" * 8), 404, None),
    ("a date of another form", get(b"/api/v1/draws/20251222"), 404, None),
    ("a day of a 13th month", get(b"/api/v1/draws/2025-13-01"), 404, None),
    ("a huge number", get(b"/api/v1/generation-runs/" + b"9" * 3000), 404, None),
    ("the largest number", get(b"/api/v1/generation-runs/" + b"9" * 18), 404, None),
    ("a negative number", get(b"/api/v1/generation-runs/-1"), 404, None),
    ("dots", get(b"/api/v1/../../etc/passwd"), 404, None),
    ("a slash at the end", get(CACHED + b"/"), 404, None),
    ("nothing there", get(b"/api"), 404, None),
    ("NUL in a value", get(CACHED + b"?mode=%00"), 400, "mode"),
    ("no UTF-8 in a value", get(CACHED + b"?mode=%ff"), 400, "mode"),
    ("broken percent-encoding", get(CACHED + b"?mode=%zz"), 400, "mode"),
    ("a surrogate in a value", get(CACHED + b"?mode=%ed%a0%80"), 400, "mode"),
    ("a huge limit", get(CACHED + b"?limit=" + b"9" * 3000), 400, "limit"),
    ("a doubled parameter", get(CACHED + b"?limit=1&limit=1"), 400, "limit"),
    ("a long value", get(CACHED + b"?mode=" + b"x" * 3900), 400, "mode"),
    ("a long name", get(CACHED + b"?" + b"x" * 3900 + b"=1"), 400, "x" * 200),
    ("1200 parameters", get(CACHED + b"?" + b"a=&" * 1200), 400, None),
    ("a date without zeros", get(CACHED + b"?draw_date=2026-12-2"), 400, "draw_date"),
    ("a cursor of nothing", get(b"/api/v1/draws?cursor=x"), 400, "cursor"),
    ("a cursor of no date", get(b"/api/v1/draws?cursor=cD1ub25zZW5zZQ=="), 400, "cursor"),  # p=nonsense
    ("a cursor of no number", get(b"/api/v1/generation-runs?cursor=cD1ub25zZW5zZQ=="), 400, "cursor"),
    ("a cursor of NUL", get(b"/api/v1/draws?cursor=cD0lMDA="), 400, "cursor"),  # p=%00
    ("a long cursor", get(b"/api/v1/draws?cursor=" + b"x" * 3900), 400, "cursor"),
    ("an unknown method", get(CACHED, method=b"BREW"), 405, None),
    ("a method of the wrong address", get(CLAIMS, b"Authorization: Api-Key @", method=b"DELETE"), 405, None),
    ("TRACE", get(CACHED, method=b"TRACE"), 405, None),
    ("POST to the schema", get(b"/api/schema", b"Content-Length: 0", method=b"POST"), 405, None),
    ("POST to the docs", get(b"/api/docs", b"Content-Length: 0", method=b"POST"), 405, None),
    ("DELETE of the favicon", get(b"/favicon.ico", method=b"DELETE"), 405, None),
]
# Not valid HTTP: the web server itself responds, with HTML.
NO_HTTP = [
    ("a line of 10000 characters", get(CACHED + b"?mode=" + b"x" * 10_000), 414),
    ("a header of 20000 characters", get(CACHED, b"X-Long: " + b"x" * 20_000), 431),
    ("200 headers", get(CACHED, *(b"X-%d: 1" % number for number in range(200))), 431),
    ("a NUL byte in a header", get(CACHED, b"X-NUL: \0"), 400),
    ("a byte in the query", get(CACHED + b"?mode=\xff"), 400),
    ("two hosts", get(CACHED, b"Host: localhost"), 400),
    ("two types", post(GOOD, JSON, JSON), 400),
    ("two lengths", post(GOOD, JSON, b"Content-Length: 5"), 400),
    ("a length and chunks", post(GOOD, JSON, b"Transfer-Encoding: chunked"), 400),
    ("a length of 5000 digits", get(CLAIMS, b"Content-Length: " + b"9" * 5000, method=b"POST"), 400),
    ("a length that is none", get(CLAIMS, b"Content-Length: -1", method=b"POST"), 400),
]


@pytest.fixture(scope="module")
def port(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Run a server on the test database, which is emptied after each test."""
    with web_server(tmp_path_factory.mktemp("raw") / "log") as (_, port):
        yield port


@pytest.fixture
def key() -> bytes:
    """Create a client's key and tickets that it may claim."""
    insert_batch_tickets(some_tickets(5), "v1", draw_date=DRAW_DATE)
    return make_key(make_client()).encode()


def send(port: int, request: bytes, ends: bool = False) -> tuple[int, http.client.HTTPMessage, bytes]:
    """Send the bytes and return status, headers and body; nothing may follow them."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        with suppress(OSError):  # it has answered, and reads no further
            connection.sendall(request)
        if ends:
            connection.shutdown(socket.SHUT_WR)
        response = http.client.HTTPResponse(connection, method=request.partition(b" ")[0].decode())
        response.begin()
        return response.status, response.headers, response.read()


def refusal(port: int, request: bytes) -> tuple[int, str | None]:
    """Return the status and the first name in `errors`, or a description of a malformed problem."""
    status, headers, body = send(port, request)
    if headers["Content-Type"] != "application/problem+json":
        return status, f"{headers['Content-Type']}: {body[:200]!r}"
    problem = json.loads(body)
    if (problem["status"], problem["request_id"]) != (status, headers["X-Request-ID"]) or len(body) > 25_000:
        return status, f"not sound: {body[:200]!r}"
    if status == 405 and "GET" not in headers["Allow"]:
        return status, "without Allow"
    return status, problem["errors"][0]["name"] if problem["errors"] else None


@pytest.mark.parametrize("table", [BODIES, HEADERS, ADDRESSES], ids=["bodies", "headers", "addresses"])
def test_each_malformed_request_is_a_problem_that_names_the_cause(
    table: list[tuple[str, bytes, int, str | None]], port: int, key: bytes
) -> None:
    found = {what: refusal(port, raw.replace(b"@", key)) for what, raw, _, _ in table}

    assert found == {what: (status, name) for what, _, status, name in table}
    assert not Claim.objects.exists()


def test_invalid_http_is_rejected_by_the_web_server(port: int, key: bytes) -> None:
    found = {what: send(port, raw.replace(b"@", key)) for what, raw, _ in NO_HTTP}

    assert {what: status for what, (status, _, _) in found.items()} == {
        what: status for what, _, status in NO_HTTP
    }


@pytest.mark.parametrize("request_", [post(GOOD)[:-5], chunked(GOOD)[:-9]], ids=["length", "chunks"])
def test_a_body_that_ends_too_soon_is_refused(request_: bytes, port: int, key: bytes) -> None:
    status, _, body = send(port, request_.replace(b"@", key), ends=True)

    assert (status, json.loads(body)["errors"][0]["name"]) == (400, "body")
    assert not Claim.objects.exists()


def test_a_body_in_chunks_is_read_as_one_with_a_length(port: int, key: bytes) -> None:
    status, _, body = send(port, chunked(GOOD, 5).replace(b"@", key))

    assert (status, json.loads(body)["count"]) == (201, 1)


def test_a_body_of_just_64_kib_is_read(port: int, key: bytes) -> None:
    body = GOOD + b" " * (65_536 - len(GOOD))

    assert send(port, post(body, JSON + b'; Charset="UTF-8"').replace(b"@", key))[0] == 201


@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
def test_charset_is_ignored_without_a_body(method: bytes, port: int) -> None:
    request = get(
        b"/api/v1/draws?cursor=cD0yMDI1LTAxLTAx", b"Content-Type: x/y; charset=base64", method=method
    )

    assert send(port, request)[0] == 200
