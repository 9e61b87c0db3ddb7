"""State changes of a batch: requeued, backed off, finished, cancelled, retried."""

from datetime import timedelta

import pytest
from django.utils import timezone
from django_q.models import OrmQ

from predictions.workqueue.leases import LeaseLost
from tests.factories import WEDNESDAY, make_prediction, queued_batch, some_tickets
from tickets.generation import worker
from tickets.generation.generator import BatchTicketGenerator
from tickets.generation.lifecycle import (
    cancel_batch,
    fail_if_exhausted,
    finish_batch,
    requeue,
    requeue_with_backoff,
    retry_batch,
)
from tickets.generation.verification import verify_batch
from tickets.generation.worker import run_batch, run_next_batch
from tickets.models import GenerationRun, PreGeneratedTicket, TicketBatch
from tickets.store import deletion, insert_batch_tickets

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("on_tuesday")]


@pytest.fixture(autouse=True)
def _prediction(on_tuesday: None) -> None:
    make_prediction()


def leased_batch(**values: object) -> TicketBatch:
    """Create a batch leased by this process."""
    batch = queued_batch(**values)
    assert TicketBatch.objects.acquire(batch.pk, "here")
    batch.refresh_from_db()
    return batch


def stolen(batch: TicketBatch) -> TicketBatch:
    """Let another worker take over the batch, and return the stale object."""
    TicketBatch.objects.filter(pk=batch.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    assert TicketBatch.objects.acquire(batch.pk, "there")
    return batch


def run_of(batch: TicketBatch) -> GenerationRun:
    return GenerationRun.objects.get(pk=batch.run_id)


def test_batch_longer_than_its_slice_is_requeued_and_resumes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    batch = queued_batch(300, chunk_size=100)
    OrmQ.objects.all().delete()

    assert run_batch(batch.pk, seconds=0)  # ends before the first chunk

    batch.refresh_from_db()
    assert (batch.status, batch.generated, batch.token, batch.lease_until) == ("queued", 0, None, None)
    assert OrmQ.objects.count() == 1
    assert run_of(batch).status == "running"
    assert run_batch(batch.pk)
    batch.refresh_from_db()
    assert (batch.status, batch.stored) == ("ready", 300)


def test_sliced_batch_generates_the_same_tickets_as_an_unsliced_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    batch = queued_batch(500, chunk_size=100)
    clock = iter(range(10_000))
    monkeypatch.setattr(worker.time, "monotonic", lambda: next(clock))
    slices = 0
    while TicketBatch.objects.get().status != "ready":
        assert run_batch(batch.pk, seconds=4)
        slices += 1

    batch.refresh_from_db()
    assert slices > 1
    assert (batch.stored, batch.attempts) == (500, 1)
    assert verify_batch(batch).is_reproducible


def test_the_next_batch_is_the_one_of_the_highest_priority_then_the_oldest() -> None:
    first, second, urgent, cancelled = (queued_batch(10, seed=seed) for seed in range(4))
    TicketBatch.objects.filter(pk=urgent.pk).update(priority=5)
    TicketBatch.objects.filter(pk=cancelled.pk).update(priority=9, status="cancelled")

    assert [run_next_batch() for _ in range(4)] == [urgent.pk, first.pk, second.pk, None]


def test_leased_batch_is_not_next_until_its_lease_expires() -> None:
    batch = leased_batch()
    assert run_next_batch() is None

    TicketBatch.objects.filter(pk=batch.pk).update(lease_until=timezone.now() - timedelta(seconds=1))

    assert run_next_batch() == batch.pk
    batch.refresh_from_db()
    assert (batch.status, batch.stored) == ("ready", 100)


@pytest.mark.parametrize("act", [requeue, lambda batch: finish_batch(batch, "ready")])
def test_worker_without_lease_can_neither_requeue_nor_finish_a_batch(act: object) -> None:
    batch = stolen(leased_batch())
    OrmQ.objects.all().delete()

    with pytest.raises(LeaseLost):
        act(batch)

    assert TicketBatch.objects.get().holder == "there"
    assert (TicketBatch.objects.get().status, OrmQ.objects.count()) == ("running", 0)


def test_worker_without_lease_stores_no_further_chunk() -> None:
    batch = queued_batch(300, chunk_size=100)

    def steal(now: TicketBatch) -> None:
        if now.generated == 200:
            stolen(now)

    assert run_batch(batch.pk, watch=steal)

    batch.refresh_from_db()
    assert (batch.status, batch.holder, batch.stored) == ("running", "there", 200)
    assert PreGeneratedTicket.objects.count() == 200


def test_a_batch_that_met_an_outage_is_nobodys_for_a_while_and_then_due() -> None:
    batch = leased_batch()

    requeue_with_backoff(batch, "the disk is full")

    batch.refresh_from_db()
    assert (batch.status, batch.error, batch.token) == ("queued", "the disk is full", None)
    assert run_next_batch() is None
    assert not TicketBatch.objects.overdue().exists()
    past = timezone.now() - timedelta(seconds=1)
    TicketBatch.objects.update(lease_until=past, redeliver_after=past)
    assert list(TicketBatch.objects.overdue()) == [batch]
    assert run_next_batch() == batch.pk
    batch.refresh_from_db()
    assert (batch.status, batch.error) == ("ready", "")


def test_after_its_last_attempt_a_batch_has_failed_with_the_reason_of_the_last() -> None:
    batch = leased_batch(attempts=TicketBatch.MAX_ATTEMPTS - 1)

    requeue_with_backoff(batch, "the disk is full")

    batch.refresh_from_db()
    assert batch.status == "failed"
    assert batch.error == "no progress after 5 attempts; last error: the disk is full"
    assert (run_of(batch).status, run_of(batch).error) == ("failed", f"random_forest: {batch.error}")


def test_batch_whose_workers_are_always_killed_fails_with_that_reason() -> None:
    batch = leased_batch(attempts=TicketBatch.MAX_ATTEMPTS - 1)
    assert not fail_if_exhausted(batch)  # it may still be running

    TicketBatch.objects.update(lease_until=timezone.now() - timedelta(seconds=1))

    assert fail_if_exhausted(batch)
    batch.refresh_from_db()
    assert batch.error.endswith("last error: worker process killed")
    assert not fail_if_exhausted(batch)


@pytest.mark.parametrize("make", [queued_batch, leased_batch])
def test_a_batch_that_is_not_done_can_be_cancelled_and_keeps_its_tickets(make: object) -> None:
    batch = make()

    assert cancel_batch(batch, "by staff")

    batch.refresh_from_db()
    assert (batch.status, batch.error, run_of(batch).status) == ("cancelled", "by staff", "cancelled")
    assert not run_batch(batch.pk)
    assert not cancel_batch(batch)


def test_retried_cancelled_batch_resumes_where_it_stopped() -> None:
    batch = queued_batch(300, chunk_size=100)

    def cancel(now: TicketBatch) -> None:
        if now.generated == 100:
            cancel_batch(now)

    run_batch(batch.pk, watch=cancel)
    OrmQ.objects.all().delete()
    TicketBatch.objects.update(attempts=4)

    assert retry_batch(batch)

    batch.refresh_from_db()
    assert (batch.status, batch.attempts, batch.stored, run_of(batch).status) == ("queued", 0, 100, "running")
    assert OrmQ.objects.count() == 1
    assert run_next_batch() == batch.pk
    batch.refresh_from_db()
    assert (batch.status, batch.stored, run_of(batch).status) == ("ready", 300, "completed")
    assert verify_batch(batch).is_reproducible


def test_retry_uses_the_newest_prediction_if_there_was_none() -> None:
    BatchTicketGenerator(100, ["lstm"]).generate_batch(draw_date=WEDNESDAY)
    batch = TicketBatch.objects.get(mode="lstm")
    assert (batch.status, batch.prediction) == ("failed", None)
    retry_batch(batch)
    run_next_batch()
    batch.refresh_from_db()
    assert (batch.status, batch.error) == ("failed", f"lstm has no prediction for the draw of {WEDNESDAY}")
    prediction = make_prediction("lstm")

    retry_batch(batch)
    run_next_batch()

    batch.refresh_from_db()
    assert (batch.status, batch.prediction, batch.stored) == ("ready", prediction, 100)
    assert verify_batch(batch).is_reproducible


@pytest.mark.parametrize("status", ["queued", "running", "ready"])
def test_only_a_failed_or_cancelled_batch_is_tried_again(status: str) -> None:
    batch = queued_batch()
    TicketBatch.objects.update(status=status)

    assert not retry_batch(batch)


def test_a_batch_knows_how_long_it_still_takes() -> None:
    batch = TicketBatch(status="running", requested=1000, generated=400, rate=100.0, draw_date=WEDNESDAY)

    assert batch.seconds_left == 6.0
    assert TicketBatch(status="queued", requested=1000, rate=None).seconds_left is None


def old_tickets(count: int) -> None:
    """Insert expired tickets, which the next batch of the mode deletes first."""
    insert_batch_tickets(some_tickets(count), "random_forest", "old", WEDNESDAY)
    PreGeneratedTicket.objects.update(created_at=timezone.now() - timedelta(days=30))


def test_a_cleanup_longer_than_the_slice_goes_on_in_the_next_and_is_no_attempt_in_vain(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(deletion, "DELETE_CHUNK", 10)
    old_tickets(25)
    batch, left = queued_batch(), []

    while TicketBatch.objects.get(pk=batch.pk).status != "ready" and len(left) < 10:
        run_batch(batch.pk, seconds=0 if len(left) < 2 else 60)
        left.append(PreGeneratedTicket.objects.filter(pipeline_run_id="old").count())

    batch.refresh_from_db()
    assert (left, batch.attempts, batch.stored) == ([15, 5, 0], 1, 100)


def test_worker_that_loses_its_lease_during_cleanup_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deletion, "DELETE_CHUNK", 10)
    old_tickets(25)
    batch = queued_batch()
    real = TicketBatch.objects.renew

    def steal_first(row: TicketBatch, **values: object) -> bool:
        stolen(row)
        return real(row, **values)

    monkeypatch.setattr(TicketBatch.objects, "renew", steal_first)

    run_batch(batch.pk)

    assert PreGeneratedTicket.objects.count() == 15
    assert TicketBatch.objects.get(pk=batch.pk).holder == "there"
