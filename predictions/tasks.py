"""What the queue's workers call: ids in, a small dict out."""

import time

from predictions.models import PipelineRun
from predictions.pipeline.after_draw import run_after_draw
from predictions.pipeline.runner import execute
from predictions.workqueue import clusters
from predictions.workqueue.pruning import prune_clusters, prune_results, prune_sign_ins


def run_pipeline(run_pk: int) -> dict[str, str]:
    """Execute an accepted run. A second delivery finds it another's, or ended, and goes."""
    run = PipelineRun.objects.get(pk=run_pk)
    execute(run)
    run.refresh_from_db()
    return {"pipeline_run_id": run.pipeline_run_id, "status": run.status}


def answer(queue: str, name: str, until: float) -> None:
    """A canary: that it was done is the sign. Another cluster's is sent on while somebody waits for it."""
    if clusters.current_cluster() != name and time.time() < until:
        time.sleep(0.2)  # so that two clusters do not toss it to and fro as fast as they can
        clusters.send_canary(queue, name, until)


def run_pipeline_after_draw() -> dict[str, str | None]:
    """A tick: accept the run that follows the last draw, if it is time. A second delivery finds it there."""
    run = run_after_draw()
    return {"pipeline_run_id": None if run is None else run.pipeline_run_id}


def prune_queue() -> dict[str, int]:
    """Delete what the queue left behind a week ago. A second delivery finds nothing left."""
    return {"results": prune_results(), "clusters": prune_clusters(), "sign_ins": prune_sign_ins()}
