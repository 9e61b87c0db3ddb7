"""Admin actions that retry failed batches and cancel unfinished ones."""

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.test import Client
from django_q.models import OrmQ

from tests.factories import WEDNESDAY, make_prediction, queued_batch
from tests.staff import staff_who_may, superuser, text_of
from tickets.admin import batch_pages
from tickets.generation.generator import BatchTicketGenerator
from tickets.generation.lifecycle import cancel_batch, retry_batch
from tickets.generation.worker import run_batch, run_next_batch
from tickets.models import TicketBatch

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("on_tuesday")]

BATCHES = "/admin/tickets/ticketbatch/"
RETRY, CANCEL = f"{BATCHES}retry/", f"{BATCHES}cancel/"


@pytest.fixture
def failed() -> TicketBatch:
    """Create a batch that failed after a third of its tickets."""
    make_prediction()
    batch = queued_batch(
        300,
        chunk_size=100,
        status="failed",
        generated=100,
        error="no progress after 5 attempts",
    )
    OrmQ.objects.all().delete()
    return batch


@pytest.fixture
def without_a_law() -> TicketBatch:
    """Create a batch that failed because its mode had no prediction."""
    BatchTicketGenerator(100, ["lstm"]).generate_batch(draw_date=WEDNESDAY)
    return TicketBatch.objects.get(mode="lstm")


def states() -> list[str]:
    return list(TicketBatch.objects.order_by("id").values_list("status", flat=True))


def logged() -> list[tuple[str, str]]:
    entries = LogEntry.objects.filter(action_flag=CHANGE).order_by("id")
    return [(entry.object_id, entry.get_change_message()) for entry in entries]


# Retry


def test_the_retry_page_offers_all_that_failed_for_draws_to_come_and_changes_nothing(
    failed: TicketBatch, without_a_law: TicketBatch, admin: Client
) -> None:
    past = queued_batch(10, status="failed", draw_date="2025-12-20")
    OrmQ.objects.all().delete()

    page = text_of(admin.get(RETRY))

    assert "<strong>2 batches</strong> will be queued again" in page
    assert "100 of 300" in page
    assert "no progress after 5 attempts" in page
    assert 'its prediction of <span class="nowrap">20' in page
    assert "no prediction for its draw, so it will fail again; run the pipeline first" in page
    assert "No cluster is running" in page
    assert f'name="batches" value="{failed.pk} {without_a_law.pk}"' in page
    assert f"/{past.pk}/change/" not in page
    assert (states(), OrmQ.objects.count()) == (["failed"] * 3, 0)


def test_confirmed_batches_are_requeued_logged_and_resumed(failed: TicketBatch, admin: Client) -> None:
    done = text_of(admin.post(RETRY, {"batches": failed.pk}, follow=True))

    assert f"1 batch queued again: batch {failed.pk} of random_forest." in done
    assert (states(), OrmQ.objects.count()) == (["queued"], 1)
    assert logged() == [(str(failed.pk), "Queued again; continues at 100 of 300 tickets.")]
    assert run_next_batch() == failed.pk
    failed.refresh_from_db()
    assert (failed.status, failed.generated) == ("ready", 300)


def test_batch_changed_since_the_preview_is_named_and_skipped(
    failed: TicketBatch, without_a_law: TicketBatch, admin: Client
) -> None:
    retry_batch(failed)
    run_batch(failed.pk)
    OrmQ.objects.all().delete()
    confirmed = {"batches": f"{failed.pk} {without_a_law.pk}"}

    first = text_of(admin.post(RETRY, confirmed, follow=True))
    again = text_of(admin.post(RETRY, confirmed, follow=True))

    assert f"1 batch queued again: batch {without_a_law.pk} of lstm." in first
    assert f"Not changed: batch {failed.pk} of random_forest is already ready." in first
    assert f"batch {without_a_law.pk} of lstm is already queued" in again
    assert "queued again:" not in again
    assert (OrmQ.objects.count(), len(logged())) == (1, 1)


