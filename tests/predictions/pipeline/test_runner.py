"""The six steps on real draws, with real fits, and the signal that starts generation."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import time_machine
from django_q.models import OrmQ

from predictions.distributions.components import components_from_json, log_loss
from predictions.draws import download
from predictions.models import Draw, PipelineRun, Prediction, TrainedModel
from predictions.modes.v1 import STRATEGIES
from predictions.pipeline.runner import accept_run, execute
from predictions.signals import predictions_generated
from predictions.tasks import run_pipeline
from tests.factories import make_prediction
from tickets.models import GenerationRun, TicketBatch
from tickets.receivers import enqueue_missing_batches

STEPS = ["data", "analytics", "evaluation", "adaptive_weights", "training", "predictions"]
pytestmark = pytest.mark.usefixtures("real_draws", "small_models")


def accepted(**values: object) -> PipelineRun:
    defaults = {"source": "none", "modes": ["random_forest"], "enqueue": False}
    run, created = accept_run(**(defaults | values))  # type: ignore[arg-type]
    assert created
    return run


def without(monkeypatch: pytest.MonkeyPatch, folder: Path, library: str) -> None:
    """Make child processes fail to import a library, as on a machine without it."""
    (folder / f"{library}.py").write_text(f"raise ModuleNotFoundError(\"No module named '{library}'\")")
    monkeypatch.setenv("PYTHONPATH", str(folder))


def component_shares(run: PipelineRun) -> dict[str, dict[str, float]]:
    """Return the share of each component, by mode."""
    return {
        prediction.mode: {component["strategy"]: component["share"] for component in prediction.components}
        for prediction in run.predictions.all()
    }


def states(run: PipelineRun) -> dict[str, str]:
    return dict(run.steps.values_list("name", "status"))


@pytest.fixture
def completed() -> PipelineRun:
    """A run through all six steps for a draw whose numbers are stored."""
    run = accepted(draw_date=date(2025, 12, 20), pipeline_run_id="earlier")
    execute(run)
    run.refresh_from_db()
    return run


def test_a_run_goes_through_six_recorded_steps_and_ends_in_enqueued_tickets(completed: PipelineRun) -> None:
    assert completed.status == "completed"
    assert completed.started_at is not None
    assert completed.finished_at is not None
    assert list(states(completed)) == STEPS
    assert set(states(completed).values()) == {"completed", "skipped"}
    assert states(completed)["data"] == "skipped"  # source none imports no draws
    tickets = GenerationRun.objects.get(pipeline_run_id="earlier")
    batch = tickets.batches.get()
    assert (batch.mode, batch.status, batch.requested, batch.draw_date) == (
        "random_forest",
        "queued",
        100,
        date(2025, 12, 20),
    )
    assert batch.prediction == completed.predictions.get()
    queued = OrmQ.objects.get()
    assert (queued.key, queued.func()) == ("shiolplus", "tickets.tasks.generate_ticket_batch")


def test_nothing_from_the_predicted_draw_on_is_read(completed: PipelineRun) -> None:
    model = TrainedModel.objects.get()
    assert model.draws_through == date(2025, 12, 17)
    assert model.draws_used == 1286
    frequencies = completed.steps.get(name="analytics").detail
    assert frequencies["draws"] == 1286
    assert sum(frequencies["white"]) == 5 * 1286
    assert sum(frequencies["powerball"]) == 1286


def test_next_run_stores_the_exact_log_loss_of_the_prediction(completed: PipelineRun) -> None:
    execute(accepted(pipeline_run_id="later", draw_date=date(2025, 12, 22)))

    prediction = completed.predictions.get()
    exact = log_loss(components_from_json(prediction.components), [4, 5, 28, 52, 69], 20)
    assert prediction.log_loss == pytest.approx(exact.joint, abs=1e-12)
    assert prediction.white_log_loss == pytest.approx(exact.white, abs=1e-12)
    assert prediction.powerball_log_loss == pytest.approx(exact.powerball, abs=1e-12)
    (evaluated,) = (
        PipelineRun.objects.get(pipeline_run_id="later").steps.get(name="evaluation").detail["evaluated"]
    )
    assert (evaluated["mode"], evaluated["draw_date"]) == ("random_forest", "2025-12-20")


def test_run_executed_or_signalled_twice_generates_tickets_once(completed: PipelineRun) -> None:
    assert execute(completed) is False
    assert run_pipeline(completed.pk) == {"pipeline_run_id": "earlier", "status": "completed"}
    predictions_generated.send_robust(sender=PipelineRun, run=completed)

    assert Prediction.objects.count() == 1
    assert GenerationRun.objects.count() == TicketBatch.objects.count() == OrmQ.objects.count() == 1


def test_the_same_run_id_is_accepted_once() -> None:
    first, created = accept_run(source="none", pipeline_run_id="one")
    again, created_again = accept_run(source="none", pipeline_run_id="one")

    assert (created, created_again) == (True, False)
    assert first == again
    assert OrmQ.objects.count() == 1
    assert OrmQ.objects.get().key == "heavy"
    with pytest.raises(ValueError, match="'one' belongs to a run with source none"):
        accept_run(source="bundled", pipeline_run_id="one")


def test_unreachable_feed_is_a_warning_and_the_run_continues(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(download.URLS, "ny", "http://127.0.0.1:9/closed")
    monkeypatch.setattr(download, "RETRIES", download.Retry(total=0))
    with time_machine.travel(datetime(2025, 12, 24, 12, tzinfo=UTC), tick=True):
        run = accepted(source="ny")
        execute(run)

    run.refresh_from_db()
    data = run.steps.get(name="data")
    assert run.status == "completed"
    assert data.status == "warning"
    assert "ny could not be read" in data.summary
    assert "newest draw 2025-12-22, 2 days old" in data.summary
    assert GenerationRun.objects.count() == 1


def test_a_failing_required_step_stops_the_run_with_its_error_and_no_signal() -> None:
    Draw.objects.all().delete()
    run = accepted()

    execute(run)

    run.refresh_from_db()
    assert run.status == "failed"
    assert run.error.startswith("data: no draw of the 69/26 era before")
    assert list(states(run).values()) == ["failed", *["skipped"] * 5]
    assert not GenerationRun.objects.exists()


def test_when_no_mode_can_be_trained_the_run_fails_with_the_reason() -> None:
    run = accepted(draw_date=date(2017, 1, 4))  # 130 draws of the era: too few

    execute(run)

    run.refresh_from_db()
    assert run.status == "failed"
    assert "random_forest learns from at least 600 draws" in run.error
    assert states(run)["predictions"] == "skipped"
    assert not GenerationRun.objects.exists()


def test_one_mode_failing_is_recorded_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    without(monkeypatch, tmp_path, "xgboost")
    run = accepted(modes=["v2", "random_forest"])

    execute(run)

    run.refresh_from_db()
    assert run.status == "completed"
    training = run.steps.get(name="training")
    assert training.status == "warning"
    assert set(training.detail["errors"]) == {"v2"}
    assert "v2 needs XGBoost" in training.detail["errors"]["v2"]
    assert "pip install xgboost-cpu" in training.summary
    assert [prediction.mode for prediction in run.predictions.all()] == ["random_forest"]
    batches = dict(TicketBatch.objects.values_list("mode", "status"))
    assert batches == {"v2": "failed", "random_forest": "queued"}


def test_v1_and_hybrid_use_stored_predictions_and_a_draw_updates_v1s_shares() -> None:
    first = accepted(draw_date=date(2025, 12, 20), modes=["v1", "hybrid", "v2"])  # in any order
    execute(first)

    of_v1 = component_shares(first)["v1"]
    assert list(of_v1) == list(STRATEGIES)
    expected = {"v2": 0.7} | {name: 0.3 * share for name, share in of_v1.items()}
    assert component_shares(first)["hybrid"] == pytest.approx(expected)
    stored = {prediction.mode: prediction.components for prediction in first.predictions.all()}
    assert stored["hybrid"][0]["white"] == stored["v2"][0]["white"]
    assert stored["hybrid"][1]["white"] == stored["v1"][0]["white"]
    adaptive = first.steps.get(name="adaptive_weights")
    assert (adaptive.status, adaptive.detail) == ("completed", {})

    second = accepted(draw_date=date(2025, 12, 22), modes=["v2", "v1", "hybrid"])
    execute(second)

    shares = second.steps.get(name="adaptive_weights").detail["shares"]
    assert component_shares(second)["v1"] == pytest.approx(shares)
    assert shares != pytest.approx(of_v1)
    assert shares["random_baseline"] == pytest.approx(shares["coverage_optimizer"])

    again = accepted(draw_date=date(2025, 12, 22), modes=["v2", "v1", "hybrid"])
    execute(again)

    assert again.steps.get(name="training").summary == "trained: v2 unchanged, v1 unchanged, hybrid unchanged"
    assert TrainedModel.objects.count() == 6
    assert component_shares(again) == component_shares(second)


def test_without_xgboost_v1_omits_a_strategy_and_hybrid_fails(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    without(monkeypatch, tmp_path, "xgboost")
    run = accepted(modes=["v2", "v1", "hybrid"])

    execute(run)

    run.refresh_from_db()
    assert run.status == "completed"
    (prediction,) = run.predictions.all()
    assert prediction.mode == "v1"
    assert prediction.note == "ai_guided is left out: v2 has no prediction for this draw"
    assert "ai_guided" not in component_shares(run)["v1"]
    assert sum(component_shares(run)["v1"].values()) == pytest.approx(1)
    assert prediction.note in run.steps.get(name="predictions").summary
    assert "v2 needs XGBoost" in run.steps.get(name="training").detail["errors"]["hybrid"]
    batches = dict(TicketBatch.objects.values_list("mode", "status"))
    assert batches == {"v1": "queued", "v2": "failed", "hybrid": "failed"}


def test_hybrid_without_predictions_of_its_dependencies_fails() -> None:
    run = accepted(modes=["hybrid"])

    execute(run)

    run.refresh_from_db()
    assert run.status == "failed"
    assert "hybrid requires v2 and v1: v2 has no prediction" in run.error


def test_hybrid_ignores_predictions_from_other_draws() -> None:
    for mode in ("v1", "v2"):
        make_prediction(mode, date(2025, 12, 22))  # of draws through 2025-12-22, the predicted one too
    run = accepted(draw_date=date(2025, 12, 22), modes=["hybrid"])

    execute(run)

    run.refresh_from_db()
    assert run.status == "failed"
    assert "v2 has no prediction" in run.error


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"source": "mars"}, "source 'mars': allowed are ny, texas, bundled, none"),
        ({"modes": ["v9"]}, "modes v9: allowed are random_forest, lstm, v1, v2, hybrid"),
        ({"draw_date": date(2026, 11, 24)}, "a Tuesday without a draw"),
        ({"pipeline_run_id": ""}, "1 to 64 characters"),
        ({"pipeline_run_id": "x" * 65}, "1 to 64 characters"),
    ],
)
def test_a_bad_value_is_named_and_nothing_is_accepted(values: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        accepted(**values)

    assert not PipelineRun.objects.exists()
    assert not OrmQ.objects.exists()


def test_completed_run_with_a_lost_signal_gets_its_tickets_once() -> None:
    with time_machine.travel(datetime(2025, 12, 24, 12, tzinfo=UTC)):
        run = accepted(pipeline_run_id="died")
        PipelineRun.objects.filter(pk=run.pk).update(status="completed")

        assert [enqueue_missing_batches(), enqueue_missing_batches()] == [1, 0]

    assert GenerationRun.objects.get().pipeline_run_id == "died"
