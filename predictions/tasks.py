"""Tasks of the queue. Each takes an id and may run twice."""

import time

from predictions.models import PipelineRun
from predictions.pipeline.after_draw import run_after_draw
from predictions.pipeline.runner import execute
from predictions.workqueue import clusters
from predictions.workqueue.pruning import prune_clusters, prune_results, prune_sign_ins


def run_pipeline(run_pk: int) -> dict[str, str]:
    """Execute an accepted run; a second delivery finds it leased or finished and does nothing."""
    run = PipelineRun.objects.get(pk=run_pk)
    execute(run)
    run.refresh_from_db()
    return {"pipeline_run_id": run.pipeline_run_id, "status": run.status}


def answer(queue: str, name: str, until: float) -> None:
    """Run a canary, whose result is the heartbeat; forward one that is meant for another cluster."""
    if clusters.current_cluster() != name and time.time() < until:
        time.sleep(0.2)  # limits how fast two clusters forward it to each other
        clusters.send_canary(queue, name, until)


def run_pipeline_after_draw() -> dict[str, str | None]:
    """Accept the run that follows the last draw, if it is due; scheduled twice an hour."""
    run = run_after_draw()
    return {"pipeline_run_id": None if run is None else run.pipeline_run_id}


def prune_queue() -> dict[str, int]:
    """Delete old task results, cluster rows and sign-in records."""
    return {"results": prune_results(), "clusters": prune_clusters(), "sign_ins": prune_sign_ins()}
