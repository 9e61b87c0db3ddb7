"""Duplicate deliveries, harmful tasks, the end of a cluster, and two hosts at once."""

import re
from pathlib import Path

import pytest
from django_q.models import OrmQ
from django_q.tasks import async_task

from predictions.workqueue import clusters
from tests.faults.marks import IN_FULL, ON_POSTGRES
from tests.faults.world import World
from tests.processes import wait_until
from tickets.cluster.qcluster_main import DRAIN_SECONDS
from tickets.models import TicketBatch


def test_batch_delivered_four_times_is_generated_once(world: World) -> None:
    run = world.order(10_000, "random_forest", "v1", deliveries=4)
    assert OrmQ.objects.count() == 8
    host, other = world.host("a"), world.host("b")

    world.wait_until_ended(run)
    wait_until(lambda: not _queued_tasks(), 60, "the end of all eight deliveries")
    world.check(run)
    assert _count_completions(host.log, other.log) == dict.fromkeys(
        run.batches.values_list("pk", flat=True), 1
    )
    for one in (host, other):
        one.end()
        one.wait_until_gone()


def _queued_tasks() -> list[OrmQ]:
    return [one for one in OrmQ.objects.all() if one.task["name"].startswith("batch")]


def _count_completions(*logs: Path) -> dict[int, int]:
    """Return how often each batch was finished, according to the logs."""
    made = [int(pk) for log in logs for pk in re.findall(r": Batch (\d+) \(\w+\) ready", log.read_text())]
    return {pk: made.count(pk) for pk in made}


@ON_POSTGRES
def test_two_hosts_generate_each_batch_once(world: World) -> None:
    hosts = [world.host("a"), world.host("b")]
    for host in hosts:
        host.wait_until_up()
    runs = [world.order(4000, "random_forest", "v1", "v2") for _ in range(4)]

    world.wait_until_ended(*runs)
    world.check(*runs)
    batches = TicketBatch.objects.filter(run__in=runs)
    assert _count_completions(*(host.log for host in hosts)) == {batch.pk: 1 for batch in batches}
    assert {batch.holder.split("/")[1].split("-")[0] for batch in batches} == {
        str(host.process.pid) for host in hosts if host.process
    }
    for host in hosts:
        host.end()
        host.wait_until_gone()


def test_sigterm_drains_within_timeout_and_next_start_resumes(world: World) -> None:
    run = world.order(60_000)
    host = world.host()
    wait_until(lambda: TicketBatch.objects.get().generated > 0, 60, "the first tickets")

    assert host.end() < DRAIN_SECONDS
    host.wait_until_gone()
    batch = TicketBatch.objects.get()
    assert (batch.status, batch.token, 0 < batch.generated < 60_000) == ("queued", None, True)
    host.start()
    world.wait_until_ended(run)
    world.check(run)
    host.end()
    host.wait_until_gone()


@IN_FULL
def test_task_ignoring_signals_is_killed_after_drain(world: World) -> None:
    async_task("tests.faults.tasks.sleep", 100, task_name="deaf", cluster=clusters.DEFAULT)
    host = world.host()
    wait_until(lambda: "processing deaf" in host.log.read_text(), 60, "the task")

    assert DRAIN_SECONDS <= host.end() < DRAIN_SECONDS + 20
    host.wait_until_gone()


@IN_FULL
@pytest.mark.parametrize(
    "path",
    [
        "tests.faults.tasks.die",
        "tests.faults.tasks.leave",
        "tests.faults.tasks.return_unpicklable",
        "tests.faults.tasks.nothing_of_this_name",
        "tests.faults.broken.task",
    ],
)
def test_task_that_kills_its_worker_does_not_block_others(world: World, path: str) -> None:
    async_task(path, task_name="harm", cluster=clusters.DEFAULT)
    first = world.order(5000)
    host = world.host(FAULT_TIMEOUT="5", FAULT_RETRY="30")

    world.wait_until_ended(first)
    if path != "tests.faults.tasks.nothing_of_this_name":  # this one is recorded as a failure and removed
        wait_until(lambda: host.log.read_text().count("processing harm") > 1, 90, "its next delivery")
    second = world.order(5000)
    world.wait_until_ended(second)
    world.check(first, second)
    host.end()
    host.wait_until_gone()
