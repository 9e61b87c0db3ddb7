"""Admin actions that generate batches and purge tickets: preview, confirmation and log."""

from datetime import date, datetime, timedelta

import pytest
from django.contrib.admin.models import ADDITION, CHANGE, LogEntry
from django.db.models import F
from django.test import Client
from django_q.models import OrmQ

from predictions.draws.sources import upcoming_draw
from predictions.models import new_run_id
from tests.factories import WEDNESDAY, make_prediction, some_tickets
from tests.staff import staff_who_may
from tickets.models import GenerationRun, PreGeneratedTicket, TicketBatch
from tickets.models.policies import ModePolicy
from tickets.store import deletion, insert_batch_tickets, purge, purge_batch
from tickets.tasks import purge_ticket_batch

pytestmark = pytest.mark.django_db

PURGE = "/admin/tickets/pregeneratedticket/purge/"
TICKETS = "/admin/tickets/pregeneratedticket/"
GENERATE = "/admin/tickets/generationrun/generate/"
SATURDAY = date(2026, 11, 28)


# Purge by filter


@pytest.fixture
def tickets() -> None:
    insert_batch_tickets(some_tickets(4), "v1", "old", WEDNESDAY)
    PreGeneratedTicket.objects.update(created_at=F("created_at") - timedelta(days=10))
    insert_batch_tickets(some_tickets(3, powerball=2), "v1", "new", WEDNESDAY)
    insert_batch_tickets(some_tickets(2, powerball=3), "v2", "new", WEDNESDAY)
    insert_batch_tickets(some_tickets(1), "v1", "new", SATURDAY)


def stock() -> dict[tuple[str, str, str], int]:
    """Return each batch's stored count, checked against the ticket table."""
    batches = TicketBatch.objects.select_related("run").order_by("id")
    for batch in batches:
        assert batch.stored == PreGeneratedTicket.objects.filter(batch=batch).count()
    return {(batch.run.pipeline_run_id, batch.mode, str(batch.draw_date)): batch.stored for batch in batches}


OLD, V1, V2, LATER = (
    ("old", "v1", "2026-11-25"),
    ("new", "v1", "2026-11-25"),
    ("new", "v2", "2026-11-25"),
    ("new", "v1", "2026-11-28"),
)
ALL = {OLD: 4, V1: 3, V2: 2, LATER: 1}


@pytest.mark.usefixtures("tickets")
@pytest.mark.parametrize(
    ("params", "total", "left"),
    [
        ({"mode": "v2"}, 2, {V2: 0}),
        ({"draw_date": "2026-11-25"}, 9, {OLD: 0, V1: 0, V2: 0}),
        ({"days": "7"}, 4, {OLD: 0}),
        ({"mode": "v1", "draw_date": "2026-11-28"}, 1, {LATER: 0}),
        ({"mode": "v1", "days": "7"}, 4, {OLD: 0}),
        ({"mode": "v2", "days": "7"}, 0, {}),
        ({"days": "11"}, 0, {}),
    ],
)
def test_a_purge_deletes_exactly_what_its_preview_showed(
    params: dict[str, str], total: int, left: dict[tuple[str, str, str], int], admin: Client
) -> None:
    preview = admin.get(PURGE, params).content.decode()
    assert f"<strong>{total} tickets</strong> will be deleted" in preview
    assert (f"Delete {total} tickets" in preview) == (total > 0)
    assert stock() == ALL

    done = admin.post(PURGE, params, follow=True)

    assert f"{total} tickets purged." in done.content.decode()
    assert stock() == ALL | left
    entries = LogEntry.objects.all()
    assert (entries.count(), {entry.action_flag for entry in entries} <= {CHANGE}) == (len(left), True)


def test_purge_by_age_deletes_only_the_old_tickets_of_a_batch(admin: Client) -> None:
    insert_batch_tickets(some_tickets(5), "v1", "run", WEDNESDAY)
    old = PreGeneratedTicket.objects.order_by("id")[:2]
    PreGeneratedTicket.objects.filter(pk__in=[ticket.pk for ticket in old]).update(
        created_at=F("created_at") - timedelta(days=10)
    )

    assert "<strong>2 tickets</strong>" in admin.get(PURGE, {"days": 7}).content.decode()
    admin.post(PURGE, {"days": 7})

    assert stock() == {("run", "v1", "2026-11-25"): 3}
    assert LogEntry.objects.get().get_change_message() == "Purged 2 tickets older than 7 days."


