"""The fast path responds as Django would, and only where Django would respond with success."""

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import pytest
from django.core.cache import caches
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_started
from django.db import close_old_connections
from django.test import RequestFactory, override_settings

from shiolplus.web.fast_path import CachedTicketsFastPath
from shiolplus.web.trusted_proxies import parse_peers
from tests.factories import make_client, make_key, some_tickets
from tickets.api.response_cache import response_cache
from tickets.store import insert_batch_tickets

pytestmark = pytest.mark.django_db

CACHED = "/api/v1/tickets/cached"
V1 = f"{CACHED}?mode=v1"


class Response(NamedTuple):
    """A response, and whether Django produced it."""

    status: int
    headers: dict[str, str]
    body: bytes
    by_django: bool


Send = Callable[..., Response]


@pytest.fixture(autouse=True)
def _cached_for_a_second() -> Iterator[None]:
    response_cache.seconds = 1.0
    caches["default"].clear()
    request_started.disconnect(
        close_old_connections
    )  # it would close the connection of the test's transaction
    yield
    request_started.connect(close_old_connections)
    response_cache.seconds = 0.0
    response_cache.responses.clear()
    response_cache.requested_at.clear()


@pytest.fixture
def send() -> Send:
    """Send requests to a new application with five tickets of v1."""
    insert_batch_tickets(some_tickets(5), "v1")
    django_paths: list[str] = []
    handler = WSGIHandler()

    def django(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        django_paths.append(environ["PATH_INFO"])
        return handler(environ, start_response)

    application = CachedTicketsFastPath(django)

    def get(url: str = V1, method: str = "GET", **environ: str) -> Response:
        started: list[Any] = []
        before = len(django_paths)
        request = RequestFactory().generic(method, url, **{"HTTP_HOST": "localhost"} | environ)
        body = b"".join(application(request.environ, lambda *start: started.extend(start)))
        return Response(int(started[0].split()[0]), dict(started[1]), body, len(django_paths) > before)

    return get


def body_of(response: Response) -> dict[str, Any]:
    """Return the body without the response time."""
    body = json.loads(response.body)
    assert body.pop("response_time_ms") >= 0
    return body


def test_cached_response_equals_response_of_django(send: Send) -> None:
    first, second = send(), send()

    assert (first.by_django, second.by_django) == (True, False)
    assert (first.status, second.status) == (200, 200)
    assert body_of(first) == body_of(second)
    varying = {"X-Request-ID", "Content-Length", "RateLimit-Remaining", "RateLimit-Reset"}
    assert set(first.headers) == set(second.headers)
    assert {name for name in first.headers if first.headers[name] != second.headers[name]} <= varying
    assert int(second.headers["Content-Length"]) == len(second.body)
    assert first.headers["X-Request-ID"] != second.headers["X-Request-ID"]
    assert "Content-Security-Policy" in second.headers


def test_other_mode_is_served_once_cached(send: Send) -> None:
    send()

    assert [send(f"{CACHED}?mode=v2").by_django for _ in range(2)] == [True, False]


@pytest.mark.parametrize(
    ("address", "method", "environ"),
    [
        (V1, "HEAD", {}),
        (V1, "POST", {}),
        (V1, "OPTIONS", {}),
        (V1, "GET", {"HTTP_HOST": "evil.example"}),
        (V1, "GET", {"HTTP_HOST": "local_host:80:80"}),
        (V1, "GET", {"HTTP_AUTHORIZATION": "Api-Key no"}),
        (f"{V1}&limit=0", "GET", {}),
        (f"{V1}&include_stats=true", "GET", {}),
        (f"{V1}&draw_date=2026-11-25", "GET", {}),
        ("/api/v1/tickets/batch-status", "GET", {}),
    ],
    ids=str,
)
def test_other_requests_are_passed_to_django(
    address: str, method: str, environ: dict[str, str], send: Send
) -> None:
    send()

    assert send(address, method, **environ).by_django


def test_disallowed_host_and_invalid_key_are_rejected(send: Send) -> None:
    send()

    assert send(HTTP_HOST="evil.example").status == 400
    assert send(HTTP_AUTHORIZATION="Api-Key no").status == 401
    assert send(HTTP_AUTHORIZATION=f"Api-Key {make_key(make_client())}").status == 200


def test_each_response_counts_against_ip_address(send: Send) -> None:
    send(REMOTE_ADDR="192.0.2.9")
    with override_settings(ANONYMOUS_RATE=3):
        responses = [send(REMOTE_ADDR="192.0.2.1") for _ in range(4)]
        other = send(REMOTE_ADDR="192.0.2.2")

    assert [(response.status, response.by_django) for response in responses] == [(200, False)] * 3 + [
        (429, True)
    ]
    assert [response.headers["RateLimit-Remaining"] for response in responses] == ["2", "1", "0", "0"]
    assert other.headers["RateLimit-Remaining"] == "2"


def test_matching_etag_returns_304_without_body(send: Send) -> None:
    etag = send().headers["ETag"]

    response = send(HTTP_IF_NONE_MATCH=f'"other", {etag}')

    assert (response.status, response.body, response.by_django) == (304, b"", False)
    assert response.headers["ETag"] == etag
    assert response.headers["Cache-Control"] == "max-age=1"
    assert not {"Content-Type", "Content-Length"} & set(response.headers)
    assert send(HTTP_IF_NONE_MATCH='"other"').status == 200


def test_valid_request_id_is_returned(send: Send) -> None:
    send()

    assert send(HTTP_X_REQUEST_ID="order-1042").headers["X-Request-ID"] == "order-1042"
    assert send(HTTP_X_REQUEST_ID="a b").headers["X-Request-ID"] != "a b"


@pytest.fixture
def _behind_a_proxy(settings: Any) -> None:
    settings.TRUSTED_PROXIES = parse_peers("SHIOL_TRUSTED_PROXIES", ["10.0.0.1"])


@pytest.mark.usefixtures("_behind_a_proxy")
def test_client_ip_counts_behind_trusted_proxy(request: pytest.FixtureRequest) -> None:
    send: Send = request.getfixturevalue("send")  # created after the settings have changed

    def used(client: str, proxy: str = "10.0.0.1") -> int:
        response = send(REMOTE_ADDR=proxy, HTTP_X_FORWARDED_FOR=client)
        return int(response.headers["RateLimit-Limit"]) - int(response.headers["RateLimit-Remaining"])

    assert [used("192.0.2.7"), used("192.0.2.7"), used("192.0.2.8")] == [1, 2, 1]
    assert not send(REMOTE_ADDR="10.0.0.1", HTTP_X_FORWARDED_FOR="192.0.2.7").by_django
    assert [used(client, "10.0.0.9") for client in ("192.0.2.5", "192.0.2.6")] == [1, 2]  # not trusted


@pytest.mark.usefixtures("_behind_a_proxy")
def test_port_is_ignored_and_unknown_clients_share_a_count(
    request: pytest.FixtureRequest,
) -> None:
    send: Send = request.getfixturevalue("send")

    def used(**headers: str) -> tuple[int, bool]:
        response = send(REMOTE_ADDR="10.0.0.1", **headers)
        count = int(response.headers["RateLimit-Limit"]) - int(response.headers["RateLimit-Remaining"])
        return count, response.by_django

    assert used(HTTP_X_FORWARDED_FOR="192.0.2.7:51234") == (1, True)
    assert used(HTTP_X_FORWARDED_FOR="192.0.2.7:51235") == (2, False)
    assert used(HTTP_FORWARDED='for="192.0.2.7:9"') == (3, False)
    assert used(HTTP_X_FORWARDED_FOR="unknown") == (1, False)
    assert used(HTTP_FORWARDED="for=_hidden") == (2, False)
    assert used() == (1, False)  # counted for the proxy
    assert (
        send(REMOTE_ADDR="").headers["RateLimit-Remaining"]
        == send(REMOTE_ADDR="192.0.2.9").headers["RateLimit-Remaining"]
    )  # requests on a Unix socket are not counted with those of unknown clients


def test_http_request_is_redirected_to_https(send: Send) -> None:
    send()
    with override_settings(SECURE_SSL_REDIRECT=True):
        assert send().by_django


def test_https_response_has_https_headers(send: Send) -> None:
    send()

    over_tls = {"wsgi.url_scheme": "https"}
    assert [send(**over_tls).by_django for _ in range(2)] == [True, False]


def test_disabled_cache_stores_nothing(send: Send) -> None:
    response_cache.seconds = 0.0

    assert [send().by_django for _ in range(2)] == [True, True]


def test_response_is_cached_for_at_most_one_second(send: Send) -> None:
    send()
    key, cached = ("v1", 10), response_cache.responses["v1", 10]
    response_cache.responses[key] = type(cached)(
        cached.rendered_at - 1.0, cached.body, cached.etag, cached.tickets
    )

    assert send().by_django
