"""The watchdog's conclusions from heartbeats and backlog; with real clusters: tests/faults."""

import time
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from django_q.models import OrmQ

from predictions.models import Cluster, PipelineRun, Training
from predictions.pipeline.runner import accept_run
from predictions.tasks import answer
from predictions.workqueue import clusters
from tests.factories import make_prediction, queued_batch
from tickets.cluster import supervised
from tickets.cluster.supervised import CANARY_EVERY, HUNG_AFTER, SupervisedCluster
from tickets.cluster.watchdog import BacklogTimer, Watchdog, summary
from tickets.models import TicketBatch

pytestmark = pytest.mark.django_db


class Clock:
    """A clock that a test advances."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    time = staticmethod(time.time)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(supervised, "time", clock)
    from tickets.cluster import watchdog

    monkeypatch.setattr(watchdog, "time", clock)
    return clock


@pytest.fixture
def cluster(clock: Clock) -> SupervisedCluster:
    """Return a registered cluster without processes."""
    cluster = SupervisedCluster(clusters.HEAVY)
    cluster.register()
    return cluster


def record_heartbeat(cluster: SupervisedCluster) -> None:
    Cluster.objects.filter(holder=cluster.name).update(last_heartbeat_at=timezone.now())


def test_new_cluster_gets_a_canary_and_runs_after_its_heartbeat(
    cluster: SupervisedCluster, clock: Clock
) -> None:
    clock.now += 1
    assert cluster.check() == ""
    assert Cluster.objects.get().status == "starting"
    (canary,) = OrmQ.objects.all()
    assert (canary.key, canary.func()) == ("heavy", "predictions.tasks.answer")

    record_heartbeat(cluster)
    cluster.check()

    assert Cluster.objects.get().status == "running"
    assert clusters.alive() == [f"heavy on {cluster.host}"]


def test_cluster_with_heartbeats_gets_no_canary(cluster: SupervisedCluster, clock: Clock) -> None:
    for _ in range(30):
        record_heartbeat(cluster)
        assert cluster.check() == ""
        clock.now += 5
    assert not OrmQ.objects.exists()


def test_silent_cluster_gets_canaries_and_then_counts_as_hung(
    cluster: SupervisedCluster, clock: Clock
) -> None:
    record_heartbeat(cluster)
    cluster.check()
    results = []
    for _ in range(HUNG_AFTER + 1):
        clock.now += 1
        results.append(cluster.check())

    assert results[:-1] == [""] * HUNG_AFTER
    assert results[-1] == f"no progress for {HUNG_AFTER + 1} seconds"
    assert 2 <= OrmQ.objects.count() <= HUNG_AFTER // CANARY_EVERY


def test_silence_while_the_watchdog_itself_could_not_look_does_not_count(
    cluster: SupervisedCluster, clock: Clock
) -> None:
    cluster.check()
    clock.now += 10 * HUNG_AFTER
    cluster.reset_timer()

    assert cluster.check() == ""


def test_suspend_resets_the_timers(clock: Clock) -> None:
    watchdog = Watchdog()
    for cluster in watchdog.clusters:
        cluster.register()
    watchdog.last_tick = clock.now
    clock.now += 3600
    for cluster in watchdog.clusters:
        cluster.process = object()  # type: ignore[assignment]

    watchdog.detect_suspend()

    assert [clock.now - cluster.last_progress for cluster in watchdog.clusters] == [0, 0]


def test_a_cluster_that_ends_at_once_is_started_later_and_later_a_steady_one_at_once(
    cluster: SupervisedCluster, clock: Clock
) -> None:
    pauses = []
    for _ in range(7):
        cluster.started = clock.now
        cluster.schedule_restart()
        pauses.append(cluster.start_at - clock.now)
    assert pauses == [3, 7, 15, 30, 30, 30, 30]

    clock.now += HUNG_AFTER  # the minimum run time of a hung cluster
    cluster.schedule_restart()
    assert cluster.start_at == clock.now
    assert cluster.restarts == 8


def test_work_of_a_stopped_cluster_is_redelivered_at_once(cluster: SupervisedCluster) -> None:
    make_prediction()
    PipelineRun.objects.update(status="failed")  # the factory's own run
    batch, (run, _), (fetched, _) = queued_batch(), accept_run(source="none"), accept_run(source="none")
    fit = Training.objects.create(mode="v1", draws_fingerprint="0" * 64, seed=1, code_version=1)
    for model, row in ((TicketBatch, batch), (PipelineRun, run), (Training, fit)):
        assert model.objects.acquire(row.pk, cluster.name)

    cluster.record_stopped("no progress")

    assert list(TicketBatch.objects.overdue()) == [batch]
    assert set(PipelineRun.objects.overdue()) == {run, fetched}
    assert Training.objects.acquire(fit.pk, "another")
    row = Cluster.objects.get()
    assert (row.status, row.trouble, row.last_heartbeat_at) == ("stopped", "no progress", None)
    assert clusters.alive() == []


def test_backlog_counts_only_while_no_worker_is_busy(clock: Clock) -> None:
    make_prediction()
    backlog, first = BacklogTimer(TicketBatch.objects.generated()), queued_batch()
    assert backlog.seconds() == 0
    clock.now += 50
    second = queued_batch()
    assert backlog.seconds() == 50

    assert TicketBatch.objects.acquire(second.pk, "here")
    clock.now += 50
    assert backlog.seconds() == 0

    TicketBatch.objects.filter(pk=second.pk).update(status="ready")
    assert backlog.seconds() == 100
    TicketBatch.objects.filter(pk=first.pk).update(status="ready")
    assert backlog.seconds() == 0


def test_canary_for_another_cluster_is_forwarded_until_it_expires(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(clusters.HOLDER, "host/1/heavy")

    answer("heavy", "host/1/heavy", time.time() + 60)
    answer("heavy", "host/2/heavy", time.time() - 1)
    assert not OrmQ.objects.exists()

    answer("heavy", "host/2/heavy", time.time() + 60)
    assert OrmQ.objects.get().key == "heavy"


def test_heartbeat_is_recorded_for_the_own_cluster_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("host/1/heavy", "host/2/heavy"):
        Cluster.objects.create(holder=name, queue="heavy", host="host")
    clusters.heartbeat()
    assert not Cluster.objects.exclude(last_heartbeat_at=None).exists()

    monkeypatch.setenv(clusters.HOLDER, "host/2/heavy")
    clusters.heartbeat()

    assert [cluster.holder for cluster in Cluster.objects.exclude(last_heartbeat_at=None)] == ["host/2/heavy"]


def test_task_sees_that_its_cluster_is_stopping(monkeypatch: pytest.MonkeyPatch) -> None:
    make_prediction()
    batch = queued_batch(300, chunk_size=100)
    Cluster.objects.create(holder="host/1/shiolplus", queue="shiolplus", host="host", status="running")
    monkeypatch.setenv(clusters.HOLDER, "host/1/shiolplus")

    def stop(now: TicketBatch) -> None:
        Cluster.objects.update(status="stopping")

    from tickets.generation.worker import run_batch

    run_batch(batch.pk, watch=stop, seconds=60)

    batch.refresh_from_db()
    assert (batch.status, batch.stored, batch.token) == ("queued", 100, None)


def test_a_cluster_not_seen_for_a_while_is_not_alive(cluster: SupervisedCluster, tmp_path: Path) -> None:
    assert clusters.alive()
    Cluster.objects.update(seen_at=timezone.now() - timedelta(minutes=1))
    assert not clusters.alive()


def test_summary_states_duration_and_repairs() -> None:
    watchdog = Watchdog()
    watchdog.clusters[0].restarts, watchdog.resent = 2, 3

    assert summary(watchdog, 3725) == (
        "clusters stopped after 1 h 02 min 05 s; 2 restarts, 3 tasks enqueued again"
    )