def test_batch_of_a_past_draw_is_retried_only_if_named_with_a_warning(admin: Client) -> None:
    make_prediction()
    past = queued_batch(10, status="failed", draw_date="2025-12-20")

    assert "No failed batch for an upcoming draw." in text_of(admin.get(RETRY))
    page = text_of(admin.get(RETRY, {"batches": past.pk}))
    assert "the draw is over, so its tickets cannot be claimed" in page
    admin.post(RETRY, {"batches": past.pk})
    assert states() == ["queued"]


def test_a_confirmation_takes_no_batch_that_its_preview_did_not_show(
    failed: TicketBatch, without_a_law: TicketBatch, admin: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_pages, "MAX_SELECTED", 1)

    page = text_of(admin.get(RETRY))
    nothing = text_of(admin.post(RETRY, {"batches": ""}))

    assert "1 more are not listed" in page
    assert f'name="batches" value="{failed.pk}"' in page
    assert "Nothing was changed: enter batch ids" in nothing
    assert states() == ["failed", "failed"]


# Cancel


def test_queued_batch_is_cancelled_and_keeps_its_tickets(admin: Client) -> None:
    make_prediction()
    batch = queued_batch(300, generated=100, stored=100)

    page = text_of(admin.get(CANCEL))
    done = text_of(admin.post(CANCEL, {"batches": batch.pk}, follow=True))
    again = text_of(admin.post(CANCEL, {"batches": batch.pk}, follow=True))

    assert "<td>100 tickets</td>" in page
    assert f"1 batch cancelled: batch {batch.pk} of random_forest." in done
    assert f"batch {batch.pk} of random_forest is already cancelled" in again
    batch.refresh_from_db()
    assert (batch.status, batch.error, batch.stored) == ("cancelled", "cancelled by admin", 100)
    assert logged() == [(str(batch.pk), "Cancelled; 100 stored tickets kept.")]


def test_cancelled_running_batch_stops_at_its_next_chunk(admin: Client) -> None:
    make_prediction()
    batch = queued_batch(300, chunk_size=100)

    def cancel(now: TicketBatch) -> None:
        if now.generated == 100:
            admin.post(CANCEL, {"batches": now.pk})

    run_batch(batch.pk, watch=cancel)

    batch.refresh_from_db()
    assert (batch.status, batch.stored) == ("cancelled", 100)


def test_with_nothing_to_cancel_there_is_nothing_to_confirm(admin: Client) -> None:
    page = text_of(admin.get(CANCEL))

    assert "No batch is queued or running." in page
    assert 'class="default"' not in page


# Ways there, and who may


def test_the_selected_and_a_batchs_page_lead_to_the_preview(failed: TicketBatch, admin: Client) -> None:
    queued = queued_batch(10, seed=8)
    for action, page in (("retry_selected", RETRY), ("cancel_selected", CANCEL)):
        chosen = {"action": action, "_selected_action": [failed.pk, queued.pk]}
        assert admin.post(BATCHES, chosen)["Location"] == f"{page}?batches={failed.pk}+{queued.pk}"

    both = admin.get(RETRY, {"batches": f"{failed.pk} {queued.pk}"}).context["preview"]["confirm"]
    of_failed = admin.get(f"{BATCHES}{failed.pk}/change/").content.decode()
    of_queued = admin.get(f"{BATCHES}{queued.pk}/change/").content.decode()

    assert both == {"batches": str(failed.pk)}
    assert (f"{RETRY}?batches={failed.pk}" in of_failed, CANCEL in of_failed) == (True, False)
    assert (f"{CANCEL}?batches={queued.pk}" in of_queued, RETRY in of_queued) == (True, False)


@pytest.mark.parametrize("page", [RETRY, CANCEL])
def test_retry_and_cancel_need_the_change_permission(page: str, failed: TicketBatch) -> None:
    stranger, keeper = staff_who_may("delete_pregeneratedticket"), superuser()
    queued = queued_batch(10, seed=8)
    params = {"batches": f"{failed.pk} {queued.pk}"}

    for response in (stranger.get(page), stranger.get(page, params), stranger.post(page, params)):
        assert response.status_code == 403
    listing = stranger.get(BATCHES).content.decode()
    assert (page in listing, "_selected" in listing, "retry_selected" in listing) == (False, True, False)
    cancel_batch(queued)
    assert keeper.post(page, params).status_code == 302
