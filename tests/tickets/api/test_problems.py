"""API errors are problem+json with the cause, the allowed values and the request id."""

import re
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.http import HttpResponse
from django.test import Client, RequestFactory, override_settings

from shiolplus.logs.filters import ContextFilter
from tests.factories import WEDNESDAY, some_tickets
from tickets.api.problems import server_error
from tickets.store import insert_batch_tickets

CACHED, STATUS = "/api/v1/tickets/cached", "/api/v1/tickets/batch-status"

MODES = "one of random_forest, lstm, v1, v2, hybrid"
LIMIT = "an integer from 1 to 100"
FLAG = "true or false"
DAY = "the date of a draw, as YYYY-MM-DD"


def checked_problem(response: HttpResponse, status: int) -> dict[str, Any]:
    """Check what all problems have in common, and return the body."""
    assert response.status_code == status
    assert response["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = response.json()  # type: ignore[attr-defined]
    assert list(body) == ["type", "title", "status", "detail", "instance", "request_id", "errors"]
    assert body["status"] == status
    assert body["request_id"] == response["X-Request-ID"]
    assert re.fullmatch("[0-9a-f]{32}", body["request_id"])
    assert body["detail"]
    return body


# Bad values

BAD_VALUES = [
    ("mode=bogus", "mode", "bogus", MODES),
    ("mode=", "mode", "", MODES),
    ("mode=V1", "mode", "V1", MODES),
    ("mode=%00", "mode", "\0", MODES),
    ("mode=v1%00", "mode", "v1\0", MODES),
    ("mode=%FF", "mode", "\ufffd", MODES),
    ("limit=0", "limit", "0", LIMIT),
    ("limit=101", "limit", "101", LIMIT),
    ("limit=-1", "limit", "-1", LIMIT),
    ("limit=abc", "limit", "abc", LIMIT),
    ("limit=1e3", "limit", "1e3", LIMIT),
    ("limit=", "limit", "", LIMIT),
    ("limit=%00", "limit", "\0", LIMIT),
    ("limit=1.5", "limit", "1.5", LIMIT),
    ("limit=" + "9" * 5000, "limit", "9" * 200, LIMIT),
    ("include_stats=maybe", "include_stats", "maybe", FLAG),
    ("include_stats=", "include_stats", "", FLAG),
    ("draw_date=tomorrow", "draw_date", "tomorrow", DAY),
    ("draw_date=", "draw_date", "", DAY),
    ("draw_date=2026-13-01", "draw_date", "2026-13-01", DAY),
    ("draw_date=11/25/2026", "draw_date", "11/25/2026", DAY),
    ("draw_date=2026-11-25T00:00", "draw_date", "2026-11-25T00:00", DAY),
    ("draw_date=0001-01-01", "draw_date", "0001-01-01", "0001-01-01 is before the first supported matrix"),
    ("draw_date=2026-11-24", "draw_date", "2026-11-24", "2026-11-24 is a Tuesday without a draw"),
    ("limit=5&limit=6", "limit", "5, 6", f"a single value: {LIMIT}"),
    ("mode=v1&mode=v1", "mode", "v1, v1", f"a single value: {MODES}"),
    (
        "format=json",
        "format",
        "json",
        "unknown parameter; allowed: mode, limit, include_stats, draw_date",
    ),
    ("Mode=v1", "Mode", "v1", "unknown parameter"),
    ("%00=1", "\0", "1", "unknown parameter"),
    ("%FF=%C3%28", "\ufffd", "\ufffd(", "unknown parameter"),
]


@pytest.mark.parametrize(
    ("query", "name", "value", "allowed"), BAD_VALUES, ids=[case[0][:30] for case in BAD_VALUES]
)
def test_invalid_value_is_400_with_what_is_allowed(
    query: str, name: str, value: str, allowed: str, client: Client
) -> None:
    body = checked_problem(client.get(f"{CACHED}?{query}"), 400)

    assert (body["type"], body["title"], body["instance"]) == ("about:blank", "Bad Request", CACHED)
    (error,) = body["errors"]
    assert (error["name"], error["value"]) == (name, value)
    assert error["allowed"].startswith(allowed)
    assert f"{name} {value!r}: {allowed}" in body["detail"]


def test_several_bad_values_are_all_named_at_once(client: Client) -> None:
    query = "mode=x&limit=0&include_stats=maybe&draw_date=no&page=2&limit=0"

    body = checked_problem(client.get(f"{CACHED}?{query}"), 400)

    names = {error["name"] for error in body["errors"]}
    assert names == {"mode", "limit", "include_stats", "draw_date", "page"}


@pytest.mark.django_db
@pytest.mark.parametrize("limit", ["1_0", "5.0", "%2B5", "%205", "%D9%A5"])
def test_a_limit_is_written_in_plain_digits(limit: str, client: Client) -> None:
    body = checked_problem(client.get(f"{CACHED}?limit={limit}"), 400)

    assert body["errors"][0]["name"] == "limit"


def test_batch_status_has_no_parameters(client: Client) -> None:
    body = checked_problem(client.get(f"{STATUS}?mode=v1"), 400)

    assert body["errors"] == [{"name": "mode", "value": "v1", "allowed": "unknown parameter; allowed: none"}]


# Other errors


@pytest.mark.parametrize(
    "address", ["/api/", "/api/v1/tickets", "/api/v1/nothing", f"{CACHED}/", f"{STATUS}/"]
)
def test_an_unknown_address_of_the_api_is_404(address: str, client: Client) -> None:
    body = checked_problem(client.get(address), 404)

    assert (body["title"], body["instance"], body["errors"]) == ("Not Found", address, [])


def test_an_unknown_address_elsewhere_is_a_page(client: Client) -> None:
    response = client.get("/nothing")

    assert response.status_code == 404
    assert response["Content-Type"].startswith("text/html")


@pytest.mark.parametrize("address", [CACHED, STATUS])
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_other_methods_are_405_with_allowed_methods(method: str, address: str, client: Client) -> None:
    response = client.generic(method, address, "{}", content_type="application/json")

    body = checked_problem(response, 405)
    assert response["Allow"] == "GET, HEAD, OPTIONS"
    assert method in body["detail"]


@pytest.mark.django_db
@pytest.mark.parametrize("address", [CACHED, STATUS, "/api/v1/draws", "/api/v1/modes"])
@pytest.mark.parametrize("accept", ["text/html", "application/xml", "image/*;q=0.1", "nonsense", ""])
def test_whatever_is_accepted_gets_json_and_no_406(accept: str, address: str, client: Client) -> None:
    response = client.get(address, headers={"accept": accept})

    assert (response.status_code, response["Content-Type"]) == (200, "application/json")


def test_a_host_that_is_not_allowed_is_a_problem_too(client: Client) -> None:
    checked_problem(client.get(CACHED, headers={"host": "evil.example"}), 400)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"])
def test_an_unknown_address_is_404_by_every_method(method: str, client: Client) -> None:
    checked_problem(client.generic(method, "/api/v1/nothing"), 404)


def test_a_bad_key_is_401_at_an_unknown_address_too(client: Client) -> None:
    response = client.get("/api/v1/nothing", headers={"authorization": "Bearer x"})

    checked_problem(response, 401)


@pytest.mark.parametrize("address", ["/api/docs", "/favicon.ico"])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "BREW"])
def test_a_page_that_is_only_read_refuses_other_methods_by_a_problem(
    method: str, address: str, client: Client
) -> None:
    response = client.generic(method, address)

    body = checked_problem(response, 405)
    assert response["Allow"] == "GET, HEAD"
    assert body["detail"] == f'Method "{method}" not allowed; use GET, HEAD.'


