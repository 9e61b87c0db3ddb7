"""Resumption: a run whose process was killed continues at its first unfinished step."""

from datetime import date, timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError
from django.utils import timezone

from predictions.models import Draw, PipelineRun, PipelineStep, Prediction, TrainedModel
from predictions.pipeline import runner, steps
from predictions.pipeline.runner import accept_run, execute, fail_abandoned
from predictions.pipeline.steps import STEPS, StepContext, StepOutcome
from tests.factories import make_prediction
from tickets.models import GenerationRun

pytestmark = pytest.mark.usefixtures("real_draws", "small_models")


class Killed(Exception):
    """Stands for SIGKILL: nothing more is executed or recorded."""


@pytest.fixture
def run() -> PipelineRun:
    accepted, _ = accept_run(source="none", modes=["random_forest"], draw_date=date(2025, 12, 20))
    return accepted


def die_before(run: PipelineRun, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Execute a run in a process that is killed when it reaches a step."""

    def killed(run: PipelineRun, step: PipelineStep, *args: object, **values: object) -> None:
        if step.name == name:
            raise Killed
        real(run, step, *args, **values)

    real = runner._update_step
    with monkeypatch.context() as patched:
        patched.setattr(runner, "_update_step", killed)
        with pytest.raises(Killed):
            execute(run)


def expire_lease() -> None:
    PipelineRun.objects.update(lease_until=timezone.now() - timedelta(seconds=1))


@pytest.mark.parametrize("step", ["evaluation", "training", "predictions"])
def test_killed_run_resumes_without_repeating_finished_steps(
    run: PipelineRun, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    die_before(run, step, monkeypatch)
    assert execute(run) is False  # its lease still holds
    ended = {row.name: row.finished_at for row in run.steps.exclude(finished_at=None)}
    assert list(ended) == list(STEPS)[: list(STEPS).index(step)]
    models = TrainedModel.objects.count()
    expire_lease()

    assert execute(run) is True

    run.refresh_from_db()
    assert (run.status, run.error, run.attempts) == ("completed", "", 1)  # the last step counts it anew
    assert {row.name: row.finished_at for row in run.steps.filter(name__in=ended)} == ended
    assert TrainedModel.objects.count() == (models or 1)
    assert Prediction.objects.filter(run=run).count() == 1
    assert GenerationRun.objects.get().pipeline_run_id == run.pipeline_run_id


def test_a_draw_that_arrives_between_two_attempts_is_the_next_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    late = Draw.objects.get(draw_date=date(2025, 12, 17))
    Draw.objects.filter(pk=late.pk).delete()
    run, _ = accept_run(source="none", modes=["random_forest"], draw_date=date(2025, 12, 20))
    die_before(run, "training", monkeypatch)
    late.save(force_insert=True)
    expire_lease()

    execute(run)

    assert TrainedModel.objects.get().draws_through == date(2025, 12, 15)
    assert run.predictions.get().draws_through == date(2025, 12, 15)


def test_shares_that_an_earlier_attempt_moved_are_used_by_the_next(
    run: PipelineRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = StepContext(run)
    steps.RESTORERS["adaptive_weights"](context, {"shares": {"a": 0.25, "b": 0.75}})
    assert context.shares == {"a": 0.25, "b": 0.75}
    steps.RESTORERS["adaptive_weights"](context, {})
    assert context.shares is None


def test_prediction_of_an_earlier_attempt_is_reused(
    run: PipelineRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = make_prediction(draw_date=run.draw_date)
    Prediction.objects.filter(pk=left.pk).update(run=run)

    execute(run)

    assert run.predictions.get() == left
    assert run.predictions.get().components == left.components


def test_worker_without_lease_writes_nothing_to_the_run(
    run: PipelineRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stolen(context: StepContext) -> StepOutcome:
        expire_lease()
        assert PipelineRun.objects.acquire(context.run.pk, "there")
        return StepOutcome("from the first")

    monkeypatch.setitem(STEPS, PipelineStep.Name.ANALYTICS, stolen)

    assert execute(run) is True

    run = PipelineRun.objects.get()
    assert (run.status, run.holder) == ("running", "there")
    assert run.steps.get(name="analytics").summary == ""
    assert not GenerationRun.objects.exists()


def test_an_outage_of_the_database_is_not_the_end_of_a_run(
    run: PipelineRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(context: StepContext) -> StepOutcome:
        raise OperationalError("the database is away")

    with monkeypatch.context() as patched:
        patched.setitem(STEPS, PipelineStep.Name.ANALYTICS, away)
        assert execute(run) is True

    run = PipelineRun.objects.get()
    assert (run.status, run.token) == ("running", None)
    assert run.error == "interrupted: the database is away"
    assert execute(run) is False  # not at once
    expire_lease()
    assert execute(run) is True
    assert (PipelineRun.objects.get().status, PipelineRun.objects.get().error) == ("completed", "")


def test_command_reports_an_interrupted_run_and_resumes_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def away(context: StepContext) -> StepOutcome:
        raise OperationalError("the database is away")

    command = ("run_pipeline", "--sync", "--source", "none", "--modes", "random_forest", "--run-id", "cut")
    with monkeypatch.context() as patched:
        patched.setitem(STEPS, PipelineStep.Name.ANALYTICS, away)
        with pytest.raises(
            CommandError, match="Pipeline run cut is unfinished: interrupted: the database is away"
        ):
            call_command(*command)
    with pytest.raises(CommandError, match="A cluster resumes it"):
        call_command(*command)  # not at once
    expire_lease()

    call_command(*command)

    assert PipelineRun.objects.get().status == "completed"
    assert GenerationRun.objects.get().pipeline_run_id == "cut"


def test_abandoned_run_fails_with_its_steps_and_the_reason(run: PipelineRun) -> None:
    run.steps.filter(name="data").update(status="completed", finished_at=timezone.now())
    run.steps.filter(name="analytics").update(status="running")
    assert PipelineRun.objects.acquire(run.pk, "there")
    assert not fail_abandoned(run, "too often")
    expire_lease()

    assert fail_abandoned(run, "too often")

    run.refresh_from_db()
    assert (run.status, run.error) == ("failed", "too often")
    assert dict(run.steps.values_list("name", "status")) == {
        "data": "completed",
        "analytics": "failed",
        **dict.fromkeys(["evaluation", "adaptive_weights", "training", "predictions"], "skipped"),
    }
    assert not fail_abandoned(run, "again")
