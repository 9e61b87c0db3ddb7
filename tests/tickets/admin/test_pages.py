"""Admin pages: read-only browsing, and purging a batch after a preview."""

from datetime import date, timedelta

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import Permission
from django.db.models import Model
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from predictions.models import Cluster, Draw, PipelineRun, Prediction, TrainedModel, Training
from tests.factories import WEDNESDAY, make_model, make_prediction, some_tickets
from tests.staff import client_of, heard_of
from tickets.admin import batches
from tickets.generation.generator import BatchTicketGenerator
from tickets.models import GenerationRun, PreGeneratedTicket, TicketBatch
from tickets.store import insert_batch_tickets

pytestmark = pytest.mark.usefixtures("on_tuesday")

MODELS = [
    Cluster,
    Draw,
    PipelineRun,
    TrainedModel,
    Training,
    Prediction,
    GenerationRun,
    TicketBatch,
    PreGeneratedTicket,
]
ACTION = "purge_selected"


def address(model: type[Model], page: str, *args: object) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


PURGE = "/admin/tickets/pregeneratedticket/purge/"
TICKETS = "/admin/tickets/pregeneratedticket/"
BATCHES = "/admin/tickets/ticketbatch/"


@pytest.fixture
def superuser(db: None) -> Client:
    return client_of("admin", is_superuser=True)


@pytest.fixture
def viewer(db: None) -> Client:
    """Log in as staff with view permissions only."""
    return client_of("viewer", *Permission.objects.filter(codename__startswith="view_"))


@pytest.fixture
def rows(db: None, on_tuesday: None) -> None:
    """Create at least one row of every model with an admin page."""
    Draw.objects.create(
        draw_date=date(2025, 12, 22), n1=3, n2=18, n3=36, n4=41, n5=54, powerball=7, source="bundled"
    )
    make_model("v1", skill={"log_loss": 19.4951, "skill_se": 0.0021, "uniform_log_loss": 19.4930})
    prediction = make_prediction()  # with a model not measured, and a pipeline run
    prediction.run.steps.create(number=1, name="data", status="warning", summary="the feed is away")
    BatchTicketGenerator(3).generate_batch("pipe-1", async_mode=False, draw_date=WEDNESDAY)  # lstm fails
    insert_batch_tickets(some_tickets(4), "v2", "pipe-2", WEDNESDAY)
    Training.objects.create(mode="v1", draws_fingerprint="0" * 64, seed=1, code_version=1)
    long_ago = timezone.now() - timedelta(hours=1)
    Cluster.objects.create(holder="host/1/heavy", queue="heavy", host="host", status="running")
    Cluster.objects.create(
        holder="host/2/heavy", queue="heavy", host="host", status="running", seen_at=long_ago
    )


def batch_of(run_id: str, mode: str) -> TicketBatch:
    return TicketBatch.objects.get(run__pipeline_run_id=run_id, mode=mode)


# Browse


@pytest.mark.usefixtures("rows")
def test_cluster_with_a_silent_watchdog_is_not_shown_as_running(superuser: Client) -> None:
    page = superuser.get(address(Cluster, "changelist")).content.decode()

    assert page.count(">running</td>") == 1
    assert page.count(">not responding</td>") == 1


@pytest.mark.usefixtures("rows")
def test_running_batch_shows_rate_and_remaining_time(superuser: Client) -> None:
    batch = batch_of("pipe-1", "random_forest")
    TicketBatch.objects.filter(pk=batch.pk).update(
        status="running", requested=90_003, generated=3, stored=3, rate=30_000.0
    )

    page = superuser.get(BATCHES).content.decode()

    assert "3 of 90,003" in page
    assert ", 30,000/s, 3 s left" in page


@pytest.mark.usefixtures("rows")
@pytest.mark.parametrize("model", MODELS)
def test_each_list_and_each_row_has_a_page(model: type[Model], superuser: Client) -> None:
    assert superuser.get(address(model, "changelist")).status_code == 200
    assert model._default_manager.exists()
    for row in model._default_manager.all():
        response = superuser.get(address(model, "change", row.pk))
        assert response.status_code == 200
        assert 'name="_save"' not in response.content.decode()


