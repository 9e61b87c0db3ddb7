"""POST and GET /api/v1/tickets/claims and GET /api/v1/quota with real keys."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from tests.factories import WEDNESDAY, make_client, make_draw, make_key, some_tickets
from tickets.claims.allocation import ClaimRequest, ModeNotAllowed, QuotaExceeded, claim_tickets
from tickets.models import Claim, ClaimHour, PreGeneratedTicket, TicketBatch
from tickets.models.clients import ApiClient, ApiKey, QuotaUsage
from tickets.store import get_batch_ticket_stats, get_cached_tickets, insert_batch_tickets

pytestmark = pytest.mark.django_db

CLAIMS = "/api/v1/tickets/claims"
TUESDAY = datetime(2026, 11, 24, 17, 30, tzinfo=UTC)
CLOSES = datetime(2026, 11, 26, 2, 59, tzinfo=UTC)  # Wednesday, 21:59 in New York
SECOND = timedelta(seconds=1)


@pytest.fixture(autouse=True)
def _the_day_before() -> Iterator[None]:
    with time_machine.travel(TUESDAY, tick=False):
        yield


@pytest.fixture
def client_row() -> ApiClient:
    return make_client(daily_quota=10)


@pytest.fixture
def api(client_row: ApiClient) -> Client:
    """Return a client with a valid key."""
    return Client(headers={"Authorization": f"Api-Key {make_key(client_row)}"})


@pytest.fixture(autouse=True)
def stock() -> None:
    insert_batch_tickets(some_tickets(20), "v1", "pipe-1", WEDNESDAY)


def claim(api: Client, key: str = "one", **body: Any) -> Any:
    headers = {"Idempotency-Key": key} if key else {}
    return api.post(CLAIMS, {"mode": "v1", "count": 3} | body, "application/json", headers=headers)


def problem_of(response: Any) -> tuple[int, str, list[Any]]:
    """Return status, detail and errors of a problem."""
    assert response["Content-Type"] == "application/problem+json"
    body = response.json()
    return response.status_code, body["detail"], body["errors"]


def nothing_was_taken() -> bool:
    return (
        not Claim.objects.exists()
        and not QuotaUsage.objects.filter(used__gt=0).exists()
        and not PreGeneratedTicket.objects.filter(claim__isnull=False).exists()
        and not ClaimHour.objects.filter(tickets__gt=0).exists()
    )


def test_claim_returns_exclusive_tickets(api: Client) -> None:
    response = claim(api, count=2)

    assert response.status_code == 201
    body = response.json()
    assert response["Location"] == f"{CLAIMS}/{body['id']}"
    assert body == {
        "id": Claim.objects.get().pk,
        "mode": "v1",
        "count": 2,
        "draw_date": "2026-11-25",
        "created_at": "2026-11-24T17:30:00Z",
        "tickets": [
            {
                "white_balls": [1, 2, 3, 4, last],
                "powerball": 1,
                "confidence": 0.5,
                "strategy": "v1",
                "cached": True,
                "created_at": "2026-11-24T17:30:00Z",
                "draw_date": "2026-11-25",
                "pipeline_run_id": "pipe-1",
                "result": None,
            }
            for last in (5, 6)
        ],
    }
    assert api.get(response["Location"]).json() == body


def test_claimed_tickets_are_neither_listed_nor_claimed_again(api: Client) -> None:
    mine = claim(api, count=10).json()["tickets"]
    other = Client(headers={"Authorization": f"Api-Key {make_key(make_client('other'))}"})

    theirs = claim(other, count=10).json()["tickets"]
    offered = get_cached_tickets("v1", 100, WEDNESDAY)

    assert not [ticket for ticket in theirs if ticket in mine]
    assert offered == []
    assert Client().get(f"/api/v1/tickets/cached?mode=v1&draw_date={WEDNESDAY}").json()["tickets"] == []
    stats = get_batch_ticket_stats()
    assert (stats["by_mode"]["v1"], stats["available_by_mode"]["v1"]) == (20, 0)


def test_oldest_tickets_are_claimed_first(api: Client) -> None:
    with time_machine.travel(TUESDAY + timedelta(hours=1), tick=False):
        insert_batch_tickets(some_tickets(5, powerball=2), "v1", "later", WEDNESDAY)
        claim(api, count=7)

    assert {ticket["pipeline_run_id"] for ticket in get_cached_tickets("v1", 5, WEDNESDAY)} == {"later"}
    assert {row[3] for row in Claim.objects.get().ticket_details} == {"pipe-1"}


# The same request again


def test_same_idempotency_key_returns_the_same_claim(api: Client) -> None:
    first, again = claim(api), claim(api)

    assert again.status_code == 201
    assert again.json() == first.json()
    assert again["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first
    assert Claim.objects.count() == 1
    assert api.get("/api/v1/quota").json()["used"] == 3


def test_claim_is_replayed_despite_changed_quota_draw_or_mode(api: Client, client_row: ApiClient) -> None:
    first = claim(api).json()
    ApiClient.objects.filter(pk=client_row.pk).update(daily_quota=0, modes=[])

    with time_machine.travel(CLOSES + timedelta(days=30), tick=False):
        assert claim(api).json() == first


@pytest.mark.parametrize("other", [{"count": 4}, {"mode": "v2"}, {"draw_date": "2026-11-25"}], ids=str)
def test_a_key_with_another_body_is_422(api: Client, other: dict[str, Any]) -> None:
    made = claim(api).json()

    status, detail, errors = problem_of(claim(api, **other))

    assert status == 422
    assert detail == f"This Idempotency-Key was used for another request, which is claim {made['id']}."
    assert errors == [
        {"name": "Idempotency-Key", "value": "one", "allowed": "a new key, or the same body as before"}
    ]


def test_another_clients_key_is_another_key(api: Client) -> None:
    other = Client(headers={"Authorization": f"Api-Key {make_key(make_client('other'))}"})

    assert claim(api).json()["id"] != claim(other).json()["id"]


def test_refused_claim_can_be_repeated_with_the_same_key(api: Client) -> None:
    assert claim(api, mode="v2").status_code == 409
    insert_batch_tickets(some_tickets(3, powerball=2), "v2", draw_date=WEDNESDAY)

    assert claim(api, mode="v2").status_code == 201


@pytest.mark.parametrize(
    "key", ["", "a b", "x" * 256, "é", "a,b"], ids=["none", "blank", "long", "not ASCII", "sent twice"]
)
def test_a_missing_or_bad_idempotency_key_is_400(api: Client, key: str) -> None:
    status, _, errors = problem_of(claim(api, key))

    assert status == 400
    assert errors == [
        {
            "name": "Idempotency-Key",
            "value": key[:200] or None,
            "allowed": "1 to 255 visible ASCII characters except commas, unique per claim",
        }
    ]
    assert nothing_was_taken()


# What is refused takes and counts nothing


def test_too_little_stock_is_409_and_all_or_nothing(api: Client, client_row: ApiClient) -> None:
    ApiClient.objects.update(daily_quota=1000)

    status, detail, errors = problem_of(claim(api, count=21))

    assert (status, detail) == (409, "Tickets of v1 available for 2026-11-25: 20; requested: 21.")
    assert errors == [{"name": "count", "value": 21, "allowed": "at most 20 at present"}]
    assert nothing_was_taken()
    assert ClaimHour.objects.get().refused == 1


def test_more_than_the_quota_is_429_until_midnight_in_new_york(api: Client) -> None:
    assert claim(api, count=8).status_code == 201

    response = claim(api, "two", count=3)

    assert problem_of(response) == (
        429,
        "The daily quota of 10 tickets has 2 left; it resets at 2026-11-25T05:00:00Z.",
        [{"name": "count", "value": 3, "allowed": "at most 2 until then"}],
    )
    assert response["Retry-After"] == str(11 * 3600 + 1800)
    assert claim(api, "two", count=2).status_code == 201
    with time_machine.travel(datetime(2026, 11, 25, 5, tzinfo=UTC), tick=False):
        assert claim(api, "three", count=10).status_code == 201


def test_the_first_claim_of_a_day_is_within_the_quota_too(api: Client) -> None:
    response = claim(api, count=11)

    assert problem_of(response)[0] == 429
    assert nothing_was_taken()


def test_a_day_of_the_quota_is_new_yorks(api: Client, client_row: ApiClient) -> None:
    """Freeze time at 20:00 on Tuesday in New York, which is Wednesday in UTC."""
    with time_machine.travel(datetime(2026, 11, 25, 1, tzinfo=UTC), tick=False):
        claim(api)

    assert QuotaUsage.objects.get().day == date(2026, 11, 24)


def test_changes_by_staff_during_a_request_apply(client_row: ApiClient) -> None:
    """Quota and modes are read when the claim is made, not when the client authenticates."""
    ApiClient.objects.update(daily_quota=1)
    with pytest.raises(QuotaExceeded):
        claim_tickets(client_row, ClaimRequest("v1", 2), "one")

    ApiClient.objects.update(daily_quota=10, modes=["v2"])
    with pytest.raises(ModeNotAllowed):
        claim_tickets(client_row, ClaimRequest("v1", 2), "one")


def test_mode_not_allowed_for_the_client_is_403(api: Client) -> None:
    ApiClient.objects.update(modes=["lstm", "v2"])

    assert problem_of(claim(api)) == (
        403,
        "This client may not claim tickets of v1.",
        [{"name": "mode", "value": "v1", "allowed": "one of lstm, v2"}],
    )
    assert nothing_was_taken()


@pytest.mark.parametrize("named", [None, "2026-11-25"])
def test_claims_close_at_the_sales_cut_off(api: Client, named: str | None) -> None:
    with time_machine.travel(CLOSES - SECOND, tick=False):
        assert claim(api, draw_date=named).status_code == 201
    with time_machine.travel(CLOSES, tick=False):
        status, detail, errors = problem_of(claim(api, "late", draw_date=named))

    assert (status, detail) == (409, "Claims for the draw of 2026-11-25 closed at 2026-11-26T02:59:00Z.")
    assert errors == [
        {"name": "draw_date", "value": "2026-11-25", "allowed": "a draw whose sales have not closed"}
    ]


def test_a_past_draw_is_closed_and_a_later_one_is_open(api: Client) -> None:
    insert_batch_tickets(some_tickets(3), "v1", draw_date=date(2026, 11, 28))

    assert claim(api, draw_date="2026-11-21").status_code == 409
    assert claim(api, draw_date="2026-11-28").json()["draw_date"] == "2026-11-28"


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({"mode": "best"}, [("mode", "best", "one of random_forest, lstm, v1, v2, hybrid")]),
        ({"mode": ["v1"]}, [("mode", '["v1"]', "one of random_forest, lstm, v1, v2, hybrid")]),
        ({"count": 0}, [("count", "0", "an integer from 1 to 100")]),
        ({"count": 101}, [("count", "101", "an integer from 1 to 100")]),
        ({"count": "3"}, [("count", "3", "an integer from 1 to 100")]),
        ({"count": 3.0}, [("count", "3.0", "an integer from 1 to 100")]),
        ({"count": True}, [("count", "true", "an integer from 1 to 100")]),
        ({"count": None}, [("count", "null", "an integer from 1 to 100")]),
        ({"draw_date": "tomorrow"}, [("draw_date", "tomorrow", "the date of a draw, as YYYY-MM-DD")]),
        ({"counts": 3}, [("counts", "3", "unknown field; allowed: mode, count, draw_date")]),
        (
            {"mode": 1, "count": -1},
            [
                ("mode", "1", "one of random_forest, lstm, v1, v2, hybrid"),
                ("count", "-1", "an integer from 1 to 100"),
            ],
        ),
    ],
    ids=str,
)
def test_a_bad_body_names_every_field(
    api: Client, body: dict[str, Any], errors: list[tuple[str, str, str]]
) -> None:
    status, _, found = problem_of(claim(api, **body))

    assert status == 400
    assert [(error["name"], error["value"], error["allowed"]) for error in found] == errors
    assert nothing_was_taken()


def test_date_without_a_draw_is_a_400(api: Client) -> None:
    status, _, errors = problem_of(claim(api, draw_date="2026-11-26"))

    assert status == 400
    assert errors[0]["name"] == "draw_date"
    assert "2026-11-26" in errors[0]["allowed"]


@pytest.mark.parametrize("body", ["[]", '"v1"', "3", "null", "[" * 20 + "]" * 20])
def test_a_body_that_is_no_object_is_400(api: Client, body: str) -> None:
    response = api.post(CLAIMS, body, "application/json", headers={"Idempotency-Key": "one"})

    assert problem_of(response)[2][0]["name"] == "body"
    assert response.status_code == 400


# Who may


def bad_keys(client: ApiClient) -> dict[str, str]:
    good = make_key(client)
    revoked, expired = make_key(client, revoked=True), make_key(client, expiry_date=timezone.now())
    asleep = make_key(make_client("asleep", active=False))
    return {
        "The API key is unknown.": f"Api-Key {good[:-1]}{'a' if good[-1] != 'a' else 'b'}",
        "The API key is revoked.": f"Api-Key {revoked}",
        "The API key has expired.": f"Api-Key {expired}",
        "The client of this API key is inactive.": f"Api-Key {asleep}",
        "The Authorization header is invalid; use `Api-Key <key>`.": f"Bearer {good}",
    }


@pytest.mark.parametrize("address", [CLAIMS, "/api/v1/quota", "/api/v1/tickets/cached", "/api/v1/modes"])
def test_a_key_that_is_not_accepted_is_401_everywhere(address: str, client_row: ApiClient) -> None:
    for detail, header in bad_keys(client_row).items():
        response = Client().get(address, headers={"Authorization": header})

        assert problem_of(response) == (401, detail, [])
        assert response["WWW-Authenticate"] == "Api-Key"


@pytest.mark.parametrize("header", ["Api-Key", "Api-Key \0", "Api-Key é.é", "Api-Key " + "a" * 5000, ""])
def test_a_header_that_holds_no_key_is_401(header: str) -> None:
    assert Client().get("/api/v1/quota", headers={"Authorization": header}).status_code == 401


def test_a_key_works_until_it_expires(client_row: ApiClient) -> None:
    key = make_key(client_row, expiry_date=timezone.now() + SECOND)
    headers = {"Authorization": f"api-key {key}"}

    assert Client().get("/api/v1/quota", headers=headers).status_code == 200
    with time_machine.travel(TUESDAY + SECOND, tick=False):
        assert Client().get("/api/v1/quota", headers=headers).status_code == 401


@pytest.mark.parametrize("address", [CLAIMS, f"{CLAIMS}/1", "/api/v1/quota"])
def test_without_a_key_there_are_no_claims(address: str) -> None:
    response = Client().get(address)

    assert problem_of(response)[0] == 401
    assert response["WWW-Authenticate"] == "Api-Key"
    assert claim(Client()).status_code == 401


def test_only_a_keys_hash_is_stored(client_row: ApiClient) -> None:
    key = make_key(client_row)

    row = ApiKey.objects.get(prefix=key[:8])

    assert key[9:] not in f"{row.pk} {row.hashed_key} {row.name}"


def test_another_clients_claim_is_not_found_and_not_listed(api: Client) -> None:
    made = claim(api).json()
    other = Client(headers={"Authorization": f"Api-Key {make_key(make_client('other'))}"})

    assert problem_of(other.get(f"{CLAIMS}/{made['id']}"))[0] == 404
    assert other.get(CLAIMS).json()["results"] == []
    assert api.get(CLAIMS).json()["results"] == [made]


# What one sees


def test_the_quota_is_seen(api: Client) -> None:
    claim(api, count=4)

    assert api.get("/api/v1/quota").json() == {
        "limit": 10,
        "used": 4,
        "remaining": 6,
        "resets_at": "2026-11-25T05:00:00Z",
    }


def test_lowered_quota_leaves_zero_remaining(api: Client) -> None:
    claim(api, count=4)
    ApiClient.objects.update(daily_quota=1)

    assert api.get("/api/v1/quota").json()["remaining"] == 0
    assert claim(api, "two", count=1).status_code == 429


def test_claim_keeps_numbers_and_results_after_rows_are_deleted(api: Client) -> None:
    made = claim(api, count=1).json()
    PreGeneratedTicket.objects.all().delete()
    TicketBatch.objects.all().delete()

    with time_machine.travel(CLOSES + timedelta(hours=2), tick=False):
        make_draw(WEDNESDAY, (1, 2, 3, 40, 50), 1)
        (shown,) = api.get(f"{CLAIMS}/{made['id']}").json()["tickets"]

    assert shown == made["tickets"][0] | {
        "result": {"white_matches": 3, "powerball_match": True, "prize_usd": 100}
    }


def test_claims_are_listed_newest_first_page_by_page(api: Client) -> None:
    ApiClient.objects.update(daily_quota=1000)
    insert_batch_tickets(some_tickets(40, powerball=2), "v1", draw_date=WEDNESDAY)
    made = [claim(api, f"key-{number}", count=1).json()["id"] for number in range(52)]

    first = api.get(CLAIMS).json()
    second = api.get(first["next"]).json()

    assert [claim["id"] for claim in first["results"] + second["results"]] == made[::-1]
    assert len(first["results"]) == 50


@pytest.mark.parametrize("address", [CLAIMS, "/api/v1/quota"])
def test_an_unknown_parameter_is_400(address: str, api: Client) -> None:
    assert problem_of(api.get(f"{address}?newest=1"))[2][0]["name"] == "newest"
    assert api.get(f"{CLAIMS}?cursor=x").status_code == 400


def test_claims_are_counted_by_mode_and_hour(api: Client) -> None:
    claim(api, "one", count=2)
    claim(api, "two", count=1)
    with time_machine.travel(TUESDAY + timedelta(hours=1), tick=False):
        claim(api, "three", count=3)

    hours = ClaimHour.objects.order_by("hour").values_list("mode", "draw_date", "hour", "claims", "tickets")
    assert list(hours) == [
        ("v1", WEDNESDAY, datetime(2026, 11, 24, 17, tzinfo=UTC), 2, 3),
        ("v1", WEDNESDAY, datetime(2026, 11, 24, 18, tzinfo=UTC), 1, 3),
    ]
