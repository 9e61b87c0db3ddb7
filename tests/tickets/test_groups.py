"""Staff groups: viewers see every page and change nothing, operators act but manage no keys."""

from collections.abc import Iterator
from datetime import date
from itertools import product

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Group, Permission, User
from django.core.management import call_command
from django.db.models import Model
from django.test import Client
from django.urls import reverse

from predictions.models import Cluster, StrategyShares, TrainedModel, Training
from shiolplus.adminsite.action_pages import ActionAdmin
from tests.factories import (
    WEDNESDAY,
    claim_tickets,
    make_backtest,
    make_client,
    make_draw,
    make_key,
    make_prediction,
    make_report,
)
from tests.staff import client_of
from tickets.generation.generator import BatchTicketGenerator
from tickets.groups import APPS, create_groups, permissions_by_group
from tickets.models import ApiClient, TicketBatch
from tickets.models.claims import ClaimHour
from tickets.scoring.scorer import score_draw

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("on_tuesday")]

OURS = {model: one for model, one in admin.site._registry.items() if model._meta.app_label in APPS}
OTHERS = [model for model in admin.site._registry if model not in OURS]
OF_KEYS = ("make-key", "revoke-key")
MEANS_TO_CHANGE = (
    'name="action"',
    'name="_save',
    'class="addlink"',
    'class="deletelink"',
    "/delete/",
    "/add/",
)


def member_of(group: str) -> Client:
    client = client_of(group)
    User.objects.get(username=group).groups.add(Group.objects.get(name=group))
    return client


@pytest.fixture
def viewer() -> Client:
    return member_of("viewer")


@pytest.fixture
def operator() -> Client:
    return member_of("operator")


@pytest.fixture
def rows(on_tuesday: None) -> None:
    """Create at least one row of every model that has a page."""
    prediction = make_prediction()
    BatchTicketGenerator(10).generate_batch("run", async_mode=False, draw_date=WEDNESDAY)  # lstm fails
    claim_tickets(TicketBatch.objects.get(mode="random_forest"), 2)
    make_key(make_client("other"))
    score_draw(make_draw())
    make_report()
    make_backtest({"v1": (0.0, 0.01)})
    Training.objects.create(mode="v1", draws_fingerprint="0" * 64, seed=1, code_version=1)
    Cluster.objects.create(holder="host/1/heavy", queue="heavy", host="host", status="running")
    StrategyShares.objects.create(
        mode="v1", origin="reset", draw_date=date(2025, 12, 22), prediction=prediction, shares={"v1": 1.0}
    )


def address(model: type[Model], page: str, *args: object) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def pages_of_actions() -> Iterator[tuple[str, str]]:
    """Return the slug and the URL of every action page."""
    for model, model_admin in OURS.items():
        if isinstance(model_admin, ActionAdmin):
            for page in model_admin.action_pages:
                yield page.slug, address(model, page.slug)


# A viewer


@pytest.mark.usefixtures("rows")
def test_a_viewer_sees_every_list_and_every_row_and_nothing_to_change_them_with(viewer: Client) -> None:
    actions = [page for _, page in pages_of_actions()]
    for model in OURS:
        pages = [address(model, "changelist")]
        if model is not ClaimHour:  # has a single page
            assert model._default_manager.exists(), model
            rows = model._default_manager.all()[:3]
            pages += [address(model, page, row.pk) for row in rows for page in ("change", "history")]
        for page in pages:
            response = viewer.get(page)
            assert response.status_code == 200, page
            shown = response.content.decode()
            assert not [text for text in (*MEANS_TO_CHANGE, *actions) if text in shown], page


