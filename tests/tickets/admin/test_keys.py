"""API keys in the admin: shown once and stored nowhere, revoked permanently, permissions."""

from collections.abc import Iterator
from datetime import UTC, date, datetime

import pytest
import time_machine
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.test import Client

from tests.factories import make_client, make_key
from tests.staff import staff_who_may, text_of
from tickets.claims.api_keys import create_key as make_named_key
from tickets.claims.api_keys import key_expiry
from tickets.models.clients import ApiClient, ApiKey

pytestmark = pytest.mark.django_db

LIST = "/admin/tickets/apiclient/"
MAKE, REVOKE = f"{LIST}make-key/", f"{LIST}revoke-key/"
NOON = datetime(2026, 11, 24, 17, tzinfo=UTC)  # in New York


@pytest.fixture(autouse=True)
def _at_noon() -> Iterator[None]:
    with time_machine.travel(NOON, tick=False):
        yield


def change(client: ApiClient) -> str:
    return f"{LIST}{client.pk}/change/"


def quota_call(key: str) -> int:
    return Client().get("/api/v1/quota", headers={"Authorization": f"Api-Key {key}"}).status_code


def test_new_key_is_shown_once_on_an_uncached_page(admin: Client) -> None:
    client = make_client()
    params = {"client": "shop", "name": "till 3", "last_day": "2026-12-31"}

    preview = admin.get(MAKE, params)
    assert "A key for <strong>shop</strong> that" in text_of(preview)
    assert "<strong>expires 2027-01-01 05:00 UTC</strong> will be created" in text_of(preview)
    assert not ApiKey.objects.exists()
    order = params | {"begins": dict(preview.context["confirmed"])["begins"]}
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
    kept += [session.get_decoded() for session in Session.objects.all()]
    assert secret not in str(kept)
    entry = LogEntry.objects.get()
    assert (entry.action_flag, entry.object_id) == (CHANGE, str(client.pk))
    assert entry.get_change_message().startswith(
        f"Created key {key.prefix}, which expires 2027-01-01 05:00 UTC."
    )
    for address in (change(client), LIST, "/admin/", MAKE):
        assert secret not in admin.get(address).content.decode()


def test_repeated_submission_creates_and_shows_no_second_key(admin: Client) -> None:
    make_client()
    order = {"client": "shop", "begins": "abcd1234"}
    text = admin.post(MAKE, order).context["text"]

    again = admin.post(MAKE, order)

    assert ApiKey.objects.count() == 1
    assert "key abcd1234 already exists; its text is shown only once" in again.content.decode()
    assert text.partition(".")[2] not in again.content.decode()
    assert LogEntry.objects.count() == 1


def test_key_can_lack_name_and_expiry(admin: Client) -> None:
    make_client()

    page = admin.post(MAKE, {"client": "shop"})

    assert (ApiKey.objects.get().name, ApiKey.objects.get().expiry_date) == ("2026-11-24", None)
    assert "it never expires" in text_of(page)


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({"client": ""}, "Client: choose one."),
        ({"client": "nobody"}, "Client: there is no client of that name"),
        ({"last_day": "soon"}, "Last day: allowed is a date such as 2026-11-25."),
        ({"last_day": "2026-11-23"}, "Last day: expires 2026-11-23: allowed is a day from 2026-11-24 to "),
        ({"last_day": "9999-12-31"}, "Last day: expires 9999-12-31: allowed is a day from 2026-11-24 to "),
        ({"name": "x" * 51}, "Label: enter at most 50 characters."),
        ({"name": "a\x07b"}, "Label: enter printable characters only."),
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
    assert key_expiry(date(2026, 11, 24)) == datetime(2026, 11, 25, 5, tzinfo=UTC)
    assert key_expiry(date(2027, 7, 1)) == datetime(2027, 7, 2, 4, tzinfo=UTC)
    with pytest.raises(ValueError, match="allowed is a day from 2026-11-24"):
        key_expiry(date(2026, 11, 23))
    with pytest.raises(ValueError, match="in the future"):
        make_named_key(make_client(), "late", NOON)


def test_client_page_lists_key_prefixes_and_never_a_hash(admin: Client) -> None:
    client = make_client()
    texts = [make_key(client, name="till 1"), make_key(client, revoked=True)]
    texts.append(make_key(client, expiry_date=NOON))

    page = admin.get(change(client)).content.decode()

    for key, text in zip(ApiKey.objects.order_by("revoked"), texts, strict=False):
        assert key.prefix in page
        for secret in (key.hashed_key, key.hashed_key.partition("$$")[2], key.pk, text.partition(".")[2]):
            assert secret not in page
    cells = [cell.split("<")[0].strip() for cell in page.split("<td>")]
    states = [
        cell.rstrip("\n (") for cell in cells if cell.rstrip("\n (") in ("active", "expired", "revoked")
    ]
    assert sorted(states) == ["active", "expired", "revoked"]
    assert page.count(">revoke</a>") == 2


def test_a_key_is_revoked_for_good_after_a_preview(admin: Client) -> None:
    client = make_client()
    text, other = make_key(client), make_key(client)
    prefix = text[:8]

    preview = text_of(admin.get(REVOKE, {"begins": prefix}))
    assert "This key will be revoked permanently." in preview
    assert "Revoke key" in preview
    assert quota_call(text) == 200
    done = admin.post(REVOKE, {"begins": prefix}, follow=True)

    assert f"Key {prefix} of shop is revoked" in text_of(done)
    assert (quota_call(text), quota_call(other)) == (401, 200)
    entry = LogEntry.objects.get()
    assert (entry.action_flag, entry.get_change_message()) == (CHANGE, f"Revoked key {prefix}.")
    assert "This key is already revoked." in text_of(admin.get(REVOKE, {"begins": prefix}))
    assert "is already revoked" in text_of(admin.post(REVOKE, {"begins": prefix}))
    assert LogEntry.objects.count() == 1


def test_a_whole_key_is_no_beginning_and_the_error_repeats_no_more_than_that(admin: Client) -> None:
    text = make_key(make_client())

    page = admin.post(REVOKE, {"begins": text})

    assert f"there is no key &#x27;{text[:8]}&#x27;; enter the 8 characters" in page.content.decode()
    assert quota_call(text) == 200


@pytest.mark.parametrize(("page", "permission"), [(MAKE, "add_apikey"), (REVOKE, "change_apikey")])
def test_creating_and_revoking_keys_needs_permission(page: str, permission: str) -> None:
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


def test_key_page_of_the_library_is_not_registered(admin: Client) -> None:
    assert admin.get("/admin/rest_framework_api_key/apikey/").status_code == 404
    assert "rest_framework_api_key" not in admin.get("/admin/").content.decode()
