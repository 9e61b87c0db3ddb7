"""The admin action that regenerates a mode: old tickets remain until the new batch is ready."""

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django_q.models import OrmQ

from predictions.models import new_run_id
from tests.factories import WEDNESDAY, claim_tickets, make_prediction, queued_batch, some_tickets
from tests.staff import staff_who_may, text_of
from tickets.generation.generator import BatchTicketGenerator
from tickets.generation.lifecycle import cancel_batch, fail_if_exhausted, retry_batch
from tickets.models import GenerationRun, PreGeneratedTicket, TicketBatch
from tickets.models.policies import ModePolicy
from tickets.store import get_cached_tickets, insert_batch_tickets
from tickets.tasks import generate_ticket_batch, purge_ticket_batch

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("on_tuesday")]

REGENERATE = "/admin/tickets/generationrun/regenerate/"
PARAMS = {"mode": "v1", "draw_date": "2026-11-25"}
WORK = {task.__name__: task for task in (generate_ticket_batch, purge_ticket_batch)}


@pytest.fixture
def old() -> TicketBatch:
    """Generate 200 tickets of v1 for Wednesday, 3 of them claimed, and 4 unrelated ones of v2."""
    make_prediction("v1")
    BatchTicketGenerator(200, ["v1"]).generate_batch("old", draw_date=WEDNESDAY, async_mode=False)
    insert_batch_tickets(some_tickets(4), "v2", "other", WEDNESDAY)
    batch = TicketBatch.objects.get(mode="v1")
    claim_tickets(batch, 3)
    return batch


def work() -> list[str]:
    """Run the queued tasks until the queue is empty, and return their names."""
    called = []
    while (task := OrmQ.objects.order_by("id").first()) is not None:
        name, arguments = task.func().rsplit(".", 1)[1], task.task["args"]
        task.delete()
        WORK[name](*arguments)
        called.append(name)
    return called


def stock() -> list[tuple[str, int]]:
    """Return each batch's stored count, checked against the ticket table."""
    batches = list(TicketBatch.objects.order_by("id"))
    for batch in batches:
        assert batch.stored == PreGeneratedTicket.objects.filter(batch=batch).count()
    return [(batch.mode, batch.stored) for batch in batches]


def test_regeneration_preview_lists_new_deleted_and_kept_tickets(old: TicketBatch, admin: Client) -> None:
    page = text_of(admin.get(REGENERATE, {"mode": "v1", "draw_date": "2026-11-25"}))

    assert (
        "<strong>197 tickets</strong> of v1 for the draw of <strong>2026-11-25</strong> will be generated"
        in page
    )
    assert "(draws through 2025-12-22)" in page
    assert "the new ones are available as soon as they are stored" in page
    assert "<strong>197 tickets</strong> will be deleted, except those claimed in the meantime" in page
    assert '<td>old</td><td>ready</td><td class="number">197</td> <td class="number">3</td>' in page
    assert 'name="size" value="197"' in page
    assert (stock(), OrmQ.objects.count()) == ([("v1", 200), ("v2", 4)], 0)


def test_the_old_tickets_are_the_stock_until_the_new_batch_is_ready_and_then_the_unclaimed_go(
    old: TicketBatch, admin: Client
) -> None:
    confirmed = PARAMS | {"size": "250", "run_id": new_run_id("admin")}
    done = text_of(admin.post(REGENERATE, confirmed, follow=True))
    again = text_of(admin.post(REGENERATE, confirmed, follow=True))
    run = GenerationRun.objects.get(pipeline_run_id=confirmed["run_id"])
    new = run.batches.get()

    order = f"250 tickets of v1 for 2026-11-25, replacing batch {old.pk} when ready"
    assert f"Run {run} enqueued: {order}." in done
    assert f"Run {run} already exists; no new batch was created." in again
    assert (new.replaces, run.auto_cleanup, OrmQ.objects.count()) == ([old.pk], False, 1)
    assert stock() == [("v1", 200), ("v2", 4), ("v1", 0)]
    entries = {(entry.object_id, entry.get_change_message()) for entry in LogEntry.objects.all()}
    assert entries == {
        (str(run.pk), f"Requested {order}."),
        (str(old.pk), f"Unclaimed tickets will be purged when batch {new.pk} is ready."),
    }

    assert work() == ["generate_ticket_batch", "purge_ticket_batch"]

    assert stock() == [("v1", 3), ("v2", 4), ("v1", 250)]
    assert {ticket["pipeline_run_id"] for ticket in get_cached_tickets("v1", 100, WEDNESDAY)} == {str(run)}
    assert purge_ticket_batch(old.pk, None)["deleted"] == 0  # delivered again


