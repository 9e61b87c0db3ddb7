"""Batches and pipeline runs in progress, and batches waiting to start."""

from dataclasses import dataclass
from datetime import date, datetime

from django.db.models import Count, Min, Q

from predictions.models import PipelineRun, PipelineStep
from tickets.models import TicketBatch

MAX_ACTIVE_BATCHES = 20

Status = TicketBatch.Status


@dataclass(frozen=True)
class ActivePipeline:
    """An unfinished pipeline run. `step` is "" while it waits for a worker."""

    id: int
    pipeline_run_id: str
    draw_date: date
    step: str
    number: int
    steps: int
    started_at: datetime | None


@dataclass(frozen=True)
class Workload:
    """Work at an instant. `waiting` counts the queued batches that have not started.

    `batches` have started: they run, or are queued for their next time slice.
    """

    batches: list[TicketBatch]
    pipelines: list[ActivePipeline]
    waiting: int
    oldest_waiting_seconds: float | None

    @property
    def is_idle(self) -> bool:
        return not (self.batches or self.pipelines or self.waiting)


def workload_at(now: datetime) -> Workload:
    """Return the workload at an instant, using three queries, or four while a pipeline runs."""
    unstarted = Q(status=Status.QUEUED, started_at=None)
    waiting = TicketBatch.objects.aggregate(
        count=Count("pk", filter=unstarted), oldest=Min("created_at", filter=unstarted)
    )
    started = TicketBatch.objects.unfinished().filter(started_at__isnull=False).order_by("id")
    runs = PipelineRun.objects.unfinished().order_by("id").prefetch_related("steps")
    return Workload(
        batches=list(started[:MAX_ACTIVE_BATCHES]),
        pipelines=[_active_pipeline(run) for run in runs],
        waiting=waiting["count"],
        oldest_waiting_seconds=waiting["oldest"] and max(0.0, (now - waiting["oldest"]).total_seconds()),
    )


def _active_pipeline(run: PipelineRun) -> ActivePipeline:
    current = next((step for step in run.steps.all() if step.status == PipelineStep.Status.RUNNING), None)
    return ActivePipeline(
        id=run.pk,
        pipeline_run_id=run.pipeline_run_id,
        draw_date=run.draw_date,
        step=current.name if current else "",
        number=current.number if current else 0,
        steps=len(PipelineStep.Name.values),
        started_at=current.started_at if current else run.started_at,
    )
