"""What all generation runs came to, read from their rows."""

from typing import Any

from django.db.models import Count, Q, QuerySet

from predictions.modes.registry import MODE_NAMES
from tickets.generation.totals import BatchTotal, batch_totals
from tickets.models import GenerationRun, Origin, TicketBatch
from tickets.store.retrieval import isoformat_utc

Status = GenerationRun.Status
BATCH_STATES = TicketBatch.Status.values


def _runs() -> QuerySet[GenerationRun]:
    return GenerationRun.objects.filter(origin=Origin.GENERATED)


def current_run() -> GenerationRun | None:
    """The newest run that has not ended, whoever started it."""
    return _runs().filter(status=Status.RUNNING).order_by("-id").first()


def generation_metrics() -> dict[str, Any]:
    """Runs by outcome, the last run, and figures a mode; `tickets_generated` does not fall on a purge."""
    runs = _runs().order_by()
    counts = runs.aggregate(
        total_runs=Count("pk"),
        successful_runs=Count("pk", filter=Q(status=Status.COMPLETED)),
        partial_runs=Count("pk", filter=Q(status=Status.PARTIAL)),
        failed_runs=Count("pk", filter=Q(status=Status.FAILED)),
        cancelled_runs=Count("pk", filter=Q(status=Status.CANCELLED)),
        running_runs=Count("pk", filter=Q(status=Status.RUNNING)),
    )
    by_mode = _by_mode()
    last = runs.order_by("-id").first()
    return counts | {
        "last_run_time": isoformat_utc(last.started_at) if last else None,
        "last_run_status": last.status if last else None,
        "last_run_duration": last.seconds if last else None,
        "tickets_generated": sum(figures["tickets_generated"] for figures in by_mode.values()),
        "by_mode": by_mode,
    }


def _by_mode() -> dict[str, dict[str, Any]]:
    totals = batch_totals()
    return {
        mode: _of_mode(mode, {state: totals[mode, state] for state in BATCH_STATES}) for mode in MODE_NAMES
    }


def _of_mode(mode: str, totals: dict[str, BatchTotal]) -> dict[str, Any]:
    return {
        "runs": sum(one.batches for one in totals.values()),
        "failed": totals[TicketBatch.Status.FAILED].batches,
        "tickets_generated": sum(one.generated for one in totals.values()),
        "last_duration": _last_duration(mode),
    }


def _last_duration(mode: str) -> float | None:
    ended = TicketBatch.objects.generated().filter(started_at__isnull=False, finished_at__isnull=False)
    last = ended.filter(mode=mode).order_by("-id").first()
    return last.seconds if last else None
