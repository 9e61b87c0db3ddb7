"""Pruning deletes old rows of the queue in chunks, and nothing else."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django_q.models import OrmQ, Task
from django_q.tasks import async_task

from predictions.models import Cluster
from predictions.tasks import prune_queue
from predictions.workqueue import pruning

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
WEEK, SECOND = timedelta(days=7), timedelta(seconds=1)


def result(name: str, age: timedelta, success: bool = True) -> None:
    Task.objects.create(
        id=name, name=name, func="math.floor", started=NOW - age, stopped=NOW - age, success=success
    )


@time_machine.travel(NOW, tick=False)
def test_results_older_than_a_week_are_deleted() -> None:
    for success in (True, False):
        result(f"old {success}", WEEK + SECOND, success)
        result(f"young {success}", WEEK - SECOND, success)
    async_task("math.floor", 1.5)

    assert prune_queue() == {"results": 2, "clusters": 0, "sign_ins": 0}

    assert set(Task.objects.values_list("name", flat=True)) == {"young True", "young False"}
    assert OrmQ.objects.count() == 1
    assert prune_queue() == {"results": 0, "clusters": 0, "sign_ins": 0}


@time_machine.travel(NOW, tick=False)
def test_clusters_not_seen_for_a_week_are_deleted() -> None:
    for age in (WEEK + SECOND, WEEK - SECOND):
        Cluster.objects.create(holder=str(age), queue="heavy", host="here", seen_at=NOW - age)

    assert prune_queue() == {"results": 0, "clusters": 1, "sign_ins": 0}
    assert Cluster.objects.get().holder == str(WEEK - SECOND)


@time_machine.travel(NOW, tick=False)
def test_many_results_go_in_chunks(monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any) -> None:
    monkeypatch.setattr(pruning, "CHUNK", 3)
    for number in range(7):
        result(str(number), 2 * WEEK)

    with django_assert_num_queries(7):  # select and delete for three chunks, then an empty select
        assert pruning.prune_results() == 7
