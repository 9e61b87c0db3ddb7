"""Mode policies: defaults of calls, their record on the run, and paused modes."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.conf import settings
from django.utils import timezone
from django_q.models import OrmQ

from predictions.models import PipelineRun
from predictions.modes.registry import MODE_NAMES
from tests.factories import WEDNESDAY, make_prediction
from tickets.generation.generator import BatchTicketGenerator
from tickets.models import GenerationRun, PreGeneratedTicket, TicketBatch
from tickets.models.policies import PAUSED_REASON, ModePolicy, get_policy, policies_by_mode
from tickets.receivers import enqueue_generation, enqueue_missing_batches

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("on_tuesday")]
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
TWO = ["random_forest", "v1"]


def policy(mode: str, **values: object) -> None:
    ModePolicy.objects.filter(mode=mode).update(**values)


def used(batch_size: int = 100, cleanup_days: int = 7, priority: int = 0) -> dict[str, int]:
    return {"batch_size": batch_size, "cleanup_days": cleanup_days, "priority": priority}


def batches() -> list[tuple[str, int, int]]:
    return list(TicketBatch.objects.order_by("id").values_list("mode", "requested", "priority"))


def test_every_mode_has_a_policy_and_the_defaults_hold_where_its_row_is_missing() -> None:
    assert list(ModePolicy.objects.values_list("mode", flat=True)) == list(MODE_NAMES)
    ModePolicy.objects.all().delete()

    assert list(policies_by_mode()) == list(MODE_NAMES)
    for policy in (*policies_by_mode().values(), get_policy("v1")):
        assert (policy.batch_size, policy.keep_days, policy.priority, policy.paused) == (100, 7, 0, False)


def test_missing_arguments_default_to_policies_and_are_stored_on_the_run() -> None:
    policy("v1", batch_size=300, keep_days=30, priority=9)

    result = BatchTicketGenerator(modes=TWO).generate_batch(draw_date=WEDNESDAY)
    policy("v1", batch_size=5, keep_days=5, priority=5)

    run = GenerationRun.objects.get()
    assert run.policy == {"random_forest": used(), "v1": used(300, 30, 9)}
    assert (run.batch_size, run.cleanup_days, result["batch_size"]) == (None, None, None)
    assert batches() == [("random_forest", 100, 0), ("v1", 300, 9)]


@pytest.mark.parametrize(
    ("arguments", "of_v1", "common"),
    [
        ({"batch_size": 20}, used(20, 30, 9), (20, None)),
        ({"cleanup_days": 2}, used(300, 2, 9), (None, 2)),
        ({"batch_size": 20, "cleanup_days": 2}, used(20, 2, 9), (20, 2)),
        ({"priority": 0}, used(300, 30, 0), (None, None)),
        ({"priority": 101}, used(300, 30, 101), (None, None)),
    ],
)
def test_call_arguments_override_policies(
    arguments: dict[str, int], of_v1: dict[str, int], common: tuple[int | None, int | None]
) -> None:
    policy("v1", batch_size=300, keep_days=30, priority=9)

    BatchTicketGenerator(modes=TWO, **arguments).generate_batch(draw_date=WEDNESDAY)

    run = GenerationRun.objects.get()
    assert run.policy["v1"] == of_v1
    assert (run.batch_size, run.cleanup_days) == common
    assert batches()[1] == ("v1", of_v1["batch_size"], of_v1["priority"])


def test_run_stores_values_on_which_all_policies_agree() -> None:
    ModePolicy.objects.update(batch_size=40, keep_days=9)

    BatchTicketGenerator(modes=TWO).generate_batch(draw_date=WEDNESDAY)

    run = GenerationRun.objects.get()
    assert (run.batch_size, run.cleanup_days) == (40, 9)


def test_the_attributes_are_integers_whatever_the_policies_say() -> None:
    ModePolicy.objects.update(batch_size=300, keep_days=30)

    assert (BatchTicketGenerator().batch_size, BatchTicketGenerator().cleanup_days) == (100, 7)
    given = BatchTicketGenerator(5, cleanup_days=2)
    assert (given.batch_size, given.cleanup_days) == (5, 2)
    assert given.get_status()["batch_size"] == 5


@pytest.mark.parametrize(("keep_days", "kept"), [(9, 0), (11, 4)])
def test_the_policy_s_days_govern_what_a_run_deletes_first(keep_days: int, kept: int) -> None:
    make_prediction("v1")
    policy("v1", keep_days=keep_days, batch_size=4)
    with time_machine.travel(NOW - timedelta(days=10), tick=False):
        BatchTicketGenerator(modes=["v1"]).generate_batch("old", False, WEDNESDAY)
    policy("v1", batch_size=3)

    with time_machine.travel(NOW, tick=False):
        BatchTicketGenerator(modes=["v1"]).generate_batch("new", False, WEDNESDAY)

    assert PreGeneratedTicket.objects.filter(pipeline_run_id="old").count() == kept
    assert PreGeneratedTicket.objects.filter(pipeline_run_id="new").count() == 3


def test_queued_batch_has_a_redelivery_time_and_a_failed_one_does_not() -> None:
    make_prediction("v1")
    with time_machine.travel(NOW, tick=False):
        BatchTicketGenerator(modes=TWO).generate_batch(draw_date=WEDNESDAY)

    expected = {"random_forest": None, "v1": NOW + timedelta(seconds=settings.LEASE_SECONDS)}
    assert dict(TicketBatch.objects.values_list("mode", "redeliver_after")) == expected


# Repeated run ids


def test_the_same_id_without_a_size_matches_whatever_the_run_used() -> None:
    policy("v1", batch_size=300)
    BatchTicketGenerator(modes=TWO).generate_batch("one", draw_date=WEDNESDAY)
    policy("v1", batch_size=5)

    again = BatchTicketGenerator(modes=TWO).generate_batch("one")

    assert (again["created"], again["started"]) == (False, False)
    assert batches() == [("random_forest", 100, 0), ("v1", 300, 0)]
    for size in (100, 300):
        with pytest.raises(ValueError, match=rf"batch_size {{'random_forest': 100, 'v1': 300}}, not {size}"):
            BatchTicketGenerator(size, TWO).generate_batch("one")


def test_a_run_from_before_there_were_policies_has_one_size() -> None:
    BatchTicketGenerator(20, TWO).generate_batch("one", draw_date=WEDNESDAY)
    GenerationRun.objects.update(policy={})

    for size in (None, 20):
        assert BatchTicketGenerator(size, TWO).generate_batch("one")["created"] is False
    with pytest.raises(ValueError, match="batch_size 20, not 21"):
        BatchTicketGenerator(21, TWO).generate_batch("one")


def test_the_same_id_matches_though_a_mode_was_paused_or_is_paused_by_now() -> None:
    policy("v1", paused=True)
    first = BatchTicketGenerator(20, TWO).generate_batch("one", draw_date=WEDNESDAY)
    policy("v1", paused=False)
    policy("random_forest", paused=True)

    again = BatchTicketGenerator(20, TWO).generate_batch("one")

    assert first["modes_skipped"] == again["modes_skipped"] == ["v1"]
    assert [mode for mode, _, _ in batches()] == ["random_forest"]
    with pytest.raises(ValueError, match=r"with modes \['random_forest', 'v1'\], not \['random_forest'\]"):
        BatchTicketGenerator(20, ["random_forest"]).generate_batch("one")


def test_sync_call_generates_unleased_batches_in_this_process() -> None:
    make_prediction("random_forest")
    make_prediction("v1")
    policy("v1", priority=5)
    BatchTicketGenerator(20, TWO).generate_batch("one", draw_date=WEDNESDAY)
    made: list[str] = []

    result = BatchTicketGenerator(20, TWO).generate_batch(
        "one", async_mode=False, watch=lambda batch: made.append(batch.mode)
    )

    assert (result["created"], result["started"], result["status"]) == (False, False, "completed")
    assert made == ["v1", "random_forest"]
    assert PreGeneratedTicket.objects.count() == 40


def test_sync_call_takes_over_batches_of_a_dead_worker() -> None:
    make_prediction()
    BatchTicketGenerator(20, ["random_forest"]).generate_batch("one", draw_date=WEDNESDAY)
    batch = TicketBatch.objects.get()
    assert TicketBatch.objects.acquire(batch.pk, "somebody who died")
    TicketBatch.objects.update(lease_until=timezone.now() - timedelta(seconds=1))

    result = BatchTicketGenerator(20, ["random_forest"]).generate_batch("one", async_mode=False)

    assert (result["created"], result["status"], result["tickets_generated"]) == (False, "completed", 20)


def test_sync_call_leaves_leased_batches_to_their_worker() -> None:
    make_prediction()
    BatchTicketGenerator(20, ["random_forest"]).generate_batch("one", draw_date=WEDNESDAY)
    batch = TicketBatch.objects.get()
    assert TicketBatch.objects.acquire(batch.pk, "somebody else")

    result = BatchTicketGenerator(20, ["random_forest"]).generate_batch("one", async_mode=False)

    assert result["status"] == "running"
    assert not PreGeneratedTicket.objects.exists()


# Paused modes


@pytest.mark.parametrize("arguments", [{}, {"batch_size": 20}])
def test_paused_mode_is_skipped_and_named_even_if_requested(arguments: dict[str, Any]) -> None:
    make_prediction("v1")
    policy("v2", paused=True)

    generator = BatchTicketGenerator(modes=["v1", "v2", "v9"], **arguments)
    result = generator.generate_batch(async_mode=False, draw_date=WEDNESDAY)

    assert generator.modes == ["v1", "v2"]
    assert (result["status"], result["modes"], result["modes_processed"]) == ("completed", ["v1"], ["v1"])
    assert set(result["modes_skipped"]) == {"v9", "v2"}
    assert result["errors"]["v2"] == PAUSED_REASON
    assert "admin: Mode policies" in PAUSED_REASON
    assert result["errors"]["v9"].startswith("unknown mode")


def test_run_with_only_paused_modes_is_cancelled_with_the_reason() -> None:
    policy("v2", paused=True)

    result = BatchTicketGenerator(modes=["v2", "v9"]).generate_batch("none", draw_date=WEDNESDAY)
    again = BatchTicketGenerator(20, modes=["v2"]).generate_batch("none")

    assert (result["created"], result["started"], result["status"]) == (True, False, "cancelled")
    assert (result["tickets_generated"], result["by_mode"]) == (0, {})
    assert (again["created"], again["status"]) == (False, "cancelled")
    run = GenerationRun.objects.get()
    assert run.error == f"v9: unknown mode; allowed are {', '.join(MODE_NAMES)}; v2: {PAUSED_REASON}"
    assert run.finished_at is not None
    assert not OrmQ.objects.exists()
    assert BatchTicketGenerator().get_status()["metrics"]["cancelled_runs"] == 1


def test_pipeline_run_follows_policies_and_pauses_are_not_signalled_again() -> None:
    run = PipelineRun.objects.create(
        pipeline_run_id="p", draw_date=WEDNESDAY, source="none", modes=["v1", "v2"], status="completed"
    )
    policy("v1", batch_size=250)
    enqueue_generation(PipelineRun, run)
    assert batches() == [("v1", 250, 0), ("v2", 100, 0)]

    ModePolicy.objects.update(paused=True)
    other = PipelineRun.objects.create(
        pipeline_run_id="q", draw_date=WEDNESDAY, source="none", modes=["v1"], status="completed"
    )
    with time_machine.travel(NOW):
        assert [enqueue_missing_batches(), enqueue_missing_batches()] == [1, 0]
    assert GenerationRun.objects.get(pipeline_run_id=other.pipeline_run_id).status == "cancelled"
