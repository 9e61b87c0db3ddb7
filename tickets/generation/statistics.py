"""Statistics over all generation runs."""

from typing import Any

from django.db.models import Count, Q

from predictions.modes.registry import MODE_NAMES
from tickets.generation.totals import BatchTotal, batch_totals
from tickets.models import GenerationRun, Origin, TicketBatch
from tickets.store.retrieval import isoformat_utc

Status = GenerationRun.Status


def current_run() -> GenerationRun | None:
    running = GenerationRun.objects.filter(origin=Origin.GENERATED, status=Status.RUNNING)
    return running.order_by("-id").first()


def generation_metrics() -> dict[str, Any]:
    """Return runs by status, the last run and figures per mode.

    `tickets_generated` does not decrease when tickets are purged.
    """
    runs = GenerationRun.objects.filter(origin=Origin.GENERATED).order_by()
    counts = runs.aggregate(
        total_runs=Count("pk"),
        successful_runs=Count("pk", filter=Q(status=Status.COMPLETED)),
        partial_runs=Count("pk", filter=Q(status=Status.PARTIAL)),
        failed_runs=Count("pk", filter=Q(status=Status.FAILED)),
        cancelled_runs=Count("pk", filter=Q(status=Status.CANCELLED)),
        running_runs=Count("pk", filter=Q(status=Status.RUNNING)),
    )
    totals = batch_totals()
    by_mode = {
        mode: _mode_metrics(mode, {status: totals[mode, status] for status in TicketBatch.Status.values})
        for mode in MODE_NAMES
    }
    last_run = runs.order_by("-id").first()
    return counts | {
        "last_run_time": isoformat_utc(last_run.started_at) if last_run else None,
        "last_run_status": last_run.status if last_run else None,
        "last_run_duration": last_run.seconds if last_run else None,
        "tickets_generated": sum(metrics["tickets_generated"] for metrics in by_mode.values()),
        "by_mode": by_mode,
    }


def _mode_metrics(mode: str, totals: dict[str, BatchTotal]) -> dict[str, Any]:
    finished = TicketBatch.objects.generated().filter(started_at__isnull=False, finished_at__isnull=False)
    last_batch = finished.filter(mode=mode).order_by("-id").first()
    return {
        "runs": sum(total.batches for total in totals.values()),
        "failed": totals[TicketBatch.Status.FAILED].batches,
        "tickets_generated": sum(total.generated for total in totals.values()),
        "last_duration": last_batch.seconds if last_batch else None,
    }
