"""Processes killed during a batch: the batch is completed, without duplicates."""

import os
import signal

import pytest

from tests.faults.hosts import Host
from tests.faults.marks import IN_FULL, ON_BOTH
from tests.faults.world import World, is_writing
from tests.processes import wait_until
from tickets.models import GenerationRun, TicketBatch


@ON_BOTH
def test_batch_resumes_from_last_commit_after_kill_during_insert(world: World) -> None:
    run = world.order(60_000, chunk_size=20_000)
    batch = run.batches.get()
    host = world.host()
    wait_until(lambda: TicketBatch.objects.get().generated == 20_000, 60, "the first chunk")
    worker = host.worker_at(f"batch {batch.pk}")
    wait_until(lambda: _stop_during_insert(worker), 60, "an insert")
    os.kill(worker, signal.SIGKILL)

    # PostgreSQL completes a commit that the worker has already sent.
    wait_until(lambda: not is_writing(), 5, "the end of its transaction")
    assert batch.tickets.count() == TicketBatch.objects.get().generated < 60_000
    world.wait_until_ended(run)
    world.check(run)
    batch.refresh_from_db()
    assert batch.attempts == 1  # reset by every committed chunk
    assert f"batch {batch.pk} of random_forest is overdue" in host.log.read_text()
    host.end()
    host.wait_until_gone()


def _stop_during_insert(worker: int) -> bool:
    """Stop the worker if it is in a write transaction, and return whether it is."""
    if not is_writing():
        return False
    os.kill(worker, signal.SIGSTOP)
    if is_writing(0.2):  # longer than other processes write
        return True
    os.kill(worker, signal.SIGCONT)
    return False


@IN_FULL
def test_batch_killed_before_first_ticket_runs_on_another_worker(world: World) -> None:
    run = world.order(30_000, chunk_size=30_000)
    batch = run.batches.get()
    host = world.host()
    wait_until(lambda: TicketBatch.objects.get().status == "running", 60, "the lease")
    os.kill(host.worker_at(f"batch {batch.pk}"), signal.SIGKILL)
    assert TicketBatch.objects.get().generated == 0

    world.wait_until_ended(run)
    world.check(run)
    host.end()
    host.wait_until_gone()


@IN_FULL
def test_batch_killed_at_every_attempt_fails_with_reason(world: World) -> None:
    run, other = world.order(200_000, "v2", chunk_size=200_000), world.order(1000)
    batch = run.batches.get()
    host = world.host()
    for attempt in range(1, TicketBatch.MAX_ATTEMPTS + 1):
        wait_until(lambda: _has_tickets(batch, attempt), 60, f"attempt {attempt}")  # noqa: B023 - called at once
        os.kill(host.worker_at(f"batch {batch.pk}"), signal.SIGKILL)

    world.wait_until_ended(run, other)
    world.check(other)
    batch.refresh_from_db()
    run.refresh_from_db()
    assert (batch.status, batch.generated, batch.tickets.count()) == ("failed", 0, 0)
    assert batch.error.startswith("no progress after 5 attempts; last error: worker process")
    assert (run.status, run.error) == ("failed", f"v2: {batch.error}")
    host.end()
    host.wait_until_gone()


def _has_tickets(batch: TicketBatch, attempt: int) -> bool:
    return TicketBatch.objects.filter(pk=batch.pk, status="running", attempts=attempt).exists()


def test_batch_resumes_after_whole_cluster_is_killed(world: World) -> None:
    host, run = _start_batch(world)
    host.kill("group")

    world.wait_until_ended(run)
    world.check(run)
    assert ": main process exited with code -9" in host.log.read_text()
    host.end()
    host.wait_until_gone()


@IN_FULL
@ON_BOTH
@pytest.mark.parametrize("role", ["worker", "monitor", "pusher", "sentinel", "main", "group"])
def test_batch_resumes_after_cluster_process_is_killed(world: World, role: str) -> None:
    host, run = _start_batch(world)
    host.kill(role)

    world.wait_until_ended(run)
    world.check(run)
    later = world.order(1000)
    assert world.wait_until_ended(later) < 60
    world.check(later)
    host.end()
    host.wait_until_gone()


def _start_batch(world: World) -> tuple[Host, GenerationRun]:
    """Return a host and a run in the middle of its batch."""
    run = world.order(40_000)
    batch = run.batches.get()
    host = world.host()
    wait_until(lambda: TicketBatch.objects.get(pk=batch.pk).generated > 0, 60, "the first tickets")
    return host, run
