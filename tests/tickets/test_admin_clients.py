"""API clients and their keys in the admin: named errors, a key shown once, revoked for good, claims kept."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.admin import ModelAdmin
from django.contrib.admin.models import ADDITION, CHANGE, LogEntry
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.factories import WEDNESDAY, make_client, make_key, some_tickets
from tests.staff import staff_who_may, superuser
from tickets.claims import Asked, claim_tickets
from tickets.clients import ApiClient, ApiKey
from tickets.keys import end_of_day
from tickets.keys import make_key as make_named_key
from tickets.models import Claim
from tickets.store import insert_batch_tickets

pytestmark = pytest.mark.django_db

LIST = "/admin/tickets/apiclient/"
MAKE, REVOKE = f"{LIST}make-key/", f"{LIST}revoke-key/"
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


@pytest.fixture
def admin() -> Client:
    return superuser()


def change(client: ApiClient) -> str:
    return f"{LIST}{client.pk}/change/"


def text_of(response: Any) -> str:
    return " ".join(response.content.decode().split())


def quota_call(key: str) -> int:
    return Client().get("/api/v1/quota", headers={"Authorization": f"Api-Key {key}"}).status_code


# Clients


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
            "Daily quota: &#x27;-1&#x27; is not allowed; allowed is a whole number from 0 to 10,000,000.",
        ),
        ({"daily_quota": "10000001"}, "Daily quota: &#x27;10000001&#x27; is not allowed"),
        ({"daily_quota": ""}, "Daily quota: is missing"),
        ({"rate": "0"}, "Rate: &#x27;0&#x27; is not allowed; allowed is a whole number from 1 to 1,000,000."),
        ({"rate": "1000001"}, "Rate: &#x27;1000001&#x27; is not allowed"),
        ({"rate": "many"}, "Rate: &#x27;many&#x27; is not allowed"),
        (
            {"modes": []},
            "Modes: choose at least one; allowed are random_forest, lstm, v1, v2, hybrid.",
        ),
        ({"modes": ["v1", "best"]}, "Modes: best is not one"),
        ({"name": ""}, "This field is required."),
        ({"name": "a\x07b"}, "Name: allowed are printable characters."),
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
def test_the_model_itself_wants_known_modes(modes: object) -> None:
    with pytest.raises(Exception, match=r"Modes|blank"):
        ApiClient(name="shop", modes=modes).full_clean()


def test_a_change_is_stored_and_keeps_todays_use(admin: Client) -> None:
    client = make_client(daily_quota=10)
    insert_batch_tickets(some_tickets(5), "v1", draw_date=WEDNESDAY)
    claim_tickets(client, Asked("v1", 5), "one")

    assert admin.post(change(client), GOOD | {"active": ""}).status_code == 302

    client.refresh_from_db()
    assert (client.daily_quota, client.active, client.days.get().used) == (250, False, 5)
    page = text_of(admin.get(change(client)))
    assert "5 of 250 tickets used; renewed at 2026-11-25 05:00 UTC, midnight in New York." in page


def test_the_list_shows_what_each_may_and_has_done_today(admin: Client) -> None:
    client = make_client(daily_quota=1500, rate=2000)
    make_client("narrow", modes=["v2"], active=False)
    insert_batch_tickets(some_tickets(20), "v1", draw_date=WEDNESDAY)
    claim_tickets(client, Asked("v1", 7), "one")
    client.days.create(day=date(2026, 11, 23), used=99)
    make_key(client)
    make_key(client, expiry_date=NOON + timedelta(seconds=1))
    make_key(client, expiry_date=NOON)
    make_key(client, revoked=True)

    response = admin.get(LIST)

    rows = {one.name: one for one in response.context["cl"].result_list}
    assert (rows["shop"].used_today, rows["shop"].keys_in_force) == (7, 2)
    assert (rows["narrow"].used_today, rows["narrow"].keys_in_force) == (0, 0)
    page = response.content.decode()
    for cell in ('may_claim nowrap">all', 'may_claim nowrap">v2', "1,500", "2,000"):
        assert cell.replace(" nowrap", "") in page.replace(" nowrap", "")


def test_the_list_asks_as_many_queries_for_many_clients_as_for_one(admin: Client) -> None:
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


# Its keys


def test_a_key_is_made_and_shown_once_on_a_page_that_nothing_keeps(admin: Client) -> None:
    client = make_client()
    asked = {"client": "shop", "name": "till 3", "last_day": "2026-12-31"}

    preview = admin.get(MAKE, asked)
    assert "A key of <strong>shop</strong> will be made" in text_of(preview)
    assert "it expires <strong>2027-01-01 05:00 UTC</strong>" in text_of(preview)
    assert not ApiKey.objects.exists()
    order = asked | {"begins": dict(preview.context["confirmed"])["begins"]}
    page = admin.post(MAKE, order)

    key = ApiKey.objects.get()
    assert (key.client, key.name, key.prefix) == (client, "till 3", order["begins"])
    assert key.expiry_date == datetime(2027, 1, 1, 5, tzinfo=UTC)
    text = page.context["text"]
    assert f'<code id="key">{text}</code>' in page.content.decode()
    assert quota_call(text) == 200
    assert "no-store" in page["Cache-Control"]
    secret = text.partition(".")[2]
    kept = [*LogEntry.objects.values_list("change_message", "object_repr"), page.headers, page.cookies]
    kept += [one.get_decoded() for one in Session.objects.all()]
    assert secret not in str(kept)
    entry = LogEntry.objects.get()
    assert (entry.action_flag, entry.object_id) == (CHANGE, str(client.pk))
    assert entry.get_change_message().startswith(
        f"Made the key {key.prefix}; it expires 2027-01-01 05:00 UTC."
    )
    for address in (change(client), LIST, "/admin/", MAKE):
        assert secret not in admin.get(address).content.decode()


def test_the_same_order_again_makes_no_second_key_and_shows_none(admin: Client) -> None:
    make_client()
    order = {"client": "shop", "begins": "abcd1234"}
    text = admin.post(MAKE, order).context["text"]

    again = admin.post(MAKE, order)

    assert ApiKey.objects.count() == 1
    assert "the key abcd1234 exists already, and its text is shown only once" in again.content.decode()
    assert text.partition(".")[2] not in again.content.decode()
    assert LogEntry.objects.count() == 1


def test_a_key_may_be_without_name_and_end(admin: Client) -> None:
    make_client()

    page = admin.post(MAKE, {"client": "shop"})

    assert (ApiKey.objects.get().name, ApiKey.objects.get().expiry_date) == ("2026-11-24", None)
    assert "which expires never" in text_of(page)


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({"client": ""}, "Client: choose one."),
        ({"client": "nobody"}, "Client: there is none of that name"),
        ({"last_day": "soon"}, "Last day: allowed is a date such as 2026-11-25."),
        ({"last_day": "2026-11-23"}, "Last day: expires 2026-11-23: allowed is a day from 2026-11-24 to "),
        ({"last_day": "9999-12-31"}, "Last day: expires 9999-12-31: allowed is a day from 2026-11-24 to "),
        ({"name": "x" * 51}, "Name: allowed are at most 50 characters."),
        ({"name": "a\x07b"}, "Name: allowed are printable characters."),
        ({"begins": "short"}, "allowed are 8 letters and digits"),
        ({"begins": "abc.def1"}, "allowed are 8 letters and digits"),
    ],
)
def test_a_bad_order_of_a_key_is_named(values: dict[str, str], error: str, admin: Client) -> None:
    make_client()

    page = admin.post(MAKE, {"client": "shop", "begins": "abcd1234"} | values)

    assert error in page.content.decode()
    assert not ApiKey.objects.exists()


def test_the_last_day_ends_at_midnight_in_new_york() -> None:
    assert end_of_day(date(2026, 11, 24)) == datetime(2026, 11, 25, 5, tzinfo=UTC)
    assert end_of_day(date(2027, 7, 1)) == datetime(2027, 7, 2, 4, tzinfo=UTC)
    with pytest.raises(ValueError, match="allowed is a day from 2026-11-24"):
        end_of_day(date(2026, 11, 23))
    with pytest.raises(ValueError, match="to come"):
        make_named_key(make_client(), "late", NOON)


def test_the_clients_page_lists_keys_by_what_they_begin_with_and_never_a_hash(admin: Client) -> None:
    client = make_client()
    texts = [make_key(client, name="till 1"), make_key(client, revoked=True)]
    texts.append(make_key(client, expiry_date=NOON))

    page = admin.get(change(client)).content.decode()

    for key, text in zip(ApiKey.objects.order_by("revoked"), texts, strict=False):
        assert key.prefix in page
        for secret in (key.hashed_key, key.hashed_key.partition("$$")[2], key.pk, text.partition(".")[2]):
            assert secret not in page
    cells = [one.split("<")[0].strip() for one in page.split("<td>")]
    states = [one.rstrip("\n (") for one in cells if one.rstrip("\n (") in ("in force", "expired", "revoked")]
    assert sorted(states) == ["expired", "in force", "revoked"]
    assert page.count(">revoke</a>") == 2


def test_a_key_is_revoked_for_good_after_a_preview(admin: Client) -> None:
    client = make_client()
    text, other = make_key(client), make_key(client)
    prefix = text[:8]

    preview = text_of(admin.get(REVOKE, {"begins": prefix}))
    assert "It will be revoked for good." in preview
    assert "Yes, revoke it for good" in preview
    assert quota_call(text) == 200
    done = admin.post(REVOKE, {"begins": prefix}, follow=True)

    assert f"The key {prefix} of shop is revoked" in text_of(done)
    assert (quota_call(text), quota_call(other)) == (401, 200)
    entry = LogEntry.objects.get()
    assert (entry.action_flag, entry.get_change_message()) == (CHANGE, f"Revoked the key {prefix}.")
    assert "It is revoked already." in text_of(admin.get(REVOKE, {"begins": prefix}))
    assert "is revoked already" in text_of(admin.post(REVOKE, {"begins": prefix}))
    assert LogEntry.objects.count() == 1


def test_a_whole_key_is_no_beginning_and_the_error_repeats_no_more_than_that(admin: Client) -> None:
    text = make_key(make_client())

    page = admin.post(REVOKE, {"begins": text})

    assert f"there is no key &#x27;{text[:8]}&#x27;; allowed" in page.content.decode()
    assert quota_call(text) == 200


@pytest.mark.parametrize(("page", "permission"), [(MAKE, "add_apikey"), (REVOKE, "change_apikey")])
def test_keys_are_made_and_revoked_only_by_those_who_may(page: str, permission: str) -> None:
    client = make_client()
    order = {"client": "shop", "begins": make_key(client)[:8] if page == REVOKE else "abcd1234"}
    stranger = staff_who_may("change_apiclient")

    assert stranger.get(page, order).status_code == 403
    assert stranger.post(page, order).status_code == 403
    assert "make-key" not in stranger.get(change(client)).content.decode()
    assert ">revoke<" not in stranger.get(change(client)).content.decode()
    assert ApiKey.objects.filter(revoked=False).count() == (1 if page == REVOKE else 0)
    User.objects.all().delete()
    assert staff_who_may(permission).post(page, order).status_code in (200, 302)
    assert ApiKey.objects.filter(revoked=False).count() == (0 if page == REVOKE else 1)


def test_the_librarys_own_page_of_keys_is_gone(admin: Client) -> None:
    assert admin.get("/admin/rest_framework_api_key/apikey/").status_code == 404
    assert "rest_framework_api_key" not in admin.get("/admin/").content.decode()


# Deleting


def test_a_client_with_claims_is_not_deleted_and_the_page_says_why(admin: Client) -> None:
    client = make_client()
    insert_batch_tickets(some_tickets(5), "v1", draw_date=WEDNESDAY)
    claim_tickets(client, Asked("v1", 5), "one")
    address = change(client).replace("change", "delete")

    for response in (admin.get(address, follow=True), admin.post(address, {"post": "yes"}, follow=True)):
        assert response.redirect_chain == [(change(client), 302)]
        assert "The client shop has claims, which are kept for good" in text_of(response)
    assert ApiClient.objects.exists()
    assert not LogEntry.objects.exists()


def test_a_client_that_claims_while_it_is_deleted_stays(
    admin: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = make_client()
    insert_batch_tickets(some_tickets(5), "v1", draw_date=WEDNESDAY)
    log_deletions = ModelAdmin.log_deletions

    def claim_first(*args: Any, **options: Any) -> Any:
        claim_tickets(client, Asked("v1", 5), "meanwhile")
        return log_deletions(*args, **options)

    monkeypatch.setattr("django.contrib.admin.options.ModelAdmin.log_deletions", claim_first)
    page = admin.post(change(client).replace("change", "delete"), {"post": "yes"}, follow=True)

    assert "The client shop has claims" in text_of(page)
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
    assert quota_call(key) == 401


def test_clients_are_not_deleted_many_at_once(admin: Client) -> None:
    make_client()

    assert "delete_selected" not in admin.get(LIST).content.decode()


# Claims


CLAIMS = "/admin/tickets/claim/"


@pytest.fixture
def claims() -> list[Claim]:
    """Of shop, shop, shopkeeper and other."""
    made = []
    for number, (name, mode) in enumerate(
        [("shop", "v1"), ("shop", "v2"), ("shopkeeper", "v1"), ("other", "v1")]
    ):
        client = ApiClient.objects.filter(name=name).first() or make_client(name)
        day = date(2026, 11, 28) if name == "other" else WEDNESDAY
        insert_batch_tickets(some_tickets(2, powerball=number + 1), mode, f"run-{number}", day)
        made.append(claim_tickets(client, Asked(mode, 2, day), f"key-{number}")[0])
    return made


def listed(admin: Client, **query: str) -> list[int]:
    response = admin.get(CLAIMS, query)
    assert response.status_code == 200
    return [one.pk for one in response.context["cl"].result_list]


def test_claims_are_found_by_client_mode_and_draw_newest_first(admin: Client, claims: list[Claim]) -> None:
    first, second, third, fourth = (one.pk for one in claims)

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


def test_the_list_of_claims_neither_counts_nor_asks_for_each_client(
    admin: Client, claims: list[Claim], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tickets.admin.stock.FOUND_AT_MOST", 3)

    with CaptureQueriesContext(connection) as queries:
        page = admin.get(CLAIMS)

    asked = [one["sql"] for one in queries if '"tickets_claim"' in one["sql"]]
    assert not [sql for sql in asked if "COUNT(" in sql]
    assert not [sql for sql in asked if "LIMIT" not in sql and " IN (" not in sql]
    assert len([one for one in queries if "tickets_apiclient" in one["sql"]]) == 1
    assert "more than" in text_of(page)
    assert len(page.context["cl"].result_list) == 3


def test_the_page_of_a_claim_shows_its_numbers_when_their_rows_are_gone(
    admin: Client, claims: list[Claim]
) -> None:
    claims[0].tickets.all().delete()

    page = text_of(admin.get(f"{CLAIMS}{claims[0].pk}/change/"))

    assert "<td>1 2 3 4 5 +1</td><td>v1</td><td>0.500</td><td>not drawn yet</td>" in page
    assert "<td>1 2 3 4 6 +1</td>" in page
    assert "key-0" in page
    assert f'<a href="{change(claims[0].client)}">shop</a>' in page


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
    assert f'<a href="{CLAIMS}?q=shop">All its claims</a>' in page
    assert timezone.now() == NOON
