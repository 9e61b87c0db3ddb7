"""Is it well, and if not, why: what is said in each trouble, and nothing of a sound system."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from predictions.models import Cluster, PipelineRun, TrainedModel
from predictions.modes.registry import MODE_NAMES
from tests.factories import (
    WEDNESDAY,
    count_claims,
    make_draw,
    make_model,
    make_prediction,
    queued_batch,
    some_tickets,
)
from tickets.generation.lifecycle import finish_batch
from tickets.models import TicketBatch
from tickets.models.policies import ModePolicy
from tickets.monitoring.collector import take_snapshot
from tickets.monitoring.diagnostics import Diagnostic, diagnose, overall_status
from tickets.store import insert_batch_tickets

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 24, 18, 30, tzinfo=UTC)  # 13:30 in New York, after the draw of Monday


@pytest.fixture(autouse=True)
def _now() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


def told() -> dict[str, list[Diagnostic]]:
    found: dict[str, list[Diagnostic]] = {}
    for one in diagnose(take_snapshot(timezone.now())):
        found.setdefault(one.code, []).append(one)
    return found


def cluster(queue: str, **values: Any) -> Cluster:
    return Cluster.objects.create(
        **{
            "holder": f"host/{queue}",
            "queue": queue,
            "host": "host",
            "status": "running",
            "last_heartbeat_at": NOW,
        }
        | values
    )


def ended_pipeline(**values: Any) -> PipelineRun:
    return PipelineRun.objects.create(
        **{
            "pipeline_run_id": "p-1",
            "draw_date": WEDNESDAY,
            "source": "none",
            "status": "completed",
            "started_at": NOW - timedelta(minutes=2),
            "finished_at": NOW,
        }
        | values
    )


@pytest.fixture
def sound() -> None:
    """Both clusters alive, every mode with a model and tickets, all draws known, a pipeline completed."""
    for queue in ("shiolplus", "heavy"):
        cluster(queue)
    ended_pipeline()
    make_draw(date(2026, 11, 23))
    for powerball, mode in enumerate(MODE_NAMES, start=1):
        make_model(mode, active=True)
        insert_batch_tickets(some_tickets(3, powerball), mode, draw_date=WEDNESDAY)


def test_of_a_sound_system_nothing_is_said(sound: None) -> None:
    assert told() == {}
    assert overall_status([]) == "well"


def test_a_new_installation_is_told_what_to_do_first() -> None:
    found = told()

    assert {kind: len(those) for kind, those in found.items()} == {
        "no_worker": 2,
        "no_draws": 1,
        "no_pipeline": 1,
        "no_tickets": 5,
        "no_model": 5,
    }
    assert found["no_worker"][0].message == "No cluster makes tickets (queue shiolplus)."
    assert "run_cluster" in found["no_worker"][0].hint
    assert found["no_tickets"][0].hint == (
        "it has no prediction for this draw: `manage.py run_pipeline --modes random_forest`"
    )
    levels = [one.level for one in diagnose(take_snapshot(NOW))]
    assert levels == sorted(levels, key=["error", "warning", "notice"].index)
    assert overall_status(diagnose(take_snapshot(NOW))) == "error"


def test_a_cluster_that_fell_silent_is_missed_and_said_when_it_was_seen(sound: None) -> None:
    Cluster.objects.update(seen_at=NOW - timedelta(minutes=12))

    assert [one.message for one in told()["no_worker"]] == [
        "No cluster makes tickets (queue shiolplus); one was last seen 12 min 00 s ago.",
        "No cluster runs pipelines and fits models (queue heavy); one was last seen 12 min 00 s ago.",
    ]


def test_one_queue_that_nobody_serves_is_named(sound: None) -> None:
    Cluster.objects.filter(queue="heavy").update(status=Cluster.Status.STOPPED)

    (one,) = told()["no_worker"]
    assert (one.subject, one.message) == ("heavy", "No cluster runs pipelines and fits models (queue heavy).")


def test_a_cluster_started_again_lately_is_a_warning_for_an_hour(sound: None) -> None:
    Cluster.objects.filter(queue="heavy").update(
        restarts=2, trouble="gave no sign", started_at=NOW - timedelta(minutes=5)
    )
    (one,) = told()["restarted_worker"]
    assert one.message == "The cluster of heavy on host was started again 5 min 00 s ago: gave no sign."

    Cluster.objects.filter(queue="heavy").update(started_at=NOW - timedelta(minutes=61))
    assert "restarted_worker" not in told()


def test_a_batch_that_nobody_begins_for_ten_minutes_is_an_error(sound: None) -> None:
    make_prediction()
    queued_batch(created_at=NOW - timedelta(minutes=10))
    assert "waiting_batches" not in told()

    queued_batch(created_at=NOW - timedelta(minutes=10, seconds=1))
    (one,) = told()["waiting_batches"]
    assert one.message == "2 batches wait to be begun, the oldest for 10 min 01 s."


def test_a_failed_batch_is_told_with_its_error_until_its_draw_is_held(sound: None) -> None:
    make_prediction()
    batch = queued_batch()
    batch.token = TicketBatch.objects.acquire(batch.pk, "me")
    finish_batch(batch, TicketBatch.Status.FAILED, "no room on the disk")

    (one,) = told()["failed_batch"]
    assert one.message == f"Batch {batch.pk} of random_forest for 2026-11-25 failed: no room on the disk"
    assert (one.level, one.subject) == ("error", str(batch.pk))

    with time_machine.travel(datetime(2026, 11, 26, 3, 58, 59, tzinfo=UTC), tick=False):
        assert "failed_batch" in told()  # 22:58 in New York, still on the day of the draw
    with time_machine.travel(datetime(2026, 11, 26, 3, 59, tzinfo=UTC), tick=False):
        assert "failed_batch" not in told()


def test_of_many_failed_batches_five_are_told_and_the_others_counted(sound: None) -> None:
    make_prediction()
    for _ in range(7):
        queued_batch(status="failed")

    found = told()
    assert len(found["failed_batch"]) == 5
    assert [one.message for one in found["failed_batches"]] == ["2 more batches for draws to come failed."]


def test_a_draw_is_awaited_until_noon_in_new_york_and_missed_after_it(sound: None) -> None:
    make_draw(WEDNESDAY)
    after = datetime(2026, 11, 29, 16, 59, tzinfo=UTC)  # 11:59 on the day after Saturday's draw
    with time_machine.travel(after, tick=False):
        (one,) = told()["awaited_draw"]
        assert (one.level, one.message) == (
            "notice",
            "The draw of 2026-11-28 was held; its numbers are awaited.",
        )
    with time_machine.travel(after + timedelta(minutes=1), tick=False):
        (one,) = told()["missing_draws"]
        assert one.message == "1 draw since 2026-11-25 is not stored: the models do not know it."


def test_a_pipeline_that_failed_is_told_until_another_is_completed(sound: None) -> None:
    failed = ended_pipeline(pipeline_run_id="p-2", status="failed", error="data: no draws")
    (one,) = told()["failed_pipeline"]
    assert one.message == "The last pipeline run, p-2, failed: data: no draws"
    assert one.subject == str(failed.pk)

    ended_pipeline(pipeline_run_id="p-3")
    assert "failed_pipeline" not in told()


def test_a_mode_without_a_free_ticket_is_an_error_while_tickets_are_sold(sound: None) -> None:
    TicketBatch.objects.filter(mode="lstm").update(stored=0)
    make_prediction("lstm")
    (one,) = told()["no_tickets"]
    assert (one.level, one.subject) == ("error", "lstm")
    assert one.message == "lstm has no ticket free for the draw of 2026-11-25."
    assert one.hint == "`manage.py generate_batch --modes lstm`"

    with time_machine.travel(datetime(2026, 11, 26, 3, tzinfo=UTC), tick=False):  # sales closed at 02:59
        assert "no_tickets" not in told()


def test_tickets_that_are_coming_make_an_empty_shelf_a_warning(sound: None) -> None:
    TicketBatch.objects.filter(mode="random_forest").update(stored=0)
    make_prediction()
    queued_batch(size=40)

    (one,) = told()["no_tickets"]
    assert one.level == "warning"
    assert one.message == "random_forest has no ticket free for the draw of 2026-11-25; 40 are coming."


def test_a_stock_under_its_floor_is_a_warning(sound: None) -> None:
    count_claims("v1", NOW - timedelta(minutes=30), claims=1, tickets=1)

    (one,) = told()["low_stock"]
    assert one.message == "v1 has 2 tickets available, 98 below its reorder point."


def test_what_somebody_wanted_so_is_a_notice_and_all_is_well(sound: None) -> None:
    ModePolicy.objects.filter(mode="v2").update(paused=True)
    TicketBatch.objects.filter(mode="v2").update(stored=0)
    make_model("v1", active=False)
    TrainedModel.objects.filter(mode="v1", active=True).update(pinned=True)

    found = diagnose(take_snapshot(NOW))

    assert [(one.level, one.code, one.subject) for one in found] == [
        ("notice", "pinned_model", "v1"),
        ("notice", "paused_mode", "v2"),
    ]
    assert overall_status(found) == "well"
