"""Rate limits of clients and IP addresses, and the RateLimit-* headers."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.core.cache import caches
from django.test import Client, override_settings
from redis import RedisError

from tests.factories import make_client, make_key
from tickets.api import throttling
from tickets.api.throttling import WINDOW, CircuitBreaker

CACHED, QUOTA = "/api/v1/tickets/cached", "/api/v1/quota"
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)  # the beginning of a minute


@pytest.fixture(autouse=True)
def _nothing_counted_yet() -> Iterator[None]:
    for name in ("default", "memory"):
        caches[name].clear()
    with time_machine.travel(NOON, tick=False), override_settings(ANONYMOUS_RATE=3):
        yield
    for name in ("default", "memory"):
        caches[name].clear()


def rate_of(response: Any) -> tuple[int, int, int]:
    """Return the limit, the remaining requests and the seconds until the reset."""
    limit, remaining, reset = (response[f"RateLimit-{name}"] for name in ("Limit", "Remaining", "Reset"))
    return int(limit), int(remaining), int(reset)


def keyed(key: str, **extra: str) -> Client:
    return Client(headers={"Authorization": f"Api-Key {key}"}, **extra)


def statuses(client: Client, count: int, address: str = CACHED) -> list[int]:
    return [client.get(address).status_code for _ in range(count)]


# What is granted


@pytest.mark.django_db
def test_anonymous_rate_limit_is_enforced_with_retry_after() -> None:
    responses = [Client().get(CACHED) for _ in range(5)]

    assert [response.status_code for response in responses] == [200, 200, 200, 429, 429]
    assert [rate_of(response) for response in responses] == [
        (3, 2, 60),
        (3, 1, 60),
        (3, 0, 60),
        (3, 0, 60),
        (3, 0, 60),
    ]
    assert responses[3]["Retry-After"] == "60"
    assert responses[3]["Content-Type"] == "application/problem+json"
    assert responses[3].json()["detail"].startswith("Request was throttled.")
    assert "Retry-After" not in responses[2]


@pytest.mark.django_db
@pytest.mark.parametrize(("seconds", "left"), [(0, 60), (0.5, 60), (1, 59), (59, 1), (59.9, 1)])
def test_rate_limit_reset_counts_down(seconds: float, left: int) -> None:
    with time_machine.travel(NOON + timedelta(seconds=seconds), tick=False):
        assert rate_of(Client().get(CACHED))[2] == left


@pytest.mark.django_db
def test_rate_limit_resets_in_the_next_minute() -> None:
    assert statuses(Client(), 4) == [200, 200, 200, 429]

    with time_machine.travel(NOON + timedelta(seconds=WINDOW - 0.001), tick=False):
        assert statuses(Client(), 1) == [429]
    with time_machine.travel(NOON + timedelta(seconds=WINDOW), tick=False):
        assert statuses(Client(), 4) == [200, 200, 200, 429]


@pytest.mark.django_db
def test_client_rate_applies_to_all_its_keys_and_ip_addresses() -> None:
    client = make_client(rate=5)
    first, second = make_key(client), make_key(client)

    assert statuses(Client(), 4) == [200, 200, 200, 429]
    assert statuses(keyed(first), 3) == [200] * 3
    assert statuses(keyed(second, REMOTE_ADDR="198.51.100.7"), 3, QUOTA) == [200, 200, 429]
    assert rate_of(keyed(first).get(CACHED)) == (5, 0, 60)
    assert statuses(keyed(make_key(make_client("other", rate=1))), 2) == [200, 429]


@pytest.mark.django_db
def test_a_client_asking_does_not_count_against_its_address() -> None:
    assert statuses(keyed(make_key(make_client(rate=50))), 20) == [200] * 20

    assert rate_of(Client().get(CACHED)) == (3, 2, 60)


@pytest.mark.django_db
def test_invalid_keys_count_against_the_ip_address() -> None:
    guesses = [keyed(f"{number:08d}.{'x' * 32}").get(QUOTA) for number in range(5)]

    assert [guess.status_code for guess in guesses] == [401, 401, 401, 429, 429]
    assert [rate_of(guess)[1] for guess in guesses] == [2, 1, 0, 0, 0]
    assert guesses[4]["Retry-After"] == "60"
    assert statuses(Client(), 1) == [429]
    assert statuses(Client(REMOTE_ADDR="198.51.100.7"), 1) == [200]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", True),
        ("2001:db8:1:2::1", "2001:DB8:0001:2::2", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("", "192.0.2.1", False),
        ("fe80::1%1", "fe80::2%2", True),
    ],
)
def test_addresses_of_one_household_count_as_one(one: str, other: str, same: bool) -> None:
    statuses(Client(REMOTE_ADDR=one), 3)

    assert statuses(Client(REMOTE_ADDR=other), 1) == [429 if same else 200]


# Headers of each response


ERRORS = {
    "400": ("GET", f"{CACHED}?limit=0", {}, 400),
    "401 without a key": ("GET", QUOTA, {}, 401),
    "401 with a bad key": ("GET", QUOTA, {"Authorization": "Api-Key x"}, 401),
    "404 of a view": ("GET", "/api/v1/draws/2026-11-21", {}, 404),
    "404 of no view": ("GET", "/api/v1/nothing", {}, 404),
    "404 outside the version": ("GET", "/api/", {}, 404),
    "405": ("DELETE", CACHED, {}, 405),
    "a host that is not allowed": ("GET", CACHED, {"Host": "evil.example"}, 400),
    "OPTIONS": ("OPTIONS", CACHED, {}, 200),
    "HEAD": ("HEAD", CACHED, {}, 200),
}


@pytest.mark.django_db
@pytest.mark.parametrize(("method", "address", "headers", "status"), ERRORS.values(), ids=ERRORS)
def test_every_response_has_rate_headers_and_counts_once(
    method: str, address: str, headers: dict[str, str], status: int
) -> None:
    response = Client().generic(method, address, headers=headers)

    assert response.status_code == status
    assert rate_of(response) == (3, 2, 60)


@pytest.mark.django_db
def test_internal_error_has_rate_headers(monkeypatch: pytest.MonkeyPatch) -> None:
    key = make_key(make_client(rate=7))
    monkeypatch.setattr("tickets.api.views.get_batch_ticket_stats", lambda: {"not JSON": object()})

    client = Client(raise_request_exception=False, headers={"Authorization": f"Api-Key {key}"})
    response = client.get("/api/v1/tickets/batch-status")

    assert response.status_code == 500
    assert rate_of(response) == (7, 6, 60)


@pytest.mark.django_db
def test_pages_are_not_rate_limited() -> None:
    page = Client().get("/admin/login/")

    assert not [name for name in page.headers if name.startswith("RateLimit")]
    assert rate_of(Client().get(CACHED)) == (3, 2, 60)


# A shared cache that is away; test_shared_rate has a real one


def test_late_success_from_before_an_outage_does_not_end_it(caplog: pytest.LogCaptureFixture) -> None:
    cache = CircuitBreaker()
    for _ in range(2):
        assert cache.allows()  # by two requests at once
    before = time.monotonic() - 0.1

    cache.record_failure(RedisError("gone"))
    cache.record_success(before)
    cache.record_failure(RedisError("gone"))

    assert not cache.allows()
    assert caplog.text.count("Shared cache unavailable") == 1
    assert "available again" not in caplog.text


def test_circuit_breaker_retries_the_cache_and_closes_on_success(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(throttling, "COOLDOWN", 1.0)
    cache = CircuitBreaker()
    cache.record_failure(RedisError("gone"))
    assert not cache.allows()

    time.sleep(1)  # the clock that is measured by is nobody's to set

    assert [cache.allows() for _ in range(3)] == [True, False, False]
    cache.record_success(time.monotonic())
    assert [cache.allows() for _ in range(3)] == [True, True, True]
