"""Cached responses of `cached`: identical to the view's, and never older than allowed."""

import json
import time
from collections.abc import Iterator
from datetime import time as clock
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client, RequestFactory, override_settings
from django.test.utils import CaptureQueriesContext

from predictions.draws.sources import upcoming_draw
from predictions.modes.registry import MODE_NAMES
from tests.commands import manage
from tests.factories import claim_tickets, make_client, make_key, some_tickets
from tests.processes import get, wait_until, web_server
from tickets.api.response_cache import CacheRefresher, response_cache, to_response
from tickets.models import TicketBatch
from tickets.store import insert_batch_tickets

pytestmark = pytest.mark.django_db

CACHED = "/api/v1/tickets/cached"
V1 = f"{CACHED}?mode=v1"


@pytest.fixture(autouse=True)
def _kept_for_a_second() -> Iterator[None]:
    response_cache.seconds = 1.0
    yield
    response_cache.seconds = 0.0
    response_cache.responses.clear()
    response_cache.requested_at.clear()


@pytest.fixture(autouse=True)
def stock() -> None:
    insert_batch_tickets(some_tickets(5), "v1")


def ask(address: str = V1, **headers: str) -> tuple[Any, int]:
    """Return the response and its number of queries."""
    with CaptureQueriesContext(connection) as queries:
        response = Client(headers=headers or None).get(address)
    return response, len(queries)


def without_time(response: Any) -> list[tuple[str, Any]]:
    """Return the response's items in order, without the response time."""
    said = list(response.json().items())
    assert said[-1][0] == "response_time_ms"
    return said[:-1]


def test_second_response_comes_from_the_cache_unchanged() -> None:
    first, queries = ask()
    again, none = ask()

    assert (queries, none) == (1, 0)
    assert without_time(first) == without_time(again)
    same = ("Content-Type", "ETag", "Cache-Control")
    assert [first[name] for name in same] == [again[name] for name in same]
    assert again["X-Request-ID"] != first["X-Request-ID"]


def test_the_time_is_the_requests_own() -> None:
    ask()
    kept = response_cache.responses["v1", 10]

    assert kept.body.endswith(b',"response_time_ms":')
    assert to_response(RequestFactory().get(V1), kept, time.perf_counter() - 7).content.startswith(
        kept.body + b"7"
    )


@pytest.mark.parametrize(
    "other", [f"{CACHED}?limit=10&mode=v1", f"{V1}&include_stats=false", f"{V1}&limit=10"]
)
def test_another_spelling_is_the_same_question(other: str) -> None:
    ask()

    assert ask(other)[1] == 0


@pytest.mark.parametrize(
    "address",
    [f"{V1}&include_stats=true", f"{V1}&draw_date=2026-11-25", f"{V1}&limit=5", f"{CACHED}?mode=v2"],
)
def test_other_parameters_query_the_database(address: str) -> None:
    ask()

    assert ask(address)[1] > 0


def test_cached_response_expires_after_a_second() -> None:
    ask()
    insert_batch_tickets(some_tickets(1, powerball=2), "v1")

    assert ask()[0].json()["count"] == 5
    time.sleep(1.0)
    assert ask()[0].json()["count"] == 6


def test_a_ticket_that_this_process_hands_out_is_offered_no_more() -> None:
    api = Client(headers={"Authorization": f"Api-Key {make_key(make_client())}", "Idempotency-Key": "one"})
    offered = ask()[0].json()["tickets"]
    ask(f"{CACHED}?mode=v2")
    with override_settings(SALES_CUTOFF=clock(22, 59)):
        mine = api.post("/api/v1/tickets/claims", {"mode": "v1", "count": 2}, "application/json").json()

    assert set(response_cache.responses) == {("v2", 10)}  # what shows none of them stays
    left = ask()[0].json()["tickets"]

    assert left == [ticket for ticket in offered if ticket not in mine["tickets"]]
    assert len(left) == 3


@pytest.mark.parametrize("address", [f"{V1}&limit=0", f"{V1}&mode=v1", f"{CACHED}?best=1"])
def test_a_bad_question_is_the_views(address: str) -> None:
    ask()

    assert ask(address)[0].status_code == 400


def test_key_is_checked_on_public_endpoints_too() -> None:
    ask()

    assert ask(V1, Authorization="Api-Key no")[0].status_code == 401
    assert ask(V1, Authorization=f"Api-Key {make_key(make_client())}")[0].json()["count"] == 5


