"""Admin pages of claims: lookup without a full count, and read-only access."""

from collections.abc import Iterator
from datetime import UTC, date, datetime

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.factories import WEDNESDAY, make_client, make_draw, some_tickets
from tests.staff import heard_of, text_of
from tickets.claims.allocation import ClaimRequest, claim_tickets
from tickets.models import Claim
from tickets.models.clients import ApiClient
from tickets.store import insert_batch_tickets

pytestmark = pytest.mark.django_db

CLAIMS = "/admin/tickets/claim/"
LIST = "/admin/tickets/apiclient/"
NOON = datetime(2026, 11, 24, 17, tzinfo=UTC)  # in New York


@pytest.fixture(autouse=True)
def _at_noon() -> Iterator[None]:
    with time_machine.travel(NOON, tick=False):
        yield


def change(client: ApiClient) -> str:
    return f"{LIST}{client.pk}/change/"


@pytest.fixture
def claims() -> list[Claim]:
    """Create claims of shop, shop, shopkeeper and other."""
    made = []
    for number, (name, mode) in enumerate(
        [("shop", "v1"), ("shop", "v2"), ("shopkeeper", "v1"), ("other", "v1")]
    ):
        client = ApiClient.objects.filter(name=name).first() or make_client(name)
        day = date(2026, 11, 28) if name == "other" else WEDNESDAY
        insert_batch_tickets(some_tickets(2, powerball=number + 1), mode, f"run-{number}", day)
        made.append(claim_tickets(client, ClaimRequest(mode, 2, day), f"key-{number}")[0])
    return made


def listed(admin: Client, **query: str) -> list[int]:
    response = admin.get(CLAIMS, query)
    assert response.status_code == 200
    return [claim.pk for claim in response.context["cl"].result_list]


def test_claims_are_found_by_client_mode_and_draw_newest_first(admin: Client, claims: list[Claim]) -> None:
    first, second, third, fourth = (claim.pk for claim in claims)

    assert listed(admin) == [fourth, third, second, first]
    assert listed(admin, q="shop") == [second, first]
    assert listed(admin, q="SHOP") == [third, second, first]
    assert listed(admin, q="keeper") == [third]
    assert listed(admin, q="nobody") == []
    assert listed(admin, mode__exact="v2") == [second]
    assert listed(admin, draw_date="2026-11-28") == [fourth]
    assert listed(admin, q="shop", mode__exact="v1", draw_date="2026-11-25") == [first]
    page = text_of(admin.get(CLAIMS, {"q": "shop"}))
    assert "2 claims" in page
    assert " results " not in page


def test_claim_list_neither_counts_rows_nor_queries_each_client(
    admin: Client, claims: list[Claim], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tickets.admin.tickets.RESULT_LIMIT", 3)

    with CaptureQueriesContext(connection) as queries:
        page = admin.get(CLAIMS)

    statements = [query["sql"] for query in queries if '"tickets_claim"' in query["sql"]]
    assert not [sql for sql in statements if "COUNT(" in sql]
    assert not [sql for sql in statements if "LIMIT" not in sql and " IN (" not in sql]
    assert len([query for query in queries if "tickets_apiclient" in query["sql"]]) == 1
    assert "more than" in text_of(page)
    assert len(page.context["cl"].result_list) == 3


def test_claim_page_shows_numbers_of_deleted_tickets(admin: Client, claims: list[Claim]) -> None:
    claims[0].tickets.all().delete()

    shown = admin.get(f"{CLAIMS}{claims[0].pk}/change/")
    page = text_of(shown)

    assert "1 2 3 4 5 Powerball 1" in heard_of(shown)
    assert "1 2 3 4 6 Powerball 1" in heard_of(shown)
    assert "</td><td>v1</td><td>0.500</td><td>not drawn yet</td>" in page
    assert "hit" not in heard_of(shown)
    assert "key-0" in page
    assert f'<a href="{change(claims[0].client)}">shop</a>' in page


def test_matching_balls_of_a_claim_are_marked(admin: Client, claims: list[Claim]) -> None:
    make_draw(WEDNESDAY, (2, 4, 33, 41, 60), powerball=1)

    page = heard_of(admin.get(f"{CLAIMS}{claims[0].pk}/change/"))

    assert "1 2 hit 3 4 hit 5 Powerball 1 hit" in page


def test_claims_are_neither_added_nor_changed_nor_deleted(admin: Client, claims: list[Claim]) -> None:
    address = f"{CLAIMS}{claims[0].pk}/change/"

    assert admin.get(f"{CLAIMS}add/").status_code == 403
    assert admin.post(address, {"mode": "v2"}).status_code == 403
    assert admin.post(address.replace("change", "delete"), {"post": "yes"}).status_code == 403
    assert "delete_selected" not in admin.get(CLAIMS).content.decode()
    assert Claim.objects.count() == 4


def test_the_clients_page_links_its_newest_claims(admin: Client, claims: list[Claim]) -> None:
    page = admin.get(change(claims[0].client)).content.decode()

    assert f'<a href="{CLAIMS}{claims[1].pk}/change/">' in page
    assert f'<a href="{CLAIMS}{claims[3].pk}/change/">' not in page
    assert f'<a href="{CLAIMS}?q=shop">All claims of this client</a>' in page
