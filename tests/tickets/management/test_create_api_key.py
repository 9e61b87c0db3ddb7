"""Tests of `manage.py create_api_key`, for operators and for scripts."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import time_machine
from django.core.management import CommandError
from django.test import Client

from tests.commands import call, manage
from tests.factories import make_client
from tickets.models.clients import ApiClient, ApiKey

NOON = datetime(2026, 11, 24, 17, tzinfo=UTC)  # noon in New York
KEY = re.compile(r"[A-Za-z0-9]{8}\.[A-Za-z0-9]{32}")


@pytest.fixture
def _at_noon(db: None) -> Iterator[None]:
    with time_machine.travel(NOON, tick=False):
        yield


def accepted(key: str) -> bool:
    return Client().get("/api/v1/quota", headers={"Authorization": f"Api-Key {key}"}).status_code == 200


@pytest.mark.usefixtures("_at_noon")
def test_a_new_client_has_the_usual_limits_and_its_key_works() -> None:
    out, err = call("create_api_key", "shop")

    key, summary = out.splitlines()
    assert KEY.fullmatch(key)
    assert accepted(key)
    assert summary == (
        f"Created key {key[:8]} for new client shop (100 tickets per day, 600 requests per minute, "
        "random_forest, lstm, v1, v2, hybrid); it never expires."
    )
    assert err == ""
    assert ApiKey.objects.get().name == "2026-11-24"


@pytest.mark.usefixtures("_at_noon")
@pytest.mark.parametrize("modes", [("v1", "lstm"), ("v1,lstm",)])
def test_options_are_stored_on_a_new_client(modes: tuple[str, ...]) -> None:
    limits = ("--quota", "0", "--rate", "1000000", "--expires", "2026-12-31", "--key-name", "till 3")

    out, _ = call("create_api_key", "shop", *limits, "--modes", *modes)

    client = ApiClient.objects.get()
    assert (client.daily_quota, client.rate, client.modes) == (0, 1_000_000, ["v1", "lstm"])
    key = ApiKey.objects.get()
    assert (key.name, key.expiry_date) == ("till 3", datetime(2027, 1, 1, 5, tzinfo=UTC))
    assert out.splitlines()[-1].endswith(
        "(0 tickets per day, 1000000 requests per minute, v1, lstm); it expires 2027-01-01 05:00 UTC."
    )


@pytest.mark.usefixtures("_at_noon")
def test_days_are_counted_from_now() -> None:
    call("create_api_key", "shop", "--expires", "90")

    assert ApiKey.objects.get().expiry_date == datetime(2027, 2, 22, 17, tzinfo=UTC)


@pytest.mark.usefixtures("_at_noon")
def test_a_client_that_exists_gets_another_key_and_stays_as_it_is() -> None:
    make_client(daily_quota=7, active=False)

    out, _ = call("create_api_key", "shop", "--key-name", "spare")

    assert ApiClient.objects.get().daily_quota == 7
    assert "for client shop (7 tickets per day," in out
    assert out.endswith("it never expires; the client is inactive, so the key is not accepted.\n")
    assert [key.name for key in ApiKey.objects.all()] == ["spare"]


@pytest.mark.usefixtures("_at_noon")
def test_a_client_that_exists_is_not_changed_from_here() -> None:
    make_client()

    with pytest.raises(CommandError, match=r"already exists; --quota, --modes cannot change it\. .*admin"):
        call("create_api_key", "shop", "--quota", "5", "--modes", "v1")

    assert not ApiKey.objects.exists()


@pytest.mark.usefixtures("_at_noon")
def test_a_key_that_is_refused_leaves_no_client_behind() -> None:
    with pytest.raises(CommandError, match="allowed are 1 to 50 printable characters"):
        call("create_api_key", "shop", "--key-name", "x" * 51)

    assert not ApiClient.objects.exists()


@pytest.mark.usefixtures("_at_noon")
@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["shop", "--quota", "-1"], "--quota: '-1' is not an integer from 0 to 10000000"),
        (["shop", "--quota", "10000001"], "--quota: '10000001' is not an integer from 0 to 10000000"),
        (["shop", "--rate", "0"], "--rate: '0' is not an integer from 1 to 1000000"),
        (["shop", "--rate", "9" * 5000], "is not an integer from 1 to 1000000"),
        (["shop", "--modes", "best"], "best is not allowed; choose from random_forest"),
        (["shop", "--expires", "soon"], "'soon' is not a date such as 2026-11-25"),
        (["shop", "--expires", "0"], "'0' is not an integer from 1 to 36500"),
        (["shop", "--expires", "2026-11-23"], "allowed is a day from 2026-11-24 to "),
        (["a\tb"], "NAME: must have 1 to 100 printable characters"),
        (["x" * 101], "NAME: must have 1 to 100 printable characters"),
        (["   "], "NAME: must have 1 to 100 printable characters, not all blank"),
        ([""], "NAME: must have 1 to 100 printable characters"),
        ([], "the following arguments are required: NAME"),
    ],
)
def test_invalid_value_is_named_and_nothing_is_created(arguments: list[str], error: str) -> None:
    with pytest.raises(CommandError) as refused:
        call("create_api_key", *arguments)

    assert error in str(refused.value)
    assert not ApiClient.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_script_takes_the_key_alone_and_sees_how_it_ended_by_the_exit_code() -> None:
    quiet = manage("create_api_key", "shop", "-v", "0")
    assert (quiet.returncode, quiet.stderr) == (0, "")
    assert KEY.fullmatch(quiet.stdout.removesuffix("\n"))
    assert accepted(quiet.stdout.strip())

    assert manage("create_api_key", "shop", "--rate", "5").returncode == 1
    assert manage("create_api_key", "shop", "--rate", "none").returncode == 2
    assert ApiKey.objects.count() == 1
