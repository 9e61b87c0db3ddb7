"""What the queue's workers call: ids in, a small dict out."""

from predictions.models import PipelineRun
from predictions.pipeline import execute


def run_pipeline(run_pk: int) -> dict[str, str]:
    """Execute an accepted run. A second delivery finds it started and goes."""
    run = PipelineRun.objects.get(pk=run_pk)
    execute(run)
    run.refresh_from_db()
    return {"pipeline_run_id": run.pipeline_run_id, "status": run.status}
