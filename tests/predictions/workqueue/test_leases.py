"""Leases: one holder at a time, fencing tokens, and a limit of attempts."""

from datetime import UTC, datetime, timedelta
from threading import Barrier, Thread
from uuid import uuid4

import pytest
import time_machine
from django.db import connection

from predictions.models import PipelineRun, lease_expiry
from predictions.workqueue.leases import backoff_delay, lease_holder, renewing
from tests.factories import WEDNESDAY
from tests.processes import wait_until

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
LEASE = timedelta(seconds=60)


@pytest.fixture(autouse=True)
def _a_minute(settings: pytest.FixtureRequest) -> None:
    settings.LEASE_SECONDS = 60  # type: ignore[attr-defined]


def some_run(**values: object) -> PipelineRun:
    defaults = {"pipeline_run_id": "pipe-1", "draw_date": WEDNESDAY, "source": "none", "modes": ["v1"]}
    return PipelineRun.objects.create(**(defaults | values))


def acquire(run: PipelineRun, name: str = "one") -> bool:
    """Acquire the lease and load its token; return False if it is not available."""
    token = PipelineRun.objects.acquire(run.pk, name)
    if token:
        run.refresh_from_db()
    return token is not None


@pytest.mark.django_db(transaction=True)
def test_only_one_of_eight_concurrent_workers_acquires_a_row() -> None:
    run = some_run()
    barrier, tokens = Barrier(8), []

    def worker() -> None:
        barrier.wait()
        tokens.append(PipelineRun.objects.acquire(run.pk, "one of eight"))
        connection.close()

    threads = [Thread(target=worker) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    run.refresh_from_db()
    assert [token for token in tokens if token] == [run.token]
    assert run.attempts == 1


@pytest.mark.django_db
def test_acquired_row_has_holder_start_and_lease_end() -> None:
    run = some_run()
    with time_machine.travel(NOON, tick=False):
        assert acquire(run, "host/7")

    assert (run.holder, run.attempts, run.started_at) == ("host/7", 1, NOON)
    assert run.lease_until == run.redeliver_after == NOON + LEASE
    assert not PipelineRun.objects.leased().exists()  # it has expired by now


@pytest.mark.django_db
def test_a_lease_that_ran_out_is_anothers_and_the_first_can_write_nothing_more() -> None:
    first = some_run()
    with time_machine.travel(NOON, tick=False):
        acquire(first)
        assert not acquire(PipelineRun.objects.get(), "two")
    with time_machine.travel(NOON + LEASE + timedelta(seconds=1), tick=False):
        second = PipelineRun.objects.get()
        assert acquire(second, "two")

        assert not PipelineRun.objects.renew(first, error="from the first")
        assert PipelineRun.objects.renew(second)

    second.refresh_from_db()
    assert (second.attempts, second.error, second.holder) == (2, "", "two")
    assert second.started_at == NOON  # of the first attempt


@pytest.mark.django_db
def test_row_without_token_is_owned_by_no_worker() -> None:
    assert not PipelineRun.objects.renew(some_run())


@pytest.mark.django_db
def test_a_renewed_lease_holds_longer() -> None:
    run = some_run()
    with time_machine.travel(NOON, tick=False):
        acquire(run)
    with time_machine.travel(NOON + timedelta(seconds=50), tick=False):
        assert PipelineRun.objects.renew(run)
    with time_machine.travel(NOON + timedelta(seconds=100), tick=False):
        assert not acquire(PipelineRun.objects.get(), "two")


@pytest.mark.django_db
def test_row_without_attempts_left_is_not_acquired() -> None:
    run = some_run()
    for number in range(PipelineRun.MAX_ATTEMPTS):
        with time_machine.travel(NOON + number * 2 * LEASE, tick=False):
            assert acquire(run)
    with time_machine.travel(NOON + 100 * LEASE, tick=False):
        assert not acquire(run)
        assert list(PipelineRun.objects.out_of_attempts()) == [run]


@pytest.mark.django_db
def test_progress_resets_the_attempts() -> None:
    run = some_run(attempts=PipelineRun.MAX_ATTEMPTS - 1)
    with time_machine.travel(NOON, tick=False):
        assert acquire(run)
        PipelineRun.objects.renew(run, attempts=1)
    with time_machine.travel(NOON + 2 * LEASE, tick=False):
        assert acquire(run)
        assert not PipelineRun.objects.out_of_attempts().exists()


@pytest.mark.django_db
@pytest.mark.parametrize("status", ["completed", "failed"])
def test_finished_rows_are_never_acquired(status: str) -> None:
    assert not acquire(some_run(status=status))


@pytest.mark.django_db
def test_release_frees_only_rows_of_the_dead_holder() -> None:
    dead, living, ended = (some_run(pipeline_run_id=name) for name in ("dead", "living", "ended"))
    acquire(dead, "host/7"), acquire(living, "host/8"), acquire(ended, "host/7")
    PipelineRun.objects.owned_by(ended).update(status="completed")

    assert PipelineRun.objects.release("host/7") == 1

    assert list(PipelineRun.objects.overdue()) == [dead]
    assert not PipelineRun.objects.renew(dead)


@pytest.mark.django_db
def test_only_unleased_overdue_rows_are_postponed_once() -> None:
    with time_machine.travel(NOON, tick=False):
        run = some_run(created_at=NOON, redeliver_after=lease_expiry(NOON))
        some_run(pipeline_run_id="without a task")
        assert not PipelineRun.objects.overdue().exists()
    with time_machine.travel(NOON + LEASE, tick=False):
        assert list(PipelineRun.objects.overdue()) == [run]
        assert PipelineRun.objects.postpone(run)
        assert not PipelineRun.objects.postpone(run)  # as a second reaper at the same time


@pytest.mark.django_db
def test_redelivery_backs_off_to_fifteen_minutes() -> None:
    run = some_run(created_at=NOON)
    for age, wait in ((0, 60), (60, 60), (120, 120), (600, 600), (86_400, 900)):
        with time_machine.travel(NOON + timedelta(seconds=age), tick=False):
            assert run.next_delivery() == NOON + timedelta(seconds=age + wait)


@pytest.mark.django_db(transaction=True)
def test_thread_renews_owned_leases_during_the_work(
    settings: pytest.FixtureRequest,
) -> None:
    settings.LEASE_SECONDS = 2  # type: ignore[attr-defined]
    ours, released = some_run(), some_run(pipeline_run_id="given back")
    acquire(ours), acquire(released)
    released.token = None
    first, second = (PipelineRun.objects.get(pk=run.pk).lease_until for run in (ours, released))

    with renewing([ours, released]):
        wait_until(lambda: PipelineRun.objects.get(pk=ours.pk).lease_until > first, 10, "a renewal")

    assert PipelineRun.objects.get(pk=released.pk).lease_until == second


def test_waiting_after_an_outage_doubles() -> None:
    assert [backoff_delay(attempts) for attempts in (1, 2, 3, 4)] == [5, 10, 20, 40]


def test_cluster_records_heartbeats_under_the_name_from_its_watchdog(monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"host/1-{uuid4().hex[:6]}/heavy"
    assert lease_holder() != name
    monkeypatch.setenv("SHIOL_HOLDER", name)
    assert lease_holder() == name
