"""Admin pages of API clients: validation, usage, and protection of clients with claims."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.admin import ModelAdmin
from django.contrib.admin.models import ADDITION, LogEntry
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.factories import WEDNESDAY, make_client, make_key, some_tickets
from tests.staff import text_of
from tickets.claims.allocation import ClaimRequest, claim_tickets
from tickets.models.clients import ApiClient, ApiKey
from tickets.store import insert_batch_tickets

pytestmark = pytest.mark.django_db

LIST = "/admin/tickets/apiclient/"
NOON = datetime(2026, 11, 24, 17, tzinfo=UTC)  # in New York
GOOD: dict[str, Any] = {
    "name": "shop",
    "modes": ["v1", "lstm"],
    "daily_quota": "250",
    "rate": "60",
    "active": "on",
}


@pytest.fixture(autouse=True)
def _at_noon() -> Iterator[None]:
    with time_machine.travel(NOON, tick=False):
        yield


def change(client: ApiClient) -> str:
    return f"{LIST}{client.pk}/change/"


def test_a_client_is_added_with_its_limits_and_modes(admin: Client) -> None:
    assert admin.post(f"{LIST}add/", GOOD).status_code == 302

    row = ApiClient.objects.get()
    assert (row.name, row.modes, row.daily_quota, row.rate, row.active) == (
        "shop",
        ["v1", "lstm"],
        250,
        60,
        True,
    )
    assert LogEntry.objects.get().action_flag == ADDITION


def test_the_form_of_a_new_client_offers_every_mode_and_the_usual_limits(admin: Client) -> None:
    page = admin.get(f"{LIST}add/").content.decode()

    assert page.count('type="checkbox" name="modes"') == 5
    assert page.count("checked") == 6  # and active
    assert 'name="daily_quota" value="100"' in page
    assert 'name="rate" value="600"' in page
    assert "Keys" not in page


@pytest.mark.parametrize(
    ("values", "error"),
    [
        (
            {"daily_quota": "-1"},
            "Daily quota: &#x27;-1&#x27; is not allowed; enter a whole number from 0 to 10,000,000.",
        ),
        ({"daily_quota": "10000001"}, "Daily quota: &#x27;10000001&#x27; is not allowed"),
        ({"daily_quota": ""}, "Daily quota: a value is required"),
        ({"rate": "0"}, "Rate: &#x27;0&#x27; is not allowed; enter a whole number from 1 to 1,000,000."),
        ({"rate": "1000001"}, "Rate: &#x27;1000001&#x27; is not allowed"),
        ({"rate": "many"}, "Rate: &#x27;many&#x27; is not allowed"),
        (
            {"modes": []},
            "Modes: choose at least one; allowed are random_forest, lstm, v1, v2, hybrid.",
        ),
        ({"modes": ["v1", "best"]}, "Modes: best is not one"),
        ({"name": ""}, "This field is required."),
        ({"name": "a\x07b"}, "Name: enter printable characters only."),
        ({"name": "other"}, "API client with this Name already exists."),
    ],
)
def test_a_bad_value_is_named_and_nothing_is_stored(
    values: dict[str, Any], error: str, admin: Client
) -> None:
    make_client("other")

    page = admin.post(f"{LIST}add/", GOOD | values)

    assert page.status_code == 200
    assert error in page.content.decode()
    assert ApiClient.objects.count() == 1


@pytest.mark.parametrize("modes", [[], "v1", ["v1", "v1"], ["best"], [1], {"v1": 1}], ids=str)
def test_model_rejects_unknown_modes(modes: object) -> None:
    with pytest.raises(Exception, match=r"Modes|blank"):
        ApiClient(name="shop", modes=modes).full_clean()


def test_change_is_stored_and_keeps_todays_quota_usage(admin: Client) -> None:
    client = make_client(daily_quota=10)
    insert_batch_tickets(some_tickets(5), "v1", draw_date=WEDNESDAY)
    claim_tickets(client, ClaimRequest("v1", 5), "one")

    assert admin.post(change(client), GOOD | {"active": ""}).status_code == 302

    client.refresh_from_db()
    assert (client.daily_quota, client.active, client.days.get().used) == (250, False, 5)
    page = text_of(admin.get(change(client)))
    assert "5 of 250 tickets used; resets at 2026-11-25 05:00 UTC, midnight in New York." in page


def test_list_shows_limits_and_todays_usage_of_each_client(admin: Client) -> None:
    client = make_client(daily_quota=1500, rate=2000)
    make_client("narrow", modes=["v2"], active=False)
    insert_batch_tickets(some_tickets(20), "v1", draw_date=WEDNESDAY)
    claim_tickets(client, ClaimRequest("v1", 7), "one")
    client.days.create(day=date(2026, 11, 23), used=99)
    make_key(client)
    make_key(client, expiry_date=NOON + timedelta(seconds=1))
    make_key(client, expiry_date=NOON)
    make_key(client, revoked=True)

    response = admin.get(LIST)

    rows = {client_row.name: client_row for client_row in response.context["cl"].result_list}
    assert (rows["shop"].used_today, rows["shop"].active_keys) == (7, 2)
    assert (rows["narrow"].used_today, rows["narrow"].active_keys) == (0, 0)
    page = response.content.decode()
    for cell in (">all<", ">v2<", ">1,500<", ">2,000<"):
        assert cell in page


def test_number_of_queries_does_not_depend_on_the_clients(admin: Client) -> None:
    counts = []
    for number in range(2):
        make_key(make_client(f"first-{number}"))
        with CaptureQueriesContext(
            connection,
        ) as queries:
            admin.get(LIST)
        counts.append(len(queries))
        for more in range(5):
            make_key(make_client(f"more-{number}-{more}"))
    assert counts[0] == counts[1]


# Deleting


def test_client_with_claims_cannot_be_deleted_and_the_page_says_why(admin: Client) -> None:
    client = make_client()
    insert_batch_tickets(some_tickets(5), "v1", draw_date=WEDNESDAY)
    claim_tickets(client, ClaimRequest("v1", 5), "one")
    address = change(client).replace("change", "delete")

    for response in (admin.get(address, follow=True), admin.post(address, {"post": "yes"}, follow=True)):
        assert response.redirect_chain == [(change(client), 302)]
        assert "Client shop has claims, which are kept permanently" in text_of(response)
    assert ApiClient.objects.exists()
    assert not LogEntry.objects.exists()


def test_a_client_that_claims_while_it_is_deleted_stays(
    admin: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = make_client()
    insert_batch_tickets(some_tickets(5), "v1", draw_date=WEDNESDAY)
    log_deletions = ModelAdmin.log_deletions

    def claim_first(*args: Any, **options: Any) -> Any:
        claim_tickets(client, ClaimRequest("v1", 5), "meanwhile")
        return log_deletions(*args, **options)

    monkeypatch.setattr("django.contrib.admin.options.ModelAdmin.log_deletions", claim_first)
    page = admin.post(change(client).replace("change", "delete"), {"post": "yes"}, follow=True)

    assert "Client shop has claims" in text_of(page)
    assert ApiClient.objects.exists()
    assert not LogEntry.objects.exists()


def test_a_client_without_claims_is_deleted_with_its_keys(admin: Client) -> None:
    client = make_client()
    key = make_key(client)
    address = change(client).replace("change", "delete")

    confirm = admin.get(address).content.decode()
    assert key[9:] not in confirm
    assert ApiKey.objects.get().hashed_key not in confirm
    assert admin.post(address, {"post": "yes"}).status_code == 302

    assert not ApiClient.objects.exists()
    assert not ApiKey.objects.exists()
    quota_response = Client().get("/api/v1/quota", headers={"Authorization": f"Api-Key {key}"})
    assert quota_response.status_code == 401


def test_clients_are_not_deleted_many_at_once(admin: Client) -> None:
    make_client()

    assert "delete_selected" not in admin.get(LIST).content.decode()