@pytest.mark.usefixtures("rows")
def test_a_viewer_can_neither_open_nor_post_what_changes_anything(viewer: Client) -> None:
    forbidden = [page for _, page in pages_of_actions()]
    for model in OURS:
        row = model._default_manager.first()
        if model is not ClaimHour:
            forbidden += [address(model, "add"), address(model, "delete", row.pk)]
            assert viewer.post(address(model, "change", row.pk), {"_save": "Save"}).status_code == 403
        chosen = {"action": "delete_selected", "_selected_action": row.pk, "post": "yes"}
        viewer.post(address(model, "changelist"), chosen)
        assert model._default_manager.filter(pk=row.pk).exists()
    for model in OTHERS:
        forbidden += [address(model, "changelist"), address(model, "add")]

    for page in forbidden:
        assert [viewer.get(page).status_code, viewer.post(page, {}).status_code] == [403, 403], page


@pytest.mark.usefixtures("rows")
def test_neither_sees_the_keys_of_a_client(viewer: Client, operator: Client) -> None:
    for staff, client in product((viewer, operator), ApiClient.objects.all()):
        page = staff.get(address(ApiClient, "change", client.pk)).content.decode()
        assert client.name in page
        assert not [key.prefix for key in client.keys.all() if key.prefix in page]


# An operator


PARAMS = {
    "import": {"source": "bundled"},
    "run": {"source": "none", "modes": ["v1"]},
    "generate": {"modes": ["random_forest"], "draw_date": "2026-11-25"},
    "regenerate": {"mode": "random_forest", "draw_date": "2026-11-25"},
    "purge": {"mode": "random_forest"},
    "pause": {"modes": ["v1"]},
    "resume": {"modes": ["v1"]},
}


@pytest.mark.usefixtures("rows")
def test_an_operator_may_do_everything_but_what_is_of_keys(operator: Client) -> None:
    ready, failed = TicketBatch.objects.get(mode="random_forest"), TicketBatch.objects.get(mode="lstm")
    params = PARAMS | {
        "retry": {"batches": failed.pk},
        "cancel": {"batches": ready.pk},
        "activate": {"model": TrainedModel.objects.first().pk},
    }
    for slug, page in pages_of_actions():
        allowed = slug not in OF_KEYS
        shown = operator.get(page, params.get(slug, {}))
        done = operator.post(page, params.get(slug, {}))
        assert (shown.status_code, done.status_code in (200, 302)) == (200 if allowed else 403, allowed), page


@pytest.mark.usefixtures("rows")
def test_an_operator_manages_no_keys_clients_users_schedules_or_queue(operator: Client) -> None:
    client = ApiClient.objects.first()
    closed = [address(model, page) for model in OTHERS for page in ("changelist", "add")]
    closed += [address(ApiClient, "add"), address(ApiClient, "delete", client.pk)]

    for page in closed:
        assert [operator.get(page).status_code, operator.post(page, {}).status_code] == [403, 403], page
    assert operator.post(address(ApiClient, "change", client.pk), {"name": "mine"}).status_code == 403


# Creation


def may(group: str) -> set[str]:
    found = Permission.objects.filter(group__name=group).values_list("content_type__app_label", "codename")
    return {f"{app}.{codename}" for app, codename in found}


def test_the_groups_are_there_after_a_migrate_and_a_viewer_may_only_view() -> None:
    wanted = permissions_by_group()

    assert {name: may(name) for name in wanted} == wanted
    assert all(".view_" in name for name in may("viewer"))
    assert "tickets.view_apikey" not in may("operator")
    assert {name.split(".")[0] for name in may("operator")} == set(APPS)


def test_changed_groups_stay_and_a_deleted_group_is_recreated() -> None:
    Group.objects.get(name="operator").permissions.clear()
    Group.objects.get(name="viewer").delete()

    call_command("migrate", verbosity=0)

    assert may("operator") == set()
    assert may("viewer") == permissions_by_group()["viewer"]


def test_group_is_created_only_with_all_its_permissions() -> None:
    Group.objects.all().delete()
    Permission.objects.filter(codename="view_claim").delete()

    create_groups(apps.get_app_config("tickets"))

    assert not Group.objects.exists()
