"""Tests that only superusers can change the pages of Django Q, whatever permissions others have."""

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone
from django_q.models import Failure, OrmQ, Schedule, Success, Task
from django_q.tasks import async_task

from tests.staff import client_of, superuser

pytestmark = pytest.mark.django_db

PAGES = {"schedule": Schedule, "ormq": OrmQ, "success": Success, "failure": Failure}


@pytest.fixture
def rows() -> None:
    Schedule.objects.create(name="nightly", func="math.floor", schedule_type=Schedule.DAILY)
    async_task("math.floor", 1.5)
    for number, success in enumerate((True, False)):
        now = timezone.now()
        Task.objects.create(
            id=str(number),
            name=str(number),
            func="math.floor",
            args=(1,),
            started=now,
            stopped=now,
            success=success,
        )


@pytest.fixture
def staff() -> Client:
    return client_of("staff", *Permission.objects.filter(content_type__app_label="django_q"))


def everything() -> list[object]:
    return [list(model.objects.order_by("pk").values()) for model in (Schedule, OrmQ, Task)]


@pytest.mark.usefixtures("rows")
@pytest.mark.parametrize("name", PAGES)
def test_staff_with_all_the_queues_permissions_look_and_change_nothing(name: str, staff: Client) -> None:
    row, before = PAGES[name].objects.get(), everything()
    url = f"/admin/django_q/{name}/"

    assert staff.get(url).status_code == 200
    page = staff.get(f"{url}{row.pk}/change/")
    assert page.status_code == 200
    assert 'name="_save"' not in page.content.decode()
    assert "addlink" not in staff.get(url).content.decode().split('id="content-start"')[1]
    for path in ("add/", f"{row.pk}/delete/"):
        assert staff.get(f"{url}{path}").status_code == 403
        assert staff.post(f"{url}{path}", {"post": "yes", "func": "os.system"}).status_code == 403
    assert staff.post(f"{url}{row.pk}/change/", {"func": "os.system"}).status_code == 403
    for action in ("delete_selected", "resubmit_task"):
        assert action not in staff.get(url).content.decode()
        staff.post(url, {"action": action, "_selected_action": row.pk, "post": "yes"})

    assert everything() == before


@pytest.mark.usefixtures("rows")
def test_a_superuser_still_manages_the_queue() -> None:
    admin = superuser()

    assert admin.get("/admin/django_q/schedule/add/").status_code == 200
    assert "resubmit_task" in admin.get("/admin/django_q/failure/").content.decode()
    row = OrmQ.objects.get()
    assert admin.post(f"/admin/django_q/ormq/{row.pk}/delete/", {"post": "yes"}).status_code == 302
    assert not OrmQ.objects.exists()


def schedule_form(**values: str) -> dict[str, str]:
    """Return the form data of a new schedule."""
    defaults = {
        "func": "math.floor",
        "args": "1.5",
        "repeats": "-1",
        "schedule_type": "C",
        "cron": "30 4 * * *",
    }
    return defaults | {"next_run_0": "2026-11-24", "next_run_1": "12:00:00"} | values


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({"cron": ""}, "Cron: this field is required, for example 30 4 * * *, in UTC."),
        ({"cron": "99 4 * * *"}, "is not acceptable, out of range"),
    ],
)
def test_schedule_without_a_computable_next_run_is_rejected(values: dict[str, str], error: str) -> None:
    page = superuser().post("/admin/django_q/schedule/add/", schedule_form(**values))

    assert page.status_code == 200
    assert error in page.content.decode()
    assert not Schedule.objects.exists()


@pytest.mark.parametrize("values", [{}, {"schedule_type": "I", "minutes": "5", "cron": ""}])
def test_a_schedule_that_can_is_stored(values: dict[str, str]) -> None:
    assert superuser().post("/admin/django_q/schedule/add/", schedule_form(**values)).status_code == 302
    assert Schedule.objects.get().func == "math.floor"