def test_cached_response_counts_against_the_rate() -> None:
    with override_settings(ANONYMOUS_RATE=3):
        statuses = [Client(REMOTE_ADDR="192.0.2.1").get(V1).status_code for _ in range(5)]

    assert statuses == [200, 200, 200, 429, 429]


def test_a_host_that_is_not_allowed_is_refused_also_from_memory() -> None:
    ask()

    assert Client(SERVER_NAME="evil.example").get(V1).status_code == 400


# The ETag


@pytest.mark.parametrize("warm", [False, True], ids=["from the view", "from memory"])
def test_matching_etag_gets_304(warm: bool) -> None:
    etag = ask()[0]["ETag"]
    if not warm:
        response_cache.responses.clear()

    for given in (etag, etag.removeprefix("W/"), f'"other", {etag}', "*"):
        response, _ = ask(V1, **{"If-None-Match": given})
        assert (response.status_code, response.content) == (304, b"")
        assert (response["ETag"], response["Cache-Control"]) == (etag, "max-age=1")
    assert ask(V1, **{"If-None-Match": '"other"'})[0].status_code == 200


def test_etag_changes_only_with_the_content() -> None:
    before = ask()[0]["ETag"]
    response_cache.responses.clear()
    insert_batch_tickets(some_tickets(1, powerball=2), "v2")
    same = ask()[0]["ETag"]
    response_cache.responses.clear()
    claim_tickets(TicketBatch.objects.get(mode="v1"), 1)

    assert before == same
    assert ask()[0]["ETag"] != same
    assert before.startswith('W/"')


# Kept warm


def rendered(warmer: CacheRefresher) -> int:
    """Return how many responses a refresh renders; each takes one query."""
    with CaptureQueriesContext(connection) as queries:
        warmer.refresh()
    return len([query for query in queries if "claim_id IS NULL" in query["sql"]])


def test_common_responses_are_cached_in_advance() -> None:
    assert rendered(CacheRefresher()) == 5

    assert set(response_cache.responses) == {(mode, 10) for mode in MODE_NAMES}
    assert ask()[1] == 0


def test_cache_is_refreshed_only_when_a_batch_is_published() -> None:
    warmer = CacheRefresher()
    warmer.refresh()

    assert rendered(warmer) == 0
    insert_batch_tickets(some_tickets(2, powerball=2), "v1", "another")
    assert rendered(warmer) == 5
    assert ask()[0].json()["count"] == 7


def test_recently_requested_responses_are_refreshed() -> None:
    warmer = CacheRefresher()
    warmer.refresh()
    ask(f"{V1}&limit=3")

    assert [rendered(warmer), rendered(warmer)] == [1, 1]


# Real processes


@pytest.mark.django_db(transaction=True)
def test_between_processes_a_claimed_ticket_is_offered_for_a_second_at_most(tmp_path: Path) -> None:
    batch = TicketBatch.objects.get()
    with web_server(tmp_path / "log") as (_, port):
        assert len(json.loads(get(port, V1)[1])["tickets"]) == 5
        claim_tickets(batch, 2)
        claimed = time.monotonic()
        while len(json.loads(get(port, V1)[1])["tickets"]) == 5:
            assert time.monotonic() < claimed + 1.5
        insert_batch_tickets(some_tickets(4, powerball=2), "v1", "later")
        wait_until(lambda: len(json.loads(get(port, V1)[1])["tickets"]) == 7, 1.5, "new tickets")


@pytest.mark.django_db(transaction=True)
def test_server_without_tables_responds_and_warms_up_later(tmp_path: Path) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("a database file of its own is SQLite's")
    url = f"sqlite:///{tmp_path / 'new.sqlite3'}"
    with web_server(tmp_path / "log", DATABASE_URL=url) as (_, port):
        assert get(port, V1)[0] == 503
        assert manage("migrate", "-v", "0", "--skip-checks", DATABASE_URL=url).returncode == 0
        assert get(port, V1)[0] == 200
    log = (tmp_path / "log").read_text()
    assert log.count("Response cache is not refreshed while the database is unavailable") == 1


def test_the_draw_that_is_next_is_the_one_shown() -> None:
    assert ask()[0].json()["draw_date"] == str(upcoming_draw())