def test_a_health_address_that_is_not_there_is_a_problem(client: Client) -> None:
    for address in ("/healthz/x", "/readyz/x", "/metrics/x", "/api"):
        body = checked_problem(client.get(address), 404)
        assert (body["instance"], body["detail"]) == (address, f"No resource at {address}.")


def test_many_bad_values_are_named_by_the_first_twenty(client: Client) -> None:
    query = "&".join(f"{'x' * 90}{number}=1" for number in range(40))

    body = checked_problem(client.get(f"{CACHED}?{query}"), 400)

    assert len(body["errors"]) == 20
    assert body["detail"].endswith("; and 20 more")


@pytest.mark.parametrize("position", ["nonsense", "%00", "2025-13-01", "1e9", "9" * 30])
@pytest.mark.parametrize("address", ["/api/v1/draws", "/api/v1/generation-runs"])
def test_invalid_cursor_is_a_400(address: str, position: str, client: Client) -> None:
    cursor = b64encode(f"p={position}".encode()).decode()

    body = checked_problem(client.get(address, {"cursor": cursor}), 400)

    assert [(error["name"], error["value"]) for error in body["errors"]] == [("cursor", cursor)]


# When something is broken


@pytest.fixture
def _ticket_table_is_gone(transactional_db: None) -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE pre_generated_tickets RENAME TO gone")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE gone RENAME TO pre_generated_tickets")