@pytest.mark.usefixtures("rows")
@pytest.mark.parametrize(
    ("model", "query", "found"),
    [
        (Draw, "q=2025-12", 1),
        (Draw, "q=2026", 0),
        (PipelineRun, "q=test-", 1),
        (GenerationRun, "q=pipe", 2),
        (TicketBatch, "q=pipe-1", 2),
        (TicketBatch, "status__exact=failed", 1),
        (PreGeneratedTicket, "q=pipe-2", 4),
        (PreGeneratedTicket, "mode__exact=random_forest", 3),
    ],
)
def test_lists_can_be_searched_and_filtered(
    model: type[Model], query: str, found: int, superuser: Client
) -> None:
    response = superuser.get(f"{address(model, 'changelist')}?{query}")

    assert response.context["cl"].result_count == found


@pytest.mark.usefixtures("rows")
def test_pages_show_the_important_figures(superuser: Client) -> None:
    draws = heard_of(superuser.get(address(Draw, "changelist")))
    assert "3 18 36 41 54 Powerball 7" in draws
    models = superuser.get(address(TrainedModel, "changelist")).content.decode()
    assert "19.4951 ± 0.0021" in models
    assert "19.4930" in models
    assert "not measured" in models
    pipeline_run = PipelineRun.objects.get()
    assert (
        "the feed is away" in superuser.get(address(PipelineRun, "change", pipeline_run.pk)).content.decode()
    )
    run = GenerationRun.objects.get(pipeline_run_id="pipe-1")
    page = superuser.get(address(GenerationRun, "change", run.pk)).content.decode()
    assert "no prediction of lstm for the draw of 2026-11-25" in page
    assert address(TicketBatch, "change", batch_of("pipe-1", "lstm").pk) in page
    tickets = heard_of(superuser.get(address(PreGeneratedTicket, "changelist")))
    assert "1 2 3 4 5 Powerball 1" in tickets
    assert "0.500" in tickets


@pytest.mark.parametrize("model", MODELS)
def test_a_stranger_is_sent_to_the_login(model: type[Model], client: Client, db: None) -> None:
    response = client.get(address(model, "changelist"))

    assert (response.status_code, response["Location"].split("?")[0]) == (302, "/admin/login/")


# Nothing can be edited


@pytest.mark.usefixtures("rows")
@pytest.mark.parametrize("model", MODELS)
def test_nothing_can_be_added_changed_or_deleted_even_by_post(model: type[Model], superuser: Client) -> None:
    row = model._default_manager.all()[0]
    before = list(model._default_manager.order_by("pk").values())

    for page in (address(model, "add"), address(model, "delete", row.pk)):
        assert superuser.get(page).status_code == 403
        assert superuser.post(page, {"post": "yes"}).status_code == 403
    values = {field.name: "1" for field in model._meta.fields}
    assert superuser.post(address(model, "change", row.pk), values).status_code == 403
    chosen = {"action": "delete_selected", "_selected_action": row.pk, "post": "yes"}
    superuser.post(address(model, "changelist"), chosen)

    assert list(model._default_manager.order_by("pk").values()) == before


# Purge


@pytest.mark.usefixtures("rows")
def test_purge_page_shows_the_count_and_deletes_nothing(superuser: Client) -> None:
    batch = batch_of("pipe-2", "v2")

    response = superuser.get(PURGE, {"batches": batch.pk})

    assert response.status_code == 200
    page = response.content.decode()
    assert "<strong>4 tickets</strong> will be deleted" in page
    assert "Delete 4 tickets" in page
    assert PreGeneratedTicket.objects.count() == 7


@pytest.mark.usefixtures("rows")
def test_purging_deletes_exactly_the_batchs_tickets_and_keeps_the_batch(superuser: Client) -> None:
    batch = batch_of("pipe-2", "v2")
    others = list(PreGeneratedTicket.objects.exclude(batch=batch).order_by("pk").values())

    response = superuser.post(PURGE, {"batches": batch.pk}, follow=True)

    assert response.redirect_chain == [(TICKETS, 302)]
    assert "4 tickets purged." in response.content.decode()
    assert list(PreGeneratedTicket.objects.order_by("pk").values()) == others
    batch.refresh_from_db()
    assert (batch.status, batch.stored, batch.generated, batch.requested) == ("ready", 0, 4, 4)


@pytest.mark.usefixtures("rows")
def test_a_purge_is_written_into_the_admins_log(superuser: Client) -> None:
    batch = batch_of("pipe-2", "v2")

    superuser.post(PURGE, {"batches": batch.pk})

    entry = LogEntry.objects.get()
    assert (entry.user.username, entry.action_flag, entry.object_id) == ("admin", CHANGE, str(batch.pk))
    assert entry.get_change_message() == "Purged 4 tickets."


