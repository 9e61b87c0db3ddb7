"""End to end, with real clusters in their own processes."""

from datetime import date, timedelta
from pathlib import Path

import pytest
from django.test import Client
from django.utils import timezone
from django_q.models import OrmQ, Schedule, Task
from django_q.tasks import async_task

from predictions.draws.sources import import_source
from predictions.pipeline.runner import accept_run
from predictions.workqueue import clusters
from tests.factories import draw_on_sale, make_prediction
from tests.processes import cluster, group_of, wait_until
from tickets.cluster.schedules import sync_schedules
from tickets.generation.generator import BatchTicketGenerator
from tickets.generation.verification import verify_batch
from tickets.models import GenerationRun, PreGeneratedTicket, TicketBatch

pytestmark = pytest.mark.django_db(transaction=True)
DRAW = date(2026, 8, 22)  # after the last bundled draw, so no batch for it is scored


def test_pipeline_on_the_heavy_cluster_leads_to_tickets_on_the_other(tmp_path: Path, client: Client) -> None:
    import_source("bundled")
    run, _ = accept_run(source="none", draw_date=DRAW, modes=["random_forest"], pipeline_run_id="real")
    assert not PreGeneratedTicket.objects.exists()

    with cluster(clusters.DEFAULT, tmp_path / "log"), cluster(clusters.HEAVY, tmp_path / "heavy"):
        wait_until(lambda: GenerationRun.objects.exclude(status="running").exists(), 120, "the batch")
        wait_until(lambda: Task.objects.count() == 2, 10, "both results")

    run.refresh_from_db()
    assert run.status == "completed"
    assert GenerationRun.objects.get().status == "completed"
    queues = dict(Task.objects.values_list("func", "cluster"))
    assert queues == {
        "predictions.tasks.run_pipeline": "heavy",
        "tickets.tasks.generate_ticket_batch": "shiolplus",
    }
    batch = TicketBatch.objects.get()
    assert (batch.status, batch.stored, batch.tickets.count()) == ("ready", 100, 100)
    assert verify_batch(batch).is_reproducible
    body = client.get(f"/api/v1/tickets/cached?mode=random_forest&limit=100&draw_date={DRAW}").json()
    assert body["count"] == 100
    assert {ticket["pipeline_run_id"] for ticket in body["tickets"]} == {"real"}


def test_task_delivered_four_times_generates_its_batch_once(tmp_path: Path) -> None:
    draw_date = draw_on_sale()
    make_prediction(draw_date=draw_date)
    generator = BatchTicketGenerator(3000, ["random_forest"])
    generator.generate_batch("doubled", draw_date=draw_date)
    batch = TicketBatch.objects.get()
    for _ in range(3):
        async_task("tickets.tasks.generate_ticket_batch", batch.pk, cluster=clusters.DEFAULT)
    assert OrmQ.objects.count() == 4

    with cluster(clusters.DEFAULT, tmp_path / "a"), cluster(clusters.DEFAULT, tmp_path / "b"):
        assert generator.wait_for_completion(timeout=60)
        wait_until(lambda: Task.objects.count() == 4, 20, "the four deliveries")

    batch.refresh_from_db()
    assert (batch.status, batch.attempts, batch.stored) == ("ready", 1, 3000)
    assert PreGeneratedTicket.objects.count() == 3000
    assert all(Task.objects.values_list("success", flat=True))
    assert verify_batch(batch).is_reproducible


def test_the_generating_worker_never_loads_the_libraries_that_models_need(tmp_path: Path) -> None:
    draw_date = draw_on_sale()
    make_prediction(draw_date=draw_date)
    generator = BatchTicketGenerator(100, ["random_forest"])
    generator.generate_batch(draw_date=draw_date)

    with cluster(clusters.DEFAULT, tmp_path / "log") as process:
        assert generator.wait_for_completion(timeout=60)
        loaded = {pid: Path(f"/proc/{pid}/maps").read_text() for pid in group_of(process.pid)}

    assert len(loaded) >= 4  # main, sentinel, worker, monitor, pusher
    for maps in loaded.values():
        assert "/numpy/" in maps
        assert not any(f"/{name}/" in maps for name in ("sklearn", "scipy", "tensorflow", "h5py", "xgboost"))


def test_due_schedule_runs_once_on_a_cluster_of_its_queue(tmp_path: Path) -> None:
    long_ago = timezone.now() - timedelta(days=30)
    Task.objects.create(id="old", name="old", func="math.floor", started=long_ago, stopped=long_ago)
    sync_schedules()
    Schedule.objects.filter(cluster=clusters.DEFAULT).update(next_run=long_ago)
    for queue in (clusters.HEAVY, None):
        Schedule.objects.create(func="math.ceil", args="0.5", cluster=queue, next_run=long_ago)

    with (
        cluster(clusters.DEFAULT, tmp_path / "a"),
        cluster(clusters.DEFAULT, tmp_path / "b"),
        cluster(clusters.HEAVY, tmp_path / "heavy"),
    ):
        wait_until(lambda: Task.objects.exclude(pk="old").count() >= 4, 60, "the four tasks")
        wait_until(lambda: not OrmQ.objects.exists(), 10, "the acknowledgements")

    done = sorted(Task.objects.values_list("func", "cluster", "success"), key=str)
    assert done == [
        ("math.ceil", "heavy", True),
        ("math.ceil", "shiolplus", True),
        ("predictions.tasks.prune_queue", "shiolplus", True),
        ("tickets.tasks.clean_up_tickets", "shiolplus", True),
    ]
    assert not Schedule.objects.filter(next_run__lt=timezone.now()).exists()
