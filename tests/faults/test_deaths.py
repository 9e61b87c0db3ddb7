"""Processes killed with SIGKILL while a batch is made: it is made all the same, once, to the last ticket."""

import pytest

from tests.faults.world import World, is_writing
from tests.processes import wait_until

ON_BOTH = pytest.mark.parametrize("world", ["sqlite", "postgres"], indirect=True)


@ON_BOTH
def test_a_batch_whose_worker_is_killed_amid_an_insert_goes_on_from_its_last_commit(world: World) -> None:
    run = world.order(60_000, chunk_size=20_000)
    batch = run.batches.get()
    host = world.host()

    def is_amid_the_second_chunk() -> bool:
        batch.refresh_from_db()
        return batch.generated == 20_000 and is_writing()

    wait_until(is_amid_the_second_chunk, 60, "the second insert")
    killed = host.kill_worker_at(f"batch {batch.pk}")

    world.wait_until_ended(run)
    world.check(run)
    batch.refresh_from_db()
    assert batch.attempts == 1  # counted anew with every committed chunk
    assert killed not in [member.pid for member in host.members()]
    assert "is overdue" in host.log.read_text()
    host.end()
    host.wait_until_gone()