@pytest.mark.parametrize("end", ["cancelled", "failed"])
def test_failed_regeneration_replaces_nothing_until_it_is_retried(
    end: str, old: TicketBatch, admin: Client
) -> None:
    admin.post(REGENERATE, PARAMS)
    new = TicketBatch.objects.get(run__pipeline_run_id__startswith="admin-")
    if end == "failed":
        TicketBatch.objects.filter(pk=new.pk).update(attempts=TicketBatch.MAX_ATTEMPTS)
    assert fail_if_exhausted(new) if end == "failed" else cancel_batch(new)

    assert "purge_ticket_batch" not in work()
    assert stock() == [("v1", 200), ("v2", 4), ("v1", 0)]

    assert retry_batch(new)
    assert work()[-2:] == ["generate_ticket_batch", "purge_ticket_batch"]
    assert stock() == [("v1", 3), ("v2", 4), ("v1", 197)]


def test_running_batch_is_not_replaced_and_the_preview_says_so(old: TicketBatch, admin: Client) -> None:
    BatchTicketGenerator(10, ["v1"]).generate_batch("other-order", draw_date=WEDNESDAY)
    unfinished = TicketBatch.objects.get(run__pipeline_run_id="other-order")
    TicketBatch.objects.filter(pk=unfinished.pk).update(generated=5, stored=5)

    page = text_of(admin.get(REGENERATE, PARAMS))
    admin.post(REGENERATE, PARAMS)

    assert f"Batch {unfinished.pk} of v1 for that draw is queued and will not be replaced." in page
    assert f"/admin/tickets/ticketbatch/cancel/?batches={unfinished.pk}" in page
    assert TicketBatch.objects.get(run__pipeline_run_id__startswith="admin-").replaces == [old.pk]


def test_regeneration_without_stock_uses_the_policys_batch_size(admin: Client) -> None:
    make_prediction("v1")
    ModePolicy.objects.filter(mode="v1").update(batch_size=2_500)

    page = text_of(admin.get(REGENERATE, PARAMS))

    assert "<strong>2,500 tickets</strong> of v1" in page
    assert "so nothing will be deleted" in page


@pytest.mark.parametrize(
    ("mode", "day", "reason"),
    [
        (
            "v2",
            "2026-11-25",
            "it has no prediction for 2026-11-25; run the pipeline first.",
        ),
        ("random_forest", "2026-11-25", "it is paused."),
        ("v1", "2025-12-22", "the draw of 2025-12-22 is over."),
    ],
)
def test_impossible_regeneration_is_refused_with_the_reason(
    mode: str, day: str, reason: str, old: TicketBatch, admin: Client
) -> None:
    make_prediction("random_forest")
    ModePolicy.objects.filter(mode="random_forest").update(paused=True)
    params = {"mode": mode, "draw_date": day}

    for response in (admin.get(REGENERATE, params), admin.post(REGENERATE, params)):
        page = text_of(response)
        assert f"Mode {mode} cannot be regenerated: {reason}" in page
        assert 'type="submit" class="default"' not in page
    assert TicketBatch.objects.count() == 2


@pytest.mark.parametrize("permission", ["add_generationrun", "delete_pregeneratedticket"])
def test_regeneration_needs_both_add_and_delete_permission(permission: str, old: TicketBatch) -> None:
    stranger = staff_who_may(permission)

    assert REGENERATE not in stranger.get("/admin/tickets/generationrun/").content.decode()
    for response in (stranger.get(REGENERATE, PARAMS), stranger.post(REGENERATE, PARAMS)):
        assert response.status_code == 403


def test_regeneration_is_allowed_with_both_permissions(old: TicketBatch) -> None:
    keeper = staff_who_may("add_generationrun", "delete_pregeneratedticket")

    assert REGENERATE in keeper.get("/admin/tickets/generationrun/").content.decode()
    assert keeper.post(REGENERATE, PARAMS).status_code == 302


def test_a_batch_that_replaces_nothing_purges_nothing() -> None:
    make_prediction()
    queued_batch(10)

    assert work() == ["generate_ticket_batch"]
