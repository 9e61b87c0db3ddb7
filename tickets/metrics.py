"""What all generation runs came to, read from their rows."""

from typing import Any

from django.db.models import Count, Q, QuerySet, Sum

from predictions.modes import MODE_NAMES
from tickets.models import GenerationRun, Origin, TicketBatch
from tickets.stock import utc_text

Status = GenerationRun.Status


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
    last = _runs().order_by("-id").first()
    return counts | {
        "last_run_time": utc_text(last.started_at) if last else None,
        "last_run_status": last.status if last else None,
        "last_run_duration": last.seconds if last else None,
        "tickets_generated": sum(figures["tickets_generated"] for figures in by_mode.values()),
        "by_mode": by_mode,
    }


def _by_mode() -> dict[str, dict[str, Any]]:
    batches = TicketBatch.objects.filter(origin=Origin.GENERATED).order_by()
    sums = batches.values("mode").annotate(
        runs=Count("pk"),
        failed=Count("pk", filter=Q(status=TicketBatch.Status.FAILED)),
        tickets_generated=Sum("generated"),
    )
    found = {
        row["mode"]: {name: row[name] for name in ("runs", "failed", "tickets_generated")} for row in sums
    }
    nothing = {"runs": 0, "failed": 0, "tickets_generated": 0}
    return {
        mode: (found.get(mode) or nothing) | {"last_duration": _last_duration(mode)} for mode in MODE_NAMES
    }


def _last_duration(mode: str) -> float | None:
    ended = TicketBatch.objects.filter(
        mode=mode, origin=Origin.GENERATED, started_at__isnull=False, finished_at__isnull=False
    )
    last = ended.order_by("-id").first()
    return last.seconds if last else None