@pytest.mark.usefixtures("tickets")
@pytest.mark.parametrize(
    ("filtered", "total"),
    [
        ({"mode__exact": "v1"}, 8),
        ({"draw_date": "2026-11-25", "o": "1", "p": "1"}, 9),
        ({"mode__exact": "v1", "draw_date": "2026-11-28"}, 1),
    ],
)
def test_purge_link_of_the_list_applies_its_filters(
    filtered: dict[str, str], total: int, admin: Client
) -> None:
    listed = admin.get(TICKETS, filtered)
    (button,) = [address for _, address in listed.context["buttons"] if address.startswith(PURGE)]

    assert listed.context["cl"].result_count == total
    assert f"<strong>{total} tickets</strong> will be deleted" in admin.get(button).content.decode()


@pytest.mark.usefixtures("tickets")
def test_purge_names_an_unsupported_filter_and_previews_nothing(admin: Client) -> None:
    past = {"created_at__gte": "2026-11-01 00:00:00+00:00", "created_at__lt": "2027-01-01 00:00:00+00:00"}
    filtered = {"mode__exact": "v1", "q": "1 2 3"} | past
    listed = admin.get(TICKETS, filtered)
    (button,) = [address for _, address in listed.context["buttons"] if address.startswith(PURGE)]

    page = admin.get(button)

    assert "The list was also filtered by a search and created at" in page.content.decode()
    assert '<option value="v1" selected>' in page.content.decode()
    assert page.context["preview"] is None
    assert "Delete" not in page.content.decode()


@pytest.mark.usefixtures("tickets")
def test_the_preview_counts_by_batch_and_mode(admin: Client) -> None:
    page = admin.get(PURGE, {"draw_date": "2026-11-25"}).content.decode()

    assert "7 of v1, 2 of v2" in " ".join(page.split())
    assert page.count('<td class="number">') == 3


def test_purge_runs_in_chunks_and_keeps_the_counts(admin: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deletion, "DELETE_CHUNK", 3)
    insert_batch_tickets(some_tickets(8), "v1", "run", WEDNESDAY)
    chunks: list[int] = []

    assert purge_batch(TicketBatch.objects.get(), chunks.append, before=None) == 8
    assert chunks == [3, 3, 2]
    assert stock() == {("run", "v1", "2026-11-25"): 0}


def test_purge_of_named_batches_respects_the_other_conditions(admin: Client) -> None:
    for number in (1, 2, 3):
        insert_batch_tickets(some_tickets(3, powerball=number), "v1", f"run-{number}", WEDNESDAY)
    first, second, _ = TicketBatch.objects.order_by("id")
    PreGeneratedTicket.objects.filter(batch=first).update(created_at=F("created_at") - timedelta(days=10))

    admin.post(PURGE, {"batches": f"{first.pk}, {second.pk}", "days": 7})

    assert [batch.stored for batch in TicketBatch.objects.order_by("id")] == [0, 3, 3]


# What is much


