"""Exact bodies of GET /api/v1/tickets/cached and /batch-status."""

from datetime import date

import pytest
import time_machine
from django.test import Client

from predictions.models import Draw
from tests.factories import WEDNESDAY, make_prediction, some_tickets, ticket
from tickets.generation.generator import BatchTicketGenerator
from tickets.models import GenerationRun, TicketBatch
from tickets.store import get_batch_ticket_stats, insert_batch_tickets, purge_batch

CACHED, STATUS = "/api/v1/tickets/cached", "/api/v1/tickets/batch-status"
NOW = "2026-11-24T04:05:06Z"


# cached


@pytest.mark.django_db
@time_machine.travel(NOW, tick=False)
def test_cached_returns_tickets_of_the_next_draw(client: Client) -> None:
    insert_batch_tickets([ticket(2, 4, 12, 49, 60, 25, confidence=0.81)], "random_forest", "pipe-1")

    response = client.get(CACHED, {"mode": "random_forest", "limit": "10", "include_stats": "false"})

    assert (response.status_code, response["Content-Type"]) == (200, "application/json")
    body = response.json()
    assert 0 <= body.pop("response_time_ms") < 5000
    assert body == {
        "mode": "random_forest",
        "count": 1,
        "draw_date": "2026-11-25",
        "tickets": [
            {
                "white_balls": [2, 4, 12, 49, 60],
                "powerball": 25,
                "confidence": 0.81,
                "strategy": "random_forest",
                "cached": True,
                "created_at": "2026-11-24T04:05:06Z",
                "draw_date": "2026-11-25",
                "pipeline_run_id": "pipe-1",
                "result": None,
            }
        ],
        "cached": True,
    }


@pytest.mark.django_db
@time_machine.travel(NOW, tick=False)
def test_defaults_are_ten_tickets_of_random_forest_for_the_next_draw(client: Client) -> None:
    insert_batch_tickets(some_tickets(12), "random_forest")
    insert_batch_tickets(some_tickets(12, powerball=2), "v1")
    insert_batch_tickets(some_tickets(12, powerball=3), "random_forest", draw_date=date(2026, 11, 28))

    body = client.get(CACHED).json()

    assert (body["mode"], body["count"], body["draw_date"]) == ("random_forest", 10, "2026-11-25")
    assert {ticket["powerball"] for ticket in body["tickets"]} == {1}
    assert "db_stats" not in body


@pytest.mark.django_db
@time_machine.travel(NOW, tick=False)
def test_an_empty_stock_is_200_with_an_empty_list(client: Client) -> None:
    response = client.get(CACHED, {"mode": "lstm"})

    assert response.status_code == 200
    body = response.json()
    assert (body["mode"], body["count"], body["tickets"]) == ("lstm", 0, [])


@pytest.mark.django_db
@pytest.mark.parametrize("yes", ["true", "True", "1"])
@time_machine.travel(NOW, tick=False)
def test_statistics_are_included_on_request(yes: str, client: Client) -> None:
    insert_batch_tickets(some_tickets(2), "v1")

    body = client.get(CACHED, {"mode": "v1", "include_stats": yes}).json()

    assert body["db_stats"] == get_batch_ticket_stats() == client.get(STATUS).json()
    assert body["db_stats"]["total_tickets"] == 2


@pytest.mark.django_db
def test_limits_of_1_and_100_are_allowed(client: Client) -> None:
    insert_batch_tickets(some_tickets(101), "v1", draw_date=WEDNESDAY)

    for limit in (1, 100):
        query = {"mode": "v1", "limit": limit, "draw_date": "2026-11-25"}
        assert client.get(CACHED, query).json()["count"] == limit


@pytest.mark.django_db
def test_a_past_draw_that_is_named_shows_each_tickets_result(client: Client) -> None:
    day = date(2025, 12, 22)
    Draw.objects.create(draw_date=day, n1=3, n2=18, n3=36, n4=41, n5=54, powerball=7, source="bundled")
    insert_batch_tickets([ticket(3, 18, 37, 42, 55, 8), ticket(3, 18, 36, 41, 54, 7)], "v1", draw_date=day)

    body = client.get(CACHED, {"mode": "v1", "draw_date": "2025-12-22"}).json()

    assert body["draw_date"] == "2025-12-22"
    assert [ticket["result"] for ticket in body["tickets"]] == [
        {"white_matches": 5, "powerball_match": True, "prize_usd": "jackpot"},
        {"white_matches": 2, "powerball_match": False, "prize_usd": 0},
    ]


# batch-status


@pytest.mark.django_db
@time_machine.travel(NOW, tick=False)
def test_batch_status_returns_stock_and_last_run(client: Client) -> None:
    make_prediction()
    BatchTicketGenerator(5, ["random_forest"]).generate_batch("pipe-1", async_mode=False)
    insert_batch_tickets(some_tickets(2), "v2", draw_date=date(2026, 11, 28))

    response = client.get(STATUS)

    assert (response.status_code, response["Content-Type"]) == (200, "application/json")
    assert response.json() == {
        "total_tickets": 7,
        "by_mode": {"random_forest": 5, "lstm": 0, "v1": 0, "v2": 2, "hybrid": 0},
        "available_by_mode": {"random_forest": 5, "lstm": 0, "v1": 0, "v2": 0, "hybrid": 0},
        "oldest_ticket": NOW,
        "newest_ticket": NOW,
        "last_run": {
            "generation_run_id": GenerationRun.objects.get(pipeline_run_id="pipe-1").pk,
            "pipeline_run_id": "pipe-1",
            "status": "completed",
            "finished_at": NOW,
        },
    }


@pytest.mark.django_db
def test_batch_status_of_an_empty_table_is_zeros_and_nulls(client: Client) -> None:
    body = client.get(STATUS).json()

    assert (body["total_tickets"], set(body["by_mode"].values())) == (0, {0})
    assert (body["oldest_ticket"], body["newest_ticket"], body["last_run"]) == (None, None, None)


@pytest.mark.django_db
def test_batch_status_does_not_count_purged_tickets(client: Client) -> None:
    insert_batch_tickets(some_tickets(2), "v2", draw_date=WEDNESDAY)
    purge_batch(TicketBatch.objects.get())

    assert client.get(STATUS).json()["total_tickets"] == 0


# Both endpoints


@pytest.mark.django_db
@pytest.mark.parametrize(
    "accept", ["*/*", "application/json", "application/json; indent=2", "text/html,*/*;q=0.8"]
)
def test_any_accept_header_gets_json(accept: str, client: Client) -> None:
    response = client.get(STATUS, headers={"accept": accept})

    assert (response.status_code, response["Content-Type"].split(";")[0]) == (200, "application/json")


@pytest.mark.django_db
@pytest.mark.parametrize("address", [CACHED, STATUS])
def test_head_and_options_respond(address: str, client: Client) -> None:
    head = client.head(address)
    assert (head.status_code, head.content) == (200, b"")
    assert head["Content-Type"] == "application/json"

    options = client.options(address)
    assert (options.status_code, options["Allow"]) == (200, "GET, HEAD, OPTIONS")
    assert options.json() == {
        "methods": ["GET", "HEAD", "OPTIONS"],
        "renders": ["application/json"],
        "schema": "/api/schema",
    }


@pytest.mark.django_db
def test_every_response_has_a_unique_request_id(client: Client) -> None:
    ids = {client.get(address)["X-Request-ID"] for address in (CACHED, CACHED, STATUS, "/admin/login/")}

    assert len(ids) == 4
