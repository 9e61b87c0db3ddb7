"""Test data with rows in every list of the admin, in every state that looks different."""

from datetime import date, timedelta

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import Group, User
from django.contrib.contenttypes.models import ContentType
from django.utils import timezone
from django_q.models import Schedule, Task
from django_q.tasks import async_task

from predictions.draws.sources import load_draw_history
from predictions.models import Cluster, Draw, PipelineRun
from predictions.training import fit_leases
from predictions.training.strategy_shares import reset_shares
from predictions.workqueue import clusters
from tests.factories import (
    claim_tickets,
    count_claims,
    draw_on_sale,
    make_backtest,
    make_client,
    make_draw,
    make_key,
    make_prediction,
    make_report,
    queued_batch,
    some_tickets,
    store_fair_draws,
    ticket,
)
from tickets.cluster.schedules import sync_schedules
from tickets.generation.generator import BatchTicketGenerator
from tickets.models import TicketBatch
from tickets.scoring.scorer import score_draw
from tickets.store import insert_batch_tickets

SATURDAY = date(2025, 12, 27)


def create_data() -> None:
    store_fair_draws(30)
    make_report()
    make_backtest({"v1": (0.001, 0.01)})
    reset_shares(SATURDAY)
    _runs()
    _batches()
    _create_claims()
    _queue()
    Group.objects.create(name="auditors")


def _runs() -> None:
    prediction = make_prediction()
    make_prediction("lstm")
    steps = zip(
        ("data", "analytics", "evaluation", "adaptive_weights", "training", "predictions"),
        ("completed", "warning", "failed", "skipped", "running", "pending"),
        strict=True,
    )
    for number, (name, status) in enumerate(steps, start=1):
        prediction.run.steps.create(number=number, name=name, status=status, summary="so it went")
    PipelineRun.objects.filter(pk=prediction.run.pk).update(status="failed", error="the feed was away")
    fit_leases.acquire_fit("v1", load_draw_history(), 1)


def _batches() -> None:
    """Create a batch in each state: ready, failed without a prediction, queued, running, cancelled."""
    generator = BatchTicketGenerator(120, ["random_forest", "v1"])
    generator.generate_batch("made", async_mode=False, draw_date=draw_on_sale())
    for status, generated in (("queued", 0), ("running", 60), ("cancelled", 0)):
        batch = queued_batch(100)
        TicketBatch.objects.filter(pk=batch.pk).update(status=status, generated=generated, rate=30.0)


def _create_claims() -> None:
    client = make_client()
    make_key(client)
    make_key(client, name="revoked", revoked=True)
    claim_tickets(TicketBatch.objects.filter(status="ready").first(), 3)
    count_claims()
    insert_batch_tickets([ticket(5, 12, 33, 41, 61, 7), *some_tickets(9)], "v1", "won", SATURDAY)
    score_draw(make_draw(SATURDAY))


def _queue() -> None:
    sync_schedules()
    Schedule.objects.create(name="nightly", func="math.floor", schedule_type=Schedule.DAILY)
    async_task("math.floor", 1.5)
    now = timezone.now()
    for name, success in (("done", True), ("broken", False)):
        Task.objects.create(
            id=name, name=name, func="math.floor", args=(1,), started=now, stopped=now, success=success
        )
    for number, name in enumerate((clusters.HEAVY, clusters.DEFAULT)):
        Cluster.objects.create(
            holder=name,
            queue=name,
            host="here",
            status="running",
            last_heartbeat_at=now - timedelta(hours=number),
        )
    LogEntry.objects.create(
        user=User.objects.create_user("clerk", is_staff=True),
        content_type=ContentType.objects.get_for_model(Draw),
        object_repr="draws",
        action_flag=CHANGE,
        change_message="Imported draws.",
    )