def test_a_large_purge_is_enqueued_and_done_in_parts_by_tasks(
    admin: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(purge, "INLINE_LIMIT", 4)
    monkeypatch.setattr(purge, "TASK_LIMIT", 3)
    insert_batch_tickets(some_tickets(8), "v1", "run", WEDNESDAY)
    insert_batch_tickets(some_tickets(2), "v2", "other", SATURDAY)
    batch = TicketBatch.objects.get(mode="v1")

    preview = admin.get(PURGE, {"mode": "v1"}).content.decode()
    assert "Large purge; runs in the background." in preview
    assert "No cluster is running" in preview
    done = admin.post(PURGE, {"mode": "v1"}, follow=True).content.decode()

    assert "8 tickets are being purged in the background" in done
    assert LogEntry.objects.get().get_change_message() == "Enqueued purge of 8 tickets."
    assert PreGeneratedTicket.objects.count() == 10
    parts = []
    while OrmQ.objects.exists():
        task = OrmQ.objects.get()
        assert (task.key, task.func()) == ("shiolplus", "tickets.tasks.purge_ticket_batch")
        arguments = task.task["args"]
        task.delete()
        parts.append(purge_ticket_batch(*arguments)["deleted"])
    assert parts == [3, 3, 2]
    assert purge_ticket_batch(batch.pk, None) == {"batch": batch.pk, "deleted": 0}  # delivered again
    assert stock() == {("run", "v1", "2026-11-25"): 0, ("other", "v2", "2026-11-28"): 2}


def test_large_purge_by_age_ignores_tickets_that_age_meanwhile(
    admin: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(purge, "INLINE_LIMIT", 1)
    insert_batch_tickets(some_tickets(5), "v1", "run", WEDNESDAY)
    old = list(PreGeneratedTicket.objects.order_by("id")[:3])
    PreGeneratedTicket.objects.filter(pk__in=[ticket.pk for ticket in old]).update(
        created_at=F("created_at") - timedelta(days=10)
    )
    admin.post(PURGE, {"days": 7})
    batch, before, _ = OrmQ.objects.get().task["args"]
    just_in_time = datetime.fromisoformat(before) + timedelta(microseconds=1)  # past seven days by now
    PreGeneratedTicket.objects.exclude(pk__in=[ticket.pk for ticket in old]).update(created_at=just_in_time)

    purge_ticket_batch(batch, before)

    assert stock() == {("run", "v1", "2026-11-25"): 2}


@pytest.mark.usefixtures("tickets")
@pytest.mark.parametrize(
    ("params", "error"),
    [
        (
            {"mode": "", "draw_date": "", "days": ""},
            "Enter at least one of batches, mode, draw date and days.",
        ),
        ({"mode": "v9"}, "Mode: v9 is not a mode; choose from random_forest, lstm, v1, v2, hybrid."),
        ({"draw_date": "soon"}, "Draw date: allowed is a date such as 2026-11-25."),
        ({"draw_date": "2026-11-26"}, "Draw date: 2026-11-26 is a Thursday without a draw"),
        ({"days": "0"}, "Days: allowed is a whole number from 1 to 36,500."),
        ({"days": "x"}, "Days: allowed is a whole number from 1 to 36,500."),
        ({"days": "9" * 30}, "Days: allowed is a whole number from 1 to 36,500."),
        ({"mode": "v1", "days": "-1"}, "Days: allowed is a whole number from 1 to 36,500."),
    ],
)
def test_a_bad_filter_is_an_error_and_deletes_nothing(
    params: dict[str, str], error: str, admin: Client
) -> None:
    for method in (admin.get, admin.post):
        response = method(PURGE, params)
        assert response.status_code == 200
        assert error in response.content.decode()
        assert "Delete" not in response.content.decode()

    assert stock() == ALL


@pytest.mark.usefixtures("tickets")
def test_a_purge_posted_with_nothing_at_all_deletes_nothing(admin: Client) -> None:
    assert "Enter at least one" in admin.post(PURGE, {}).content.decode()
    assert stock() == ALL


# Generate a batch

PARAMS = {"modes": ["random_forest", "v1"], "batch_size": "1200", "draw_date": "2026-11-25"}


def test_preview_creates_nothing_and_names_modes_without_prediction(admin: Client) -> None:
    make_prediction(draw_date=WEDNESDAY)
    insert_batch_tickets(some_tickets(3), "random_forest", "before", WEDNESDAY)

    page = admin.get(GENERATE, PARAMS).content.decode()

    assert "<strong>1,200 tickets</strong> for the draw of <strong>2026-11-25</strong>" in page
    assert '<td class="number">3</td><td class="number">1,200</td>' in page
    assert page.count("no prediction for this draw") == 1
    assert "No cluster is running" in page
    assert GenerationRun.objects.count() == 1
    assert not OrmQ.objects.exists()


def test_a_confirmed_order_is_enqueued_and_logged_once(admin: Client) -> None:
    make_prediction(draw_date=WEDNESDAY)
    params = PARAMS | {"modes": "random_forest", "run_id": new_run_id("admin")}

    first = admin.post(GENERATE, params, follow=True)
    again = admin.post(GENERATE, params, follow=True)

    run = GenerationRun.objects.get()
    assert (run.pipeline_run_id, run.modes, run.batch_size) == (params["run_id"], ["random_forest"], 1200)
    assert (run.draw_date, run.status, run.auto_cleanup) == (WEDNESDAY, "running", False)
    assert f"Run {run} enqueued: 1,200 tickets of random_forest for 2026-11-25." in first.content.decode()
    assert "no new batch was created" in again.content.decode()
    assert OrmQ.objects.count() == 1
    entry = LogEntry.objects.get()
    assert (entry.action_flag, entry.object_id) == (ADDITION, str(run.pk))


def test_mode_without_prediction_fails_with_its_reason(admin: Client) -> None:
    done = admin.post(GENERATE, PARAMS | {"modes": "v1"}, follow=True).content.decode()

    assert "v1: no prediction of v1 for the draw of 2026-11-25" in done
    assert "enqueued:" not in done
    assert GenerationRun.objects.get().status == "failed"


def test_an_order_without_a_size_is_as_the_policies_say_and_a_paused_mode_is_marked(admin: Client) -> None:
    for mode in ("random_forest", "v1", "v2"):
        make_prediction(mode, WEDNESDAY)
    ModePolicy.objects.filter(mode="v1").update(batch_size=2500)
    ModePolicy.objects.filter(mode="v2").update(paused=True)
    params = PARAMS | {"modes": ["random_forest", "v1", "v2"], "batch_size": ""}

    page = admin.get(GENERATE, params).content.decode()
    done = admin.post(GENERATE, params, follow=True).content.decode()

    assert "<strong>2,600 tickets</strong>" in page
    assert [page.count(f'<td class="number">{size}</td></tr>') for size in ("100", "2,500", "0")] == [1, 1, 1]
    assert page.count("paused, not included") == 1
    assert "100 tickets of random_forest, 2,500 tickets of v1 for 2026-11-25" in done
    assert "v2: paused; staff who may change mode policies" in done
    assert GenerationRun.objects.get().batch_size is None


def test_an_order_of_paused_modes_alone_cannot_be_confirmed(admin: Client) -> None:
    ModePolicy.objects.update(paused=True)

    page = admin.get(GENERATE, PARAMS).content.decode()

    assert page.count("paused, not included") == 2
    assert 'class="default"' not in page


def test_an_order_without_a_date_is_for_the_next_draw(admin: Client) -> None:
    admin.post(GENERATE, PARAMS | {"draw_date": ""})

    assert GenerationRun.objects.get().draw_date == upcoming_draw()


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"modes": []}, "Modes: choose at least one; allowed are random_forest, lstm, v1, v2, hybrid."),
        ({"modes": "v9"}, "Modes: v9 is not one; allowed are random_forest, lstm, v1, v2, hybrid."),
        ({"batch_size": "0"}, "Batch size: allowed is a whole number from 1 to 10,000,000."),
        ({"batch_size": "10000001"}, "Batch size: allowed is a whole number from 1 to 10,000,000."),
        ({"batch_size": "ten"}, "Batch size: allowed is a whole number from 1 to 10,000,000."),
        ({"draw_date": "2026-11-26"}, "2026-11-26 is a Thursday without a draw"),
        ({"draw_date": "2012-01-18"}, "was of the 59/35 matrix"),
        ({"draw_date": "11/25/2026"}, "Draw date: allowed is a date such as 2026-11-25."),
    ],
)
def test_a_bad_order_is_an_error_at_its_field(change: dict[str, object], error: str, admin: Client) -> None:
    for method in (admin.get, admin.post):
        response = method(GENERATE, PARAMS | change)
        assert response.status_code == 200
        assert error in response.content.decode()

    assert not GenerationRun.objects.exists()


