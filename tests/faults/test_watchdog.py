"""The watchdog detects a hung cluster, and its own death leaves no processes behind."""

import time

from tests.faults.world import World
from tests.processes import wait_until
from tickets.cluster.qcluster_main import DRAIN_SECONDS
from tickets.models import GenerationRun, TicketBatch


def test_cluster_hung_by_killed_idle_worker_recovers_within_a_minute(
    world: World,
) -> None:
    host = world.host()
    host.wait_until_up()
    time.sleep(1)  # the canary's worker is idle again and waits with the queue's lock
    host.kill("worker")
    run = world.order(1000)

    assert world.wait_until_ended(run) < 60
    world.check(run)
    assert ": no progress for 2" in host.log.read_text()
    host.end()
    host.wait_until_gone()


def test_clusters_end_with_their_watchdog_and_next_start_resumes(world: World) -> None:
    runs = [world.order(15_000) for _ in range(6)]
    host = world.host()
    wait_until(lambda: TicketBatch.objects.filter(status="ready").exists(), 60, "the first batch")
    host.kill("watchdog")

    host.wait_until_gone(DRAIN_SECONDS + 5)
    assert GenerationRun.objects.filter(status="running").exists()
    host.start()
    world.wait_until_ended(*runs)
    world.check(*runs)
    host.end()
    host.wait_until_gone()
