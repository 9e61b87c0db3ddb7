"""BatchTicketGenerator: one call is one run, modes are independent, and results come from the rows."""

import threading
from datetime import date

import pytest
from django.db import connection
from django_q.models import OrmQ

from predictions.modes.registry import MODE_NAMES
from tests.factories import WEDNESDAY, make_prediction, some_tickets
from tickets.generation.generator import BatchTicketGenerator
from tickets.models import GenerationRun, PreGeneratedTicket, TicketBatch
from tickets.store import insert_batch_tickets, purge_batch

pytestmark = pytest.mark.usefixtures("on_tuesday")


@pytest.mark.django_db
def test_the_defaults_are_those_of_the_specification() -> None:
    generator = BatchTicketGenerator()

    assert generator.batch_size == 100
    assert generator.modes == ["random_forest", "lstm"]
    assert generator.auto_cleanup is True
    assert generator.cleanup_days == 7


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"batch_size": 0}, "batch_size must be an integer from 1 to 10,000,000, not 0"),
        ({"batch_size": -5}, "batch_size must be .*, not -5"),
        ({"batch_size": True}, "batch_size must be .*, not True"),
        ({"batch_size": 2.5}, "batch_size must be .*, not 2.5"),
        ({"batch_size": 10**12}, "batch_size must be .*, not 1000000000000"),
        ({"cleanup_days": 0}, "cleanup_days must be .*, not 0"),
        ({"modes": ["v9", "x"]}, "none is known; allowed are random_forest, lstm, v1, v2, hybrid"),
        ({"modes": []}, "none is known"),
    ],
)
def test_bad_arguments_are_named(values: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        BatchTicketGenerator(**values)  # type: ignore[arg-type]


@pytest.mark.django_db
def test_a_mode_without_a_prediction_fails_and_leaves_the_others_alone() -> None:
    make_prediction()

    result = BatchTicketGenerator(50).generate_batch("run-1", async_mode=False, draw_date=WEDNESDAY)

    duration = result.pop("duration_seconds")
    assert 0 < duration < 60
    assert result == {
        "started": True,
        "async": False,
        "pipeline_run_id": "run-1",
        "generation_run_id": GenerationRun.objects.get().pk,
        "created": True,
        "status": "partial",
        "modes": ["random_forest", "lstm"],
        "batch_size": 50,
        "modes_processed": ["random_forest"],
        "modes_failed": ["lstm"],
        "modes_skipped": [],
        "errors": {"lstm": "no prediction of lstm for the draw of 2026-11-25; run `manage.py run_pipeline`"},
        "tickets_generated": 50,
        "by_mode": {"random_forest": 50, "lstm": 0},
    }


@pytest.mark.django_db
def test_a_run_in_which_every_mode_fails_is_failed() -> None:
    result = BatchTicketGenerator().generate_batch(async_mode=False, draw_date=WEDNESDAY)

    assert result["status"] == "failed"
    assert result["modes_failed"] == ["random_forest", "lstm"]
    assert result["pipeline_run_id"].startswith("manual-")
    assert not PreGeneratedTicket.objects.exists()


@pytest.mark.django_db
def test_unknown_modes_are_dropped_with_a_warning_and_reported(caplog: pytest.LogCaptureFixture) -> None:
    make_prediction()

    generator = BatchTicketGenerator(5, ["random_forest", "v9"])
    result = generator.generate_batch(async_mode=False, draw_date=WEDNESDAY)

    assert "Skipping unknown mode v9" in caplog.text
    assert generator.modes == ["random_forest"]
    assert result["modes_skipped"] == ["v9"]
    assert result["errors"] == {"v9": "unknown mode; allowed are random_forest, lstm, v1, v2, hybrid"}
    assert result["status"] == "completed"


@pytest.mark.django_db
def test_same_run_id_returns_the_stored_result_and_generates_nothing() -> None:
    make_prediction()
    generator = BatchTicketGenerator(20, ["random_forest"])
    first = generator.generate_batch("once", async_mode=False, draw_date=WEDNESDAY)

    again = BatchTicketGenerator(20, ["random_forest"]).generate_batch("once", async_mode=False)

    assert (again["created"], again["started"]) == (False, False)
    assert again["tickets_generated"] == first["tickets_generated"] == 20
    assert PreGeneratedTicket.objects.count() == 20
    for other in (BatchTicketGenerator(21, ["random_forest"]), BatchTicketGenerator(20, ["lstm"])):
        with pytest.raises(ValueError, match="'once' already names a run with"):
            other.generate_batch("once")
    with pytest.raises(ValueError, match="draw_date 2026-11-25, not 2026-11-28"):
        generator.generate_batch("once", draw_date=date(2026, 11, 28))


@pytest.mark.django_db
def test_in_the_background_one_task_a_mode_is_enqueued_with_the_run() -> None:
    make_prediction("random_forest")
    make_prediction("v1")

    generator = BatchTicketGenerator(20, ["random_forest", "v1"])
    result = generator.generate_batch("later", draw_date=WEDNESDAY)

    assert (result["started"], result["async"], result["status"]) == (True, True, "running")
    tasks = [(queued.key, queued.func(), queued.args()) for queued in OrmQ.objects.order_by("id")]
    batches = TicketBatch.objects.order_by("id")
    assert tasks == [("shiolplus", "tickets.tasks.generate_ticket_batch", (batch.pk,)) for batch in batches]
    assert generator.get_status()["is_generating"] is True
    assert generator.wait_for_completion(timeout=0.3) is False


@pytest.mark.django_db
@pytest.mark.parametrize("run_id", ["", "x" * 65, "nul\0", 5])
def test_a_bad_run_id_is_named_and_nothing_is_created(run_id: object) -> None:
    with pytest.raises(ValueError, match=r"pipeline_run_id .*: allowed is a text of 1 to 64 characters"):
        BatchTicketGenerator().generate_batch(run_id)  # type: ignore[arg-type]
    assert not GenerationRun.objects.exists()


@pytest.mark.django_db
def test_status_is_read_from_the_rows_and_survives_the_object() -> None:
    make_prediction()
    BatchTicketGenerator(30, ["random_forest"]).generate_batch("a", False, WEDNESDAY)
    BatchTicketGenerator(30).generate_batch("b", False, WEDNESDAY)
    BatchTicketGenerator(30, ["lstm"]).generate_batch("c", False, WEDNESDAY)

    status = BatchTicketGenerator(7, ["v1"], auto_cleanup=False, cleanup_days=3).get_status()

    metrics = status["metrics"]
    counts = ("total_runs", "successful_runs", "partial_runs", "failed_runs")
    assert tuple(metrics[name] for name in counts) == (3, 1, 1, 1)
    assert metrics["last_run_status"] == "failed"
    assert metrics["tickets_generated"] == 60
    assert metrics["last_run_time"].endswith("Z")
    assert list(metrics["by_mode"]) == list(MODE_NAMES)
    assert {name: metrics["by_mode"]["lstm"][name] for name in ("runs", "failed", "tickets_generated")} == {
        "runs": 2,
        "failed": 2,
        "tickets_generated": 0,
    }
    assert metrics["by_mode"]["random_forest"]["last_duration"] > 0
    assert status["is_generating"] is False
    assert status["current_run"] is None
    assert status["configured_modes"] == ["v1"]
    assert (status["batch_size"], status["auto_cleanup"], status["cleanup_days"]) == (7, False, 3)
    assert status["db_stats"]["by_mode"]["random_forest"] == 60


@pytest.mark.django_db
def test_tickets_generated_does_not_fall_on_a_purge() -> None:
    make_prediction()
    BatchTicketGenerator(30, ["random_forest"]).generate_batch("a", False, WEDNESDAY)
    purge_batch(TicketBatch.objects.get())

    status = BatchTicketGenerator().get_status()

    assert status["metrics"]["tickets_generated"] == 30
    assert status["db_stats"]["total_tickets"] == 0


@pytest.mark.django_db
def test_an_object_that_started_nothing_has_nothing_to_wait_for() -> None:
    assert BatchTicketGenerator().wait_for_completion(timeout=1) is True


@pytest.mark.django_db(transaction=True)
def test_eight_threads_with_one_run_id_make_one_run() -> None:
    make_prediction()
    barrier = threading.Barrier(8)
    results: list[dict[str, object]] = []

    def call() -> None:
        try:
            barrier.wait()
            generator = BatchTicketGenerator(40, ["random_forest"])
            results.append(generator.generate_batch("race", False, WEDNESDAY))
        finally:
            connection.close()

    threads = [threading.Thread(target=call) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(bool(result["created"]) for result in results) == [False] * 7 + [True]
    assert GenerationRun.objects.count() == TicketBatch.objects.count() == 1
    assert PreGeneratedTicket.objects.count() == 40


@pytest.mark.django_db
def test_run_with_inserted_tickets_can_still_be_generated() -> None:
    make_prediction()
    insert_batch_tickets(some_tickets(3), "random_forest", "both", WEDNESDAY)

    result = BatchTicketGenerator(20, ["random_forest"]).generate_batch("both", False, WEDNESDAY)

    assert (result["created"], result["status"], result["tickets_generated"]) == (True, "completed", 20)
    assert GenerationRun.objects.get().origin == "generated"
    assert PreGeneratedTicket.objects.count() == 23
    again = BatchTicketGenerator(20, ["random_forest"]).generate_batch("both", False, WEDNESDAY)
    assert again["created"] is False
    assert PreGeneratedTicket.objects.count() == 23