@pytest.mark.usefixtures("_ticket_table_is_gone")
@pytest.mark.parametrize("address", [CACHED, STATUS, f"{CACHED}?include_stats=true"])
def test_database_trouble_is_503_and_never_zeros(
    address: str, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    response = client.get(address)

    body = checked_problem(response, 503)
    assert body["title"] == "Service Unavailable"
    assert response["Retry-After"] == "5"
    assert "0" not in body["detail"]
    assert "pre_generated_tickets" not in response.content.decode()  # nothing of our inside gets out
    assert "Database unavailable for" in caplog.text


@pytest.mark.django_db
def test_an_unexpected_error_in_the_api_is_500_without_its_details() -> None:
    if connection.vendor != "sqlite":
        pytest.skip("only SQLite lets a day of a 13th month be stored")
    insert_batch_tickets(some_tickets(1), "v1", draw_date=WEDNESDAY)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE pre_generated_tickets SET created_at = '2026-13-01 00:00:00'")

    response = Client(raise_request_exception=False).get(STATUS)

    body = checked_problem(response, 500)
    assert body["detail"] == "Internal error. Quote the request id when reporting it."


@pytest.fixture
def broken() -> Iterator[Client]:
    """Return a client of a site whose URLs fail in different ways."""
    with override_settings(ROOT_URLCONF="tests.broken_urls"):
        yield Client(raise_request_exception=False)


@pytest.mark.parametrize("address", ["/api/v1/broken", "/api/page", "/healthz"])
def test_failing_view_is_a_500_with_a_request_id_in_the_log(
    address: str, broken: Client, caplog: pytest.LogCaptureFixture
) -> None:
    response = broken.get(address, headers={"x-request-id": "0123456789abcdef0123456789abcdef"})

    body = checked_problem(response, 500)
    assert body["request_id"] == "0123456789abcdef0123456789abcdef"
    assert "secret" not in response.content.decode()
    (record,) = [candidate for candidate in caplog.records if candidate.name == "django.request"]
    ContextFilter().filter(record)
    assert record.ids == " [request=0123456789abcdef0123456789abcdef]"  # type: ignore[attr-defined]
    assert record.exc_info
    assert "secret" in str(record.exc_info[1])


def test_a_broken_page_elsewhere_is_a_page(broken: Client) -> None:
    response = broken.get("/page")

    assert (response.status_code, response["Content-Type"]) == (500, "text/html; charset=utf-8")


@pytest.mark.parametrize(
    ("address", "status"),
    [("/api/suspicious", 400), ("/api/too-big", 400), ("/api/forbidden", 403), ("/api/teapot", 418)],
)
def test_requests_rejected_by_django_are_problems(address: str, status: int, broken: Client) -> None:
    response = broken.get(address)

    checked_problem(response, status)
    assert "secret" not in response.content.decode()


def test_an_error_of_a_middleware_is_a_problem() -> None:
    with override_settings(MIDDLEWARE=[*settings.MIDDLEWARE[:3], "tests.broken_urls.broken_middleware"]):
        response = Client(raise_request_exception=False).get(CACHED)

    checked_problem(response, 500)


def test_an_unexpected_error_is_json_in_the_api_and_a_page_elsewhere() -> None:
    in_the_api = server_error(RequestFactory().get(CACHED))
    elsewhere = server_error(RequestFactory().get("/admin/"))

    assert (in_the_api.status_code, in_the_api["Content-Type"]) == (500, "application/problem+json")
    assert (elsewhere.status_code, elsewhere["Content-Type"]) == (500, "text/html; charset=utf-8")