@pytest.mark.usefixtures("rows")
def test_selected_batches_are_purged_together_by_way_of_the_preview(superuser: Client) -> None:
    pks = [batch_of("pipe-1", "random_forest").pk, batch_of("pipe-2", "v2").pk]

    preview = superuser.post(BATCHES, {"action": ACTION, "_selected_action": pks}, follow=True)
    assert preview.redirect_chain[0][0].startswith(f"{PURGE}?batches=")
    assert "<strong>7 tickets</strong> will be deleted" in preview.content.decode()
    assert PreGeneratedTicket.objects.count() == 7

    superuser.post(PURGE, {"batches": " ".join(map(str, pks))})
    assert PreGeneratedTicket.objects.count() == 0
    assert LogEntry.objects.count() == 2


@pytest.mark.usefixtures("rows")
def test_purge_is_offered_on_list_and_batch_page_with_permission(superuser: Client) -> None:
    batch = batch_of("pipe-2", "v2")

    assert f'value="{ACTION}"' in superuser.get(BATCHES).content.decode()
    page = superuser.get(address(TicketBatch, "change", batch.pk)).content.decode()
    assert f"{PURGE}?batches={batch.pk}" in page


@pytest.mark.usefixtures("rows")
def test_purge_is_neither_offered_nor_allowed_without_permission(viewer: Client) -> None:
    batch = batch_of("pipe-2", "v2")

    page = viewer.get(BATCHES)
    assert page.status_code == 200
    assert ACTION not in page.content.decode()
    assert PURGE not in viewer.get(address(TicketBatch, "change", batch.pk)).content.decode()
    chosen = viewer.post(BATCHES, {"action": ACTION, "_selected_action": batch.pk})
    assert PURGE not in chosen.get("Location", "")
    assert viewer.get(PURGE, {"batches": batch.pk}).status_code == 403
    assert viewer.post(PURGE, {"batches": batch.pk}).status_code == 403

    assert PreGeneratedTicket.objects.count() == 7


@pytest.mark.usefixtures("rows")
def test_staff_with_delete_permission_can_purge() -> None:
    may = Permission.objects.filter(codename__in=["view_ticketbatch", "delete_pregeneratedticket"])
    keeper = client_of("keeper", *may)

    assert f'value="{ACTION}"' in keeper.get(BATCHES).content.decode()
    assert keeper.post(PURGE, {"batches": batch_of("pipe-2", "v2").pk}).status_code == 302
    assert PreGeneratedTicket.objects.count() == 3


@pytest.mark.usefixtures("rows")
def test_a_purge_without_the_forms_token_is_refused(superuser: Client) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = superuser.cookies

    assert strict.post(PURGE, {"batches": batch_of("pipe-2", "v2").pk}).status_code == 403
    assert PreGeneratedTicket.objects.count() == 7


@pytest.mark.usefixtures("rows")
@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize(
    ("named", "error"),
    [
        ("abc", "is not a batch id; enter ids separated by spaces, such as 3 5."),
        ("-1", "is not a batch id"),
        ("1.5", "is not a batch id"),
        ("²", "is not a batch id"),
        ("٣", "is not a batch id"),
        (str(10**30), "is not a batch id"),
        ("0", "Batches: there is no batch 0."),
        (f"{10**17} 999", f"Batches: there is no batch 999, {10**17}."),
        ("", "Enter at least one of batches, mode, draw date and days."),
    ],
)
def test_a_batch_that_is_none_is_an_error_and_deletes_nothing(
    named: str, error: str, method: str, superuser: Client
) -> None:
    response = getattr(superuser, method)(PURGE, {"batches": named})

    assert response.status_code == 200
    assert error in response.content.decode()
    assert PreGeneratedTicket.objects.count() == 7


@pytest.mark.usefixtures("rows")
def test_more_batches_than_an_address_can_name_are_refused(
    superuser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "MAX_SELECTED", 1)
    pks = list(TicketBatch.objects.values_list("pk", flat=True))

    page = superuser.post(BATCHES, {"action": ACTION, "_selected_action": pks}, follow=True)

    assert "Select at most 1 batches" in page.content.decode()
    assert page.redirect_chain == [(BATCHES, 302)]
