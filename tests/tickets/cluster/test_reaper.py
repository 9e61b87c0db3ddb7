"""Work that the queue lost is enqueued again."""

from datetime import timedelta

import pytest
from django.utils import timezone
from django_q.models import OrmQ

from predictions.models import PipelineRun
from predictions.pipeline.runner import accept_run
from tests.factories import make_prediction, queued_batch
from tickets.cluster.reaper import ReapResult, reap
from tickets.models import GenerationRun, TicketBatch

pytestmark = pytest.mark.django_db
NOTHING = ReapResult()


def past() -> object:
    return timezone.now() - timedelta(seconds=1)


@pytest.fixture
def batch() -> TicketBatch:
    make_prediction()
    PipelineRun.objects.update(status="failed")  # the factory's own run is of no interest here
    batch = queued_batch()
    TicketBatch.objects.update(redeliver_after=timezone.now() + timedelta(seconds=60))
    OrmQ.objects.all().delete()  # as if the queue had lost its task
    return batch


def test_a_batch_that_waits_for_its_task_is_left_alone(batch: TicketBatch) -> None:
    assert reap() == NOTHING
    assert not OrmQ.objects.exists()


def test_overdue_batch_is_requeued_once(batch: TicketBatch) -> None:
    TicketBatch.objects.update(redeliver_after=past())

    assert reap() == ReapResult(batches=1)
    assert reap() == NOTHING

    (task,) = OrmQ.objects.all()
    assert (task.key, task.func()) == ("shiolplus", "tickets.tasks.generate_ticket_batch")


def test_batch_of_a_killed_worker_is_requeued_after_its_lease(batch: TicketBatch) -> None:
    assert TicketBatch.objects.acquire(batch.pk, "there")
    assert reap() == NOTHING

    TicketBatch.objects.update(lease_until=past(), redeliver_after=past())

    assert reap() == ReapResult(batches=1)


def test_batch_without_attempts_left_fails_with_its_run(batch: TicketBatch) -> None:
    assert TicketBatch.objects.acquire(batch.pk, "there")
    TicketBatch.objects.update(lease_until=past(), redeliver_after=past(), attempts=TicketBatch.MAX_ATTEMPTS)

    assert reap() == ReapResult(failed=1)

    assert TicketBatch.objects.get().status == GenerationRun.objects.get().status == "failed"
    assert "no progress after 5 attempts" in GenerationRun.objects.get().error
    assert reap() == NOTHING


@pytest.mark.parametrize("status", ["ready", "failed", "cancelled"])
def test_a_batch_that_has_ended_is_never_sent(batch: TicketBatch, status: str) -> None:
    TicketBatch.objects.update(status=status, redeliver_after=past())

    assert reap() == NOTHING


def test_overdue_pipeline_is_requeued_and_an_exhausted_one_fails() -> None:
    accept_run(source="none", pipeline_run_id="lost")
    hopeless, _ = accept_run(source="none", pipeline_run_id="hopeless")
    OrmQ.objects.all().delete()
    PipelineRun.objects.update(redeliver_after=past())
    PipelineRun.objects.filter(pk=hopeless.pk).update(attempts=PipelineRun.MAX_ATTEMPTS)

    assert reap() == ReapResult(runs=1, failed=1)

    (task,) = OrmQ.objects.all()
    assert (task.key, task.func()) == ("heavy", "predictions.tasks.run_pipeline")
    hopeless.refresh_from_db()
    assert hopeless.error == "no progress after 5 attempts; last error: worker process killed"


def test_completed_pipeline_without_batches_is_signalled_again(batch: TicketBatch) -> None:
    PipelineRun.objects.update(status="completed")

    assert reap() == ReapResult(signalled=1)
    assert reap() == NOTHING

    run_id = PipelineRun.objects.get().pipeline_run_id
    assert GenerationRun.objects.filter(pipeline_run_id=run_id).exists()


def test_pipeline_that_cannot_be_signalled_does_not_stop_others(batch: TicketBatch) -> None:
    PipelineRun.objects.update(status="completed")
    good = PipelineRun.objects.get().pipeline_run_id
    PipelineRun.objects.create(
        pipeline_run_id="bad",
        status="completed",
        draw_date=batch.draw_date,
        source="none",
        modes=["of a later version"],
    )

    assert reap().signalled == 1
    assert GenerationRun.objects.filter(pipeline_run_id=good).exists()
