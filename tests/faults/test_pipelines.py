"""Pipelines whose processes are killed or time out during a fit."""

from predictions.models import PipelineRun, PipelineStep, Training
from predictions.pipeline.runner import accept_run
from predictions.workqueue import clusters
from tests.faults.databases import DRAW
from tests.faults.hosts import Host
from tests.faults.marks import IN_FULL
from tests.faults.world import World
from tests.processes import wait_until
from tickets.models import GenerationRun


def test_pipeline_completes_after_worker_is_killed_during_fit(world: World) -> None:
    run, host = _start_fit(world)
    before = _ended_steps(run)
    assert list(before) == ["data", "analytics", "evaluation", "adaptive_weights"]
    host.kill("worker", clusters.HEAVY)
    wait_until(lambda: host.find("fit", clusters.HEAVY) is None, 3, "the end of the fit nobody waits for")

    wait_until(lambda: _ended(run) == ("completed", ""), 90, "the pipeline")
    assert before.items() <= _ended_steps(run).items()
    assert len(_ended_steps(run)) == 6
    assert Training.objects.get().status == "completed"
    wait_until(GenerationRun.objects.filter(pipeline_run_id="killed").exists, 30, "the order of tickets")
    tickets = GenerationRun.objects.get(pipeline_run_id="killed")
    world.wait_until_ended(tickets)
    world.check(tickets)
    host.end()
    host.wait_until_gone()


@IN_FULL
def test_run_exceeding_task_timeout_fails_and_ends_its_fit(world: World) -> None:
    run, host = _start_fit(world, FAULT_TIMEOUT="3", FAULT_RETRY="30")

    wait_until(lambda: _ended(run)[0] == "failed", 60, "the end of the run")
    assert _ended(run)[1].startswith("training: TimeoutException")
    assert host.find("fit", clusters.HEAVY) is None
    assert Training.objects.get().status == "failed"
    host.end()
    host.wait_until_gone()


@IN_FULL
def test_fit_exceeding_timeout_is_killed_with_error(world: World) -> None:
    run, host = _start_fit(world, FAULT_FIT_SECONDS="1")

    wait_until(lambda: _ended(run)[0] == "failed", 60, "the end of the run")
    reason = "random_forest failed: random_forest: fit timed out after 1 seconds"
    assert _ended(run) == ("failed", f"training: {reason}")
    assert host.find("fit", clusters.HEAVY) is None
    host.end()
    host.wait_until_gone()


def _start_fit(world: World, **environment: str) -> tuple[PipelineRun, Host]:
    """Return a run of one mode and its host while the fit process runs."""
    run, _ = accept_run(source="none", draw_date=DRAW, modes=["random_forest"], pipeline_run_id="killed")
    host = world.host(**environment)
    wait_until(lambda: host.find("fit", clusters.HEAVY) is not None, 60, "the fit")
    return run, host


def _ended_steps(run: PipelineRun) -> dict[str, tuple[object, object]]:
    """Return start and end of the finished steps, in order."""
    steps = PipelineStep.objects.filter(run=run, finished_at__isnull=False).order_by("number")
    return {step.name: (step.started_at, step.finished_at) for step in steps}


def _ended(run: PipelineRun) -> tuple[str, str]:
    run.refresh_from_db()
    return run.status, run.error