def test_an_id_that_names_another_run_is_a_message(admin: Client) -> None:
    admin.post(GENERATE, PARAMS | {"run_id": "one"})

    page = admin.post(GENERATE, PARAMS | {"run_id": "one", "batch_size": "7"}).content.decode()

    assert "already names a run with batch_size 1200, not 7" in page


# Who may


@pytest.mark.parametrize(
    ("page", "permission", "params"),
    [(PURGE, "delete_pregeneratedticket", {"mode": "v1"}), (GENERATE, "add_generationrun", PARAMS)],
)
@pytest.mark.usefixtures("tickets")
def test_staff_without_the_permission_neither_see_open_nor_post_an_action(
    page: str, permission: str, params: dict[str, object]
) -> None:
    others = {
        "delete_pregeneratedticket",
        "add_generationrun",
        "add_pregeneratedticket",
        "delete_ticketbatch",
    }
    stranger = staff_who_may(*(others - {permission}))
    listing = page.rsplit("/", 2)[0] + "/"

    assert page not in stranger.get(listing).content.decode()
    for response in (stranger.get(page), stranger.get(page, params), stranger.post(page, params)):
        assert response.status_code == 403
    assert stock() == ALL


@pytest.mark.parametrize(
    ("page", "permission", "params"),
    [(PURGE, "delete_pregeneratedticket", {"mode": "v1"}), (GENERATE, "add_generationrun", PARAMS)],
)
@pytest.mark.usefixtures("tickets")
def test_staff_with_permission_can_open_and_submit_the_page(
    page: str, permission: str, params: dict[str, object]
) -> None:
    keeper = staff_who_may(permission)

    assert f'href="{page}"' in keeper.get(page.rsplit("/", 2)[0] + "/").content.decode()
    assert keeper.get(page).status_code == 200
    assert keeper.post(page, params).status_code == 302
    assert stock() != ALL


@pytest.mark.usefixtures("tickets")
@pytest.mark.parametrize(("page", "params"), [(PURGE, {"mode": "v1"}), (GENERATE, PARAMS)])
def test_a_post_without_the_forms_token_is_refused(
    page: str, params: dict[str, object], admin: Client
) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = admin.cookies

    assert strict.post(page, params).status_code == 403
    assert stock() == ALL


def test_a_stranger_is_sent_to_the_login(client: Client) -> None:
    assert client.post(PURGE, {"mode": "v1"})["Location"].startswith("/admin/login/")
