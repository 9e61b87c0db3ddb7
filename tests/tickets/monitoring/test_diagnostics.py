"""The diagnostics of each fault, and none of a sound system."""

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


def diagnostics() -> dict[str, list[Diagnostic]]:
    """Return the diagnostics of the present state by code."""
    by_code: dict[str, list[Diagnostic]] = {}
    for diagnostic in diagnose(take_snapshot(timezone.now())):
        by_code.setdefault(diagnostic.code, []).append(diagnostic)
    return by_code


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


def test_healthy_system_has_no_diagnostics(sound: None) -> None:
    assert diagnostics() == {}
    assert overall_status([]) == "well"


def test_new_installation_gets_hints_for_the_first_steps() -> None:
    by_code = diagnostics()

    assert {code: len(group) for code, group in by_code.items()} == {
        "no_worker": 2,
        "no_draws": 1,
        "no_pipeline": 1,
        "no_tickets": 5,
        "no_model": 5,
    }
    assert by_code["no_worker"][0].message == "No cluster generates tickets (queue shiolplus)."
    assert "run_cluster" in by_code["no_worker"][0].hint
    assert by_code["no_tickets"][0].hint == (
        "No prediction for this draw yet: run `manage.py run_pipeline --modes random_forest`."
    )
    levels = [diagnostic.level for diagnostic in diagnose(take_snapshot(NOW))]
    assert levels == sorted(levels, key=["error", "warning", "notice"].index)
    assert overall_status(diagnose(take_snapshot(NOW))) == "error"


def test_silent_cluster_is_reported_with_when_it_was_last_seen(sound: None) -> None:
    Cluster.objects.update(seen_at=NOW - timedelta(minutes=12))

    assert [diagnostic.message for diagnostic in diagnostics()["no_worker"]] == [
        "No cluster generates tickets (queue shiolplus); last seen 12 min 00 s ago.",
        "No cluster runs pipelines and trains models (queue heavy); last seen 12 min 00 s ago.",
    ]


def test_queue_without_a_cluster_is_named(sound: None) -> None:
    Cluster.objects.filter(queue="heavy").update(status=Cluster.Status.STOPPED)

    (diagnostic,) = diagnostics()["no_worker"]
    assert (diagnostic.subject, diagnostic.message) == (
        "heavy",
        "No cluster runs pipelines and trains models (queue heavy).",
    )


def test_a_cluster_started_again_lately_is_a_warning_for_an_hour(sound: None) -> None:
    Cluster.objects.filter(queue="heavy").update(
        restarts=2, trouble="gave no sign", started_at=NOW - timedelta(minutes=5)
    )
    (diagnostic,) = diagnostics()["restarted_worker"]
    assert diagnostic.message == "Cluster heavy on host was restarted 5 min 00 s ago: gave no sign."

    Cluster.objects.filter(queue="heavy").update(started_at=NOW - timedelta(minutes=61))
    assert "restarted_worker" not in diagnostics()


def test_batch_waiting_for_ten_minutes_is_an_error(sound: None) -> None:
    make_prediction()
    queued_batch(created_at=NOW - timedelta(minutes=10))
    assert "waiting_batches" not in diagnostics()

    queued_batch(created_at=NOW - timedelta(minutes=10, seconds=1))
    (diagnostic,) = diagnostics()["waiting_batches"]
    assert diagnostic.message == "2 batches are waiting to start, the oldest for 10 min 01 s."


def test_failed_batch_is_reported_with_its_error_until_its_draw(sound: None) -> None:
    make_prediction()
    batch = queued_batch()
    batch.token = TicketBatch.objects.acquire(batch.pk, "me")
    finish_batch(batch, TicketBatch.Status.FAILED, "no room on the disk")

    (diagnostic,) = diagnostics()["failed_batch"]
    assert (
        diagnostic.message == f"Batch {batch.pk} of random_forest for 2026-11-25 failed: no room on the disk"
    )
    assert (diagnostic.level, diagnostic.subject) == ("error", str(batch.pk))

    with time_machine.travel(datetime(2026, 11, 26, 3, 58, 59, tzinfo=UTC), tick=False):
        assert "failed_batch" in diagnostics()  # 22:58 in New York, still on the day of the draw
    with time_machine.travel(datetime(2026, 11, 26, 3, 59, tzinfo=UTC), tick=False):
        assert "failed_batch" not in diagnostics()


