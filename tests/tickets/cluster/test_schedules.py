"""Scheduled jobs: installed once, enqueued once by django-q2, and one bad row stops no other."""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.utils import timezone
from django.utils.module_loading import import_string
from django_q import scheduler as django_q_scheduler
from django_q.conf import Conf
from django_q.models import Failure, OrmQ, Schedule
from django_q.scheduler import scheduler

from predictions.workqueue import clusters
from tests.staff import superuser
from tickets.cluster.schedules import JOBS, Job, postpone_invalid, sync_schedules

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
NIGHTLY = Job("nightly", "math.floor", "17 8 * * *", clusters.DEFAULT, "A test's.")


@pytest.fixture(autouse=True)
def _at_noon(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    # It would close the connection whose transaction the test rolls back.
    monkeypatch.setattr(django_q_scheduler, "close_old_django_connections", lambda: None)
    with time_machine.travel(NOW, tick=False):
        yield


def schedule(**values: Any) -> Schedule:
    """Create a schedule that has been due for a minute, with its next run as if staff had set it."""
    defaults = {"name": "mine", "func": "math.floor", "args": "1.5", "schedule_type": Schedule.DAILY}
    row = Schedule.objects.create(**(defaults | values))
    Schedule.objects.filter(pk=row.pk).update(next_run=values.get("next_run", NOW - MINUTE))
    row.refresh_from_db()
    return row


def tasks() -> list[dict[str, Any]]:
    return [queued.task for queued in OrmQ.objects.order_by("id")]


def enqueue_due() -> int:
    """Enqueue what is due as the watchdog and a default cluster do, and return the number of new tasks."""
    before = OrmQ.objects.count()
    postpone_invalid()
    with time_machine.travel(timezone.now() + timedelta(seconds=1), tick=False):
        scheduler()
    return OrmQ.objects.count() - before


# Installing


def test_jobs_are_installed_once() -> None:
    sync_schedules()
    rows = list(Schedule.objects.order_by("pk").values())
    sync_schedules()

    assert list(Schedule.objects.order_by("pk").values()) == rows
    shown = [(row["name"], row["func"], row["cron"], row["cluster"], row["schedule_type"]) for row in rows]
    assert shown == [(job.name, job.func, job.cron, job.queue, "C") for job in JOBS]
    assert [row["next_run"] for row in rows] == [
        NOW + 30 * MINUTE,
        datetime(2026, 11, 25, 8, 17, tzinfo=UTC),
        datetime(2026, 11, 25, 8, 47, tzinfo=UTC),
    ]


@pytest.mark.parametrize("job", JOBS, ids=[job.name for job in JOBS])
def test_every_job_is_a_task_that_can_be_called_again_and_again(job: Job, settings: Any) -> None:
    settings.DRAWS_SOURCE = "none"
    assert job.queue in (clusters.DEFAULT, clusters.HEAVY)
    for _ in range(2):
        assert isinstance(import_string(job.func)(), dict)


def test_sync_preserves_pause_and_next_run() -> None:
    sync_schedules([NIGHTLY])
    Schedule.objects.update(repeats=0, next_run=NOW + 5 * DAY, func="os.getcwd", args="1", cluster="heavy")

    sync_schedules([NIGHTLY])

    row = Schedule.objects.get()
    assert (row.repeats, row.next_run) == (0, NOW + 5 * DAY)
    assert (row.func, row.args, row.cluster) == ("math.floor", None, "shiolplus")


def test_a_changed_cron_changes_the_next_time_and_not_the_pause() -> None:
    sync_schedules([NIGHTLY])
    Schedule.objects.update(repeats=0)

    sync_schedules([Job("nightly", "math.floor", "30 13 * * *", clusters.DEFAULT, "")])

    row = Schedule.objects.get()
    assert (row.repeats, row.next_run) == (0, datetime(2026, 11, 24, 13, 30, tzinfo=UTC))


def test_of_a_job_that_was_installed_twice_the_oldest_row_stays() -> None:
    oldest = schedule(name="nightly", schedule_type=Schedule.CRON, cron=NIGHTLY.cron)
    schedule(name="nightly", schedule_type=Schedule.CRON, cron=NIGHTLY.cron)
    other = schedule(name="another's")

    sync_schedules([NIGHTLY])

    assert set(Schedule.objects.values_list("pk", flat=True)) == {oldest.pk, other.pk}


@pytest.mark.django_db(transaction=True)
def test_concurrent_hosts_install_one_schedule_per_job() -> None:
    at_once(lambda: sync_schedules([NIGHTLY]))

    assert Schedule.objects.get().name == "nightly"


def at_once(work: Callable[[], object], threads: int = 6) -> None:
    """Call `work` in several threads at once, each with its own connection."""
    barrier = threading.Barrier(threads)

    def call() -> None:
        try:
            barrier.wait()
            work()
        finally:
            connection.close()

    running = [threading.Thread(target=call) for _ in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()


# Sending


def test_the_queue_s_own_scheduler_is_on_and_does_not_catch_up() -> None:
    assert Conf.SCHEDULER is True
    assert Conf.CATCH_UP is False


def test_only_due_unpaused_schedules_are_enqueued_once() -> None:
    due = schedule()
    schedule(name="later", next_run=NOW + timedelta(seconds=1))
    schedule(name="paused", repeats=0)

    assert [enqueue_due(), enqueue_due()] == [1, 0]

    (task,) = tasks()
    assert (task["func"], task["args"], task["group"]) == ("math.floor", (1.5,), "mine")
    due.refresh_from_db()
    assert (due.task, due.next_run, due.repeats) == (task["id"], NOW - MINUTE + DAY, -1)


def test_the_default_cluster_leaves_what_belongs_to_another_queue() -> None:
    schedule(name="heavy", cluster=clusters.HEAVY)
    schedule(name="default", cluster=clusters.DEFAULT)

    assert enqueue_due() == 1
    assert [task["group"] for task in tasks()] == ["default"]


# From the minute before noon on Tuesday, 24 November 2026, as `next_run` or, for what lasts, years ago.
KINDS = [
    ({"schedule_type": Schedule.MINUTES, "minutes": 7}, NOW + 6 * MINUTE),
    ({"schedule_type": Schedule.MINUTES}, NOW + MINUTE),
    ({"schedule_type": Schedule.HOURLY}, NOW + 59 * MINUTE),
    ({"schedule_type": Schedule.DAILY}, NOW - MINUTE + DAY),
    ({"schedule_type": Schedule.WEEKLY}, NOW - MINUTE + 7 * DAY),
    ({"schedule_type": Schedule.BIWEEKLY}, NOW - MINUTE + 14 * DAY),
    ({"schedule_type": Schedule.MONTHLY}, datetime(2026, 12, 24, 11, 59, tzinfo=UTC)),
    ({"schedule_type": Schedule.BIMONTHLY}, datetime(2027, 1, 24, 11, 59, tzinfo=UTC)),
    ({"schedule_type": Schedule.QUARTERLY}, datetime(2027, 2, 24, 11, 59, tzinfo=UTC)),
    ({"schedule_type": Schedule.YEARLY}, datetime(2027, 11, 24, 11, 59, tzinfo=UTC)),
    ({"schedule_type": Schedule.CRON, "cron": "0,30 * * * *"}, NOW + 30 * MINUTE),
]


@pytest.mark.parametrize(("values", "following"), KINDS)
def test_each_kind_that_staff_can_make_is_sent_and_due_again(
    values: dict[str, Any], following: datetime
) -> None:
    row = schedule(**values)

    assert enqueue_due() == 1

    row.refresh_from_db()
    assert row.next_run == following


@pytest.mark.parametrize(
    ("kind", "following"),
    [
        (Schedule.MINUTES, NOW + MINUTE),
        (Schedule.HOURLY, NOW + HOUR),
        (Schedule.DAILY, NOW + DAY),
        (Schedule.WEEKLY, datetime(2026, 12, 1, 12, tzinfo=UTC)),
        (Schedule.CRON, NOW + 30 * MINUTE),
    ],
)
def test_runs_missed_for_years_are_skipped(kind: str, following: datetime) -> None:
    row = schedule(schedule_type=kind, cron="30 * * * *", next_run=datetime(2015, 11, 24, 12, tzinfo=UTC))

    assert enqueue_due() == 1

    row.refresh_from_db()
    assert row.next_run == following


def test_schedule_of_type_once_runs_once_and_is_deleted() -> None:
    schedule(schedule_type=Schedule.ONCE)

    assert [enqueue_due(), enqueue_due()] == [1, 0]
    assert not Schedule.objects.exists()


def test_once_with_a_number_of_repeats_is_once_and_the_row_stays() -> None:
    row = schedule(schedule_type=Schedule.ONCE, repeats=3)

    assert [enqueue_due(), enqueue_due()] == [1, 0]
    row.refresh_from_db()
    assert (row.repeats, row.task) == (0, tasks()[0]["id"])


def test_repeats_are_counted_down_to_the_end() -> None:
    row = schedule(schedule_type=Schedule.MINUTES, repeats=2)

    assert [enqueue_at(NOW + place * MINUTE) for place in range(4)] == [1, 1, 0, 0]
    row.refresh_from_db()
    assert row.repeats == 0


def enqueue_at(now: datetime) -> int:
    with time_machine.travel(now, tick=False):
        return enqueue_due()


@pytest.mark.parametrize(
    ("values", "args", "kwargs"),
    [
        ({"args": None}, (), {}),
        ({"args": "1, 'two', [3]"}, (1, "two", [3]), {}),
        ({"args": "'one'"}, ("one",), {}),
        ({"args": "", "kwargs": "x=1, name='John'"}, (), {"x": 1, "name": "John"}),
        ({"args": "()", "kwargs": "{'x': (1, 2)}"}, (), {"x": (1, 2)}),
        (
            {"args": None, "intended_date_kwarg": "at"},
            (),
            {"at": (NOW - MINUTE).isoformat()},
        ),
    ],
)
def test_arguments_are_read_as_the_queue_reads_them(
    values: dict[str, Any], args: tuple[object, ...], kwargs: dict[str, object]
) -> None:
    schedule(**values)

    enqueue_due()

    (task,) = tasks()
    assert (task["args"], task["kwargs"]) == (args, kwargs)


@pytest.mark.parametrize(
    ("values", "queue"),
    [
        ({}, "shiolplus"),
        ({"kwargs": "q_options={'cluster': 'heavy'}"}, "heavy"),
        ({"kwargs": "q_options={'broker_name': 'heavy'}"}, "heavy"),
        ({"cluster": "shiolplus", "kwargs": "q_options={'cluster': 'other'}"}, "shiolplus"),
    ],
)
def test_the_row_s_queue_comes_first_then_its_option_then_the_default(
    values: dict[str, Any], queue: str
) -> None:
    schedule(**values)

    enqueue_due()

    assert OrmQ.objects.get().key == queue


def test_the_queue_s_options_are_honoured() -> None:
    options = {"group": "ours", "timeout": 5, "task_name": "called so"}
    schedule(kwargs=f"x=1, q_options={options}", hook="math.ceil")

    assert enqueue_due() == 1

    (task,) = tasks()
    shown = {name: task[name] for name in ("group", "timeout", "name", "hook")}
    assert shown == {"group": "ours", "timeout": 5, "name": "called so", "hook": "math.ceil"}
    assert task["kwargs"] == {"x": 1}


@pytest.mark.django_db(transaction=True)
def test_concurrent_schedulers_enqueue_each_task_once() -> None:
    for number in range(5):
        schedule(name=f"schedule {number}")
    schedule(name="once", schedule_type=Schedule.ONCE)

    at_once(scheduler)

    names = ["once", *(f"schedule {number}" for number in range(5))]
    assert sorted(task["group"] for task in tasks()) == names


# Bad rows

BAD_ROWS = [
    ({"args": "1, oops"}, "ValueError: malformed node"),
    ({"args": "1, ("}, "SyntaxError"),
    ({"kwargs": "x=oops"}, "ValueError: malformed node"),
    ({"kwargs": "5"}, "ValueError: kwargs '5': not a dict or keyword arguments such as x=1"),
    ({"kwargs": "5, x=1"}, "SyntaxError"),
    ({"kwargs": "{1: 2}"}, "TypeError"),
    ({"kwargs": "func='math.ceil'"}, "TypeError: multiple values for argument 'func'"),
    ({"kwargs": "q_options=5"}, "TypeError: q_options 5: not a dict"),
    ({"kwargs": "q_options={'sync': True}"}, "ValueError: options not allowed in a schedule: sync"),
    ({"kwargs": "broker=5"}, "ValueError: options not allowed in a schedule: broker"),
    ({"func": "tickets.tasks.gone"}, "ValueError: func 'tickets.tasks.gone': no such function"),
    ({"func": "nowhere.at.all"}, "ValueError: func 'nowhere.at.all': no such function"),
    ({"func": "math.pi"}, "ValueError: func 'math.pi': no such function"),
    ({"func": ""}, "ValueError: func '': no such function"),
]


@pytest.mark.parametrize(("values", "error"), BAD_ROWS)
def test_invalid_schedule_is_reported_and_postponed_and_stops_no_other(
    values: dict[str, Any], error: str, caplog: pytest.LogCaptureFixture
) -> None:
    bad = schedule(**({"name": "bad", "next_run": NOW - HOUR} | values))
    good = schedule(name="good")

    assert [enqueue_due(), enqueue_due()] == [1, 0]

    assert [task["group"] for task in tasks()] == ["good"]
    failure = Failure.objects.get()
    assert (failure.name, failure.func) == ("bad", bad.func)
    assert failure.result.startswith(f"schedule bad could not be enqueued: {error}")
    bad.refresh_from_db()
    assert (bad.task, bad.next_run) == (failure.pk, NOW + HOUR)
    assert bad.repeats == -1
    assert "Schedule bad cannot be enqueued, postponed by 1:00:00" in caplog.text
    good.refresh_from_db()
    assert good.next_run > NOW


@pytest.mark.parametrize(
    "values",
    [
        {"schedule_type": Schedule.CRON, "cron": "99 * * * *"},
        {"schedule_type": Schedule.CRON, "cron": None},
        {"schedule_type": "?"},
        {"schedule_type": Schedule.ONCE, "args": "oops"},
    ],
)
def test_schedule_without_a_computable_next_run_is_postponed_by_an_hour(values: dict[str, Any]) -> None:
    row = schedule(name="bad")
    Schedule.objects.filter(pk=row.pk).update(**values)
    schedule(name="good")

    assert enqueue_due() == 1

    row.refresh_from_db()
    assert (row.next_run, row.task) == (NOW + HOUR, Failure.objects.get().pk)
    assert [task["group"] for task in tasks()] == ["good"]
    assert enqueue_at(NOW + HOUR) == 0
    assert Failure.objects.count() == 2


def test_a_module_that_does_not_import_is_reported_and_does_not_end_the_watchdog(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "leaving.py").write_text("raise SystemExit(3)")
    monkeypatch.syspath_prepend(str(tmp_path))
    schedule(func="leaving.now")

    assert enqueue_due() == 0
    assert "SystemExit" in Failure.objects.get().result


@pytest.mark.django_db(transaction=True)
def test_concurrent_watchdogs_report_an_invalid_schedule_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Both have read the row before either has checked its function.
    (tmp_path / "slow_to_fail.py").write_text("import time; time.sleep(1); raise ImportError")
    monkeypatch.syspath_prepend(str(tmp_path))
    schedule(func="slow_to_fail.now")

    at_once(postpone_invalid, threads=2)

    assert Failure.objects.count() == 1


def test_a_bad_row_is_found_before_it_is_due() -> None:
    row = schedule(args="oops", next_run=NOW + MINUTE / 2)
    schedule(name="later", args="oops", next_run=NOW + 2 * MINUTE)

    postpone_invalid()

    assert Failure.objects.get().pk == Schedule.objects.get(pk=row.pk).task


def test_corrected_schedule_is_enqueued_again() -> None:
    row = schedule(args="oops")
    enqueue_due()
    Schedule.objects.filter(pk=row.pk).update(args="1.5", next_run=NOW)

    assert enqueue_due() == 1


def test_staff_see_in_the_list_of_schedules_which_one_failed_and_why() -> None:
    schedule(name="bad", args="oops")
    enqueue_due()

    admin = superuser()
    failure = Failure.objects.get()
    url = f"/admin/django_q/failure/{failure.pk}/change/"
    assert f'href="{url}"' in admin.get("/admin/django_q/schedule/").content.decode()
    assert "malformed node" in admin.get("/admin/django_q/failure/").content.decode()
    assert "malformed node" in admin.get(url).content.decode()
