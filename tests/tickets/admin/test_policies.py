"""Admin pages of mode policies: permissions and validation; no adding or deleting."""

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.test import Client

from tests.staff import staff_who_may, superuser
from tickets.models.policies import ModePolicy

pytestmark = pytest.mark.django_db
LIST = "/admin/tickets/modepolicy/"
GOOD = {"batch_size": "250000", "keep_days": "30", "max_ready": "0", "priority": "-5", "paused": "on"}


@pytest.fixture
def keeper() -> Client:
    return staff_who_may("change_modepolicy")


@pytest.fixture
def address() -> str:
    return f"{LIST}{ModePolicy.objects.get(mode='v1').pk}/change/"


def values() -> list[tuple[object, ...]]:
    fields = ("mode", "batch_size", "keep_days", "max_ready", "priority", "paused")
    return list(ModePolicy.objects.values_list(*fields))


def test_list_shows_the_effective_policy_of_every_mode(keeper: Client) -> None:
    ModePolicy.objects.filter(mode="v1").update(batch_size=250000, max_ready=3_333, paused=True)

    page = keeper.get(LIST).content.decode()

    assert "Select mode policy to change" in page
    for mode in ("random_forest", "lstm", "v1", "v2", "hybrid"):
        assert f">{mode}</a>" in page
    assert "250,000" in page
    assert "3,333" in page
    assert page.count("100,000") == 4
    assert (page.count(">paused</td>"), page.count(">included</td>")) == (1, 4)


def test_a_change_is_stored_and_logged(keeper: Client, address: str) -> None:
    assert keeper.post(address, GOOD).status_code == 302

    assert ("v1", 250000, 30, 0, -5, True) in values()
    entry = LogEntry.objects.get()
    assert (entry.action_flag, entry.object_repr) == (CHANGE, "v1")
    assert entry.get_change_message() == "Changed Batch size, Keep days, Max ready, Priority and Paused."


def test_the_mode_itself_cannot_be_changed(keeper: Client, address: str) -> None:
    keeper.post(address, GOOD | {"mode": "v2"})

    assert [mode for mode, *_ in values()] == ["random_forest", "lstm", "v1", "v2", "hybrid"]


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (
            {"batch_size": "0"},
            "Batch size: &#x27;0&#x27; is not allowed; enter a whole number from 1 to 10,000,000.",
        ),
        ({"batch_size": "10000001"}, "Batch size: &#x27;10000001&#x27; is not allowed"),
        ({"batch_size": "ten"}, "Batch size: &#x27;ten&#x27; is not allowed"),
        ({"batch_size": ""}, "Batch size: a value is required; enter a whole number from 1 to 10,000,000."),
        (
            {"keep_days": "36501"},
            "Keep days: &#x27;36501&#x27; is not allowed; enter a whole number from 1 to 36,500.",
        ),
        (
            {"max_ready": "10000001"},
            "Max ready: &#x27;10000001&#x27; is not allowed; enter a whole number from 0 to 10,000,000.",
        ),
        ({"max_ready": "-1"}, "Max ready: &#x27;-1&#x27; is not allowed"),
        ({"max_ready": ""}, "Max ready: a value is required"),
        ({"keep_days": "0"}, "Keep days: &#x27;0&#x27; is not allowed"),
        (
            {"priority": "101"},
            "Priority: &#x27;101&#x27; is not allowed; enter a whole number from -100 to 100.",
        ),
        ({"priority": "1.5"}, "Priority: &#x27;1.5&#x27; is not allowed"),
        ({"priority": "9" * 5000}, f"Priority: &#x27;{'9' * 40}&#x27; is not allowed"),
    ],
)
def test_invalid_value_is_named_with_field_and_allowed_values(
    change: dict[str, str], error: str, keeper: Client, address: str
) -> None:
    before = values()

    page = keeper.post(address, GOOD | change)

    assert page.status_code == 200
    assert error in page.content.decode()
    assert values() == before


def test_there_is_nothing_to_add_or_to_delete(keeper: Client, address: str) -> None:
    for client in (keeper, superuser()):
        assert client.get(f"{LIST}add/").status_code == 403
        assert client.post(address.replace("change", "delete"), {"post": "yes"}).status_code == 403
        assert "delete_selected" not in client.get(LIST).content.decode()
    assert len(values()) == 5


def test_staff_with_view_permission_cannot_change_policies(address: str) -> None:
    stranger, before = staff_who_may("view_modepolicy", "change_generationrun"), values()

    assert 'name="_save"' not in stranger.get(address).content.decode()
    assert stranger.post(address, GOOD).status_code == 403
    assert values() == before