def test_of_many_failed_batches_five_are_listed_and_the_others_counted(sound: None) -> None:
    make_prediction()
    for _ in range(7):
        queued_batch(status="failed")

    by_code = diagnostics()
    assert len(by_code["failed_batch"]) == 5
    assert [diagnostic.message for diagnostic in by_code["failed_batches"]] == [
        "2 more batches for upcoming draws failed."
    ]


def test_a_draw_is_awaited_until_noon_in_new_york_and_missed_after_it(sound: None) -> None:
    make_draw(WEDNESDAY)
    after = datetime(2026, 11, 29, 16, 59, tzinfo=UTC)  # 11:59 on the day after Saturday's draw
    with time_machine.travel(after, tick=False):
        (diagnostic,) = diagnostics()["awaited_draw"]
        assert (diagnostic.level, diagnostic.message) == (
            "notice",
            "The numbers of the draw of 2026-11-28 are not published yet.",
        )
    with time_machine.travel(after + timedelta(minutes=1), tick=False):
        (diagnostic,) = diagnostics()["missing_draws"]
        assert diagnostic.message == "1 draw missing since 2026-11-25: models cannot learn from it."


def test_failed_pipeline_is_reported_until_another_completes(sound: None) -> None:
    failed = ended_pipeline(pipeline_run_id="p-2", status="failed", error="data: no draws")
    (diagnostic,) = diagnostics()["failed_pipeline"]
    assert diagnostic.message == "The last pipeline run, p-2, failed: data: no draws"
    assert diagnostic.subject == str(failed.pk)

    ended_pipeline(pipeline_run_id="p-3")
    assert "failed_pipeline" not in diagnostics()


def test_a_mode_without_a_free_ticket_is_an_error_while_tickets_are_sold(sound: None) -> None:
    TicketBatch.objects.filter(mode="lstm").update(stored=0)
    make_prediction("lstm")
    (diagnostic,) = diagnostics()["no_tickets"]
    assert (diagnostic.level, diagnostic.subject) == ("error", "lstm")
    assert diagnostic.message == "lstm has no tickets available for the draw of 2026-11-25."
    assert diagnostic.hint == "Run `manage.py generate_batch --modes lstm`."

    with time_machine.travel(datetime(2026, 11, 26, 3, tzinfo=UTC), tick=False):  # sales closed at 02:59
        assert "no_tickets" not in diagnostics()


def test_tickets_that_are_coming_make_an_empty_shelf_a_warning(sound: None) -> None:
    TicketBatch.objects.filter(mode="random_forest").update(stored=0)
    make_prediction()
    queued_batch(size=40)

    (diagnostic,) = diagnostics()["no_tickets"]
    assert diagnostic.level == "warning"
    assert (
        diagnostic.message
        == "random_forest has no tickets available for the draw of 2026-11-25; 40 on order."
    )


def test_a_stock_under_its_floor_is_a_warning(sound: None) -> None:
    count_claims("v1", NOW - timedelta(minutes=30), claims=1, tickets=1)

    (diagnostic,) = diagnostics()["low_stock"]
    assert diagnostic.message == "v1 has 2 tickets available, 98 below its reorder point."


def test_intended_state_is_a_notice_only(sound: None) -> None:
    ModePolicy.objects.filter(mode="v2").update(paused=True)
    TicketBatch.objects.filter(mode="v2").update(stored=0)
    make_model("v1", active=False)
    TrainedModel.objects.filter(mode="v1", active=True).update(pinned=True)

    notices = diagnose(take_snapshot(NOW))

    assert [(diagnostic.level, diagnostic.code, diagnostic.subject) for diagnostic in notices] == [
        ("notice", "pinned_model", "v1"),
        ("notice", "paused_mode", "v2"),
    ]
    assert overall_status(notices) == "well"
