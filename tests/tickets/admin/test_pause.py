"""Admin actions that pause and resume modes."""

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.test import Client

from tests.factories import WEDNESDAY, make_prediction, queued_batch
from tests.staff import staff_who_may, text_of
from tickets.generation.generator import BatchTicketGenerator
from tickets.models import TicketBatch
from tickets.models.policies import ModePolicy

pytestmark = pytest.mark.django_db

POLICIES = "/admin/tickets/modepolicy/"
PAUSE, RESUME = f"{POLICIES}pause/", f"{POLICIES}resume/"
TWO = {"modes": ["v1", "random_forest"]}


def paused() -> list[str]:
    return list(ModePolicy.objects.filter(paused=True).order_by("mode").values_list("mode", flat=True))


def logged() -> list[tuple[str, str]]:
    entries = LogEntry.objects.filter(action_flag=CHANGE).order_by("id")
    return [(entry.object_repr, entry.get_change_message()) for entry in entries]


def test_pause_preview_lists_what_stops_and_what_continues(admin: Client) -> None:
    make_prediction()
    batch = queued_batch(10)

    page = text_of(admin.get(PAUSE, TWO))

    assert "<li>v1 will be paused</li> <li>random_forest will be paused</li>" in page
    assert f"will still be generated: batch {batch.pk} of random_forest (queued)." in page
    assert f"/admin/tickets/ticketbatch/cancel/?batches={batch.pk}" in page
    assert 'value="Pause v1, random_forest"' in page
    assert paused() == []


def test_a_confirmed_pause_leaves_the_modes_out_until_they_are_resumed(admin: Client) -> None:
    for mode in ("v1", "v2"):
        make_prediction(mode)
    order = BatchTicketGenerator(10, ["v1", "v2"])

    done = text_of(admin.post(PAUSE, {"modes": ["v1"]}, follow=True))
    order.generate_batch("one", draw_date=WEDNESDAY)
    again = text_of(admin.post(PAUSE, TWO, follow=True))
    resumed = text_of(admin.post(RESUME, {"modes": ["v1", "v2"]}, follow=True))
    order.generate_batch("two", draw_date=WEDNESDAY)

    assert "Paused: v1." in done
    assert "Paused: random_forest." in again
    assert "Already paused: v1." in again
    assert "Resumed: v1." in resumed
    assert "Already active: v2." in resumed
    made = TicketBatch.objects.order_by("id").values_list("run__pipeline_run_id", "mode")
    assert list(made) == [("one", "v2"), ("two", "v1"), ("two", "v2")]
    assert paused() == ["random_forest"]
    assert logged() == [("v1", "Paused."), ("random_forest", "Paused."), ("v1", "Resumed.")]


def test_no_confirmation_is_needed_without_a_change(admin: Client) -> None:
    assert 'value="Resume ' not in text_of(admin.get(RESUME, TWO))
    ModePolicy.objects.update(paused=True)
    page = text_of(admin.get(PAUSE, TWO))
    assert "v1 is already paused" in page
    assert 'value="Pause ' not in page


def test_the_selected_and_a_modes_page_lead_to_the_preview(admin: Client) -> None:
    ModePolicy.objects.filter(mode="v2").update(paused=True)
    v1, v2 = (ModePolicy.objects.get(mode=mode) for mode in ("v1", "v2"))
    for action, page in (("pause_selected", PAUSE), ("resume_selected", RESUME)):
        chosen = {"action": action, "_selected_action": [v1.pk, v2.pk]}
        assert admin.post(POLICIES, chosen)["Location"] == f"{page}?modes=v1&modes=v2"

    assert f"{PAUSE}?modes=v1" in admin.get(f"{POLICIES}{v1.pk}/change/").content.decode()
    assert f"{RESUME}?modes=v2" in admin.get(f"{POLICIES}{v2.pk}/change/").content.decode()


@pytest.mark.parametrize("page", [PAUSE, RESUME])
def test_pause_needs_permission_to_change_policies(page: str) -> None:
    ModePolicy.objects.filter(mode="v1").update(paused=page == RESUME)
    before, stranger = paused(), staff_who_may("change_ticketbatch")

    for response in (stranger.get(page), stranger.get(page, TWO), stranger.post(page, TWO)):
        assert response.status_code == 403
    listing = stranger.get(POLICIES).content.decode()
    assert (page in listing, "_selected" in listing) == (False, False)
    assert paused() == before


def test_a_mode_that_is_none_is_an_error(admin: Client) -> None:
    for modes in ([], ["v9"]):
        assert "allowed are random_forest, lstm, v1, v2, hybrid." in text_of(
            admin.post(PAUSE, {"modes": modes})
        )
    assert paused() == []
