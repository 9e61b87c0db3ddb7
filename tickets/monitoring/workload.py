"""What is being done now and what waits to be, read from the rows of batches and pipeline runs."""

from dataclasses import dataclass
from datetime import date, datetime

from django.db.models import Count, Min, Q

from predictions.models import PipelineRun, PipelineStep
from tickets.models import TicketBatch

SHOWN = 20  # batches under way that are told one by one

Status = TicketBatch.Status


@dataclass(frozen=True)
class ActiveBatch:
    """A batch that is being made, or was begun and goes on with its next task."""

    id: int
    mode: str
    status: str
    draw_date: date
    generated: int
    requested: int
    rate: float | None  # tickets a second
    seconds_left: float | None
    attempts: int
    error: str


@dataclass(frozen=True)
class ActivePipeline:
    """A pipeline run that has not ended, and the step it is in: "" while it waits for a worker."""

    id: int
    pipeline_run_id: str
    draw_date: date
    step: str
    number: int
    steps: int
    started_at: datetime | None


@dataclass(frozen=True)
class Work:
    """`waiting` counts the queued batches that nobody has begun; the oldest was asked for so long ago."""

    batches: list[ActiveBatch]
    pipelines: list[ActivePipeline]
    waiting: int
    oldest_waiting_seconds: float | None

    @property
    def is_idle(self) -> bool:
        return not (self.batches or self.pipelines or self.waiting)


def workload_at(now: datetime) -> Work:
    """What is under way and what waits at an instant: three queries, one more while a pipeline runs."""
    unbegun = Q(status=Status.QUEUED, started_at=None)
    waiting = TicketBatch.objects.aggregate(
        count=Count("pk", filter=unbegun), oldest=Min("created_at", filter=unbegun)
    )
    begun = TicketBatch.objects.unfinished().filter(started_at__isnull=False).order_by("id")[:SHOWN]
    return Work(
        batches=[_batch(one) for one in begun],
        pipelines=_pipelines(),
        waiting=waiting["count"],
        oldest_waiting_seconds=waiting["oldest"] and max(0.0, (now - waiting["oldest"]).total_seconds()),
    )


def _batch(batch: TicketBatch) -> ActiveBatch:
    return ActiveBatch(
        id=batch.pk,
        mode=batch.mode,
        status=batch.status,
        draw_date=batch.draw_date,
        generated=batch.generated,
        requested=batch.requested,
        rate=batch.rate,
        seconds_left=batch.seconds_left,
        attempts=batch.attempts,
        error=batch.error,
    )


def _pipelines() -> list[ActivePipeline]:
    runs = PipelineRun.objects.unfinished().order_by("id").prefetch_related("steps")
    return [_pipeline(run, list(run.steps.all())) for run in runs]


def _pipeline(run: PipelineRun, steps: list[PipelineStep]) -> ActivePipeline:
    now_in = next((one for one in steps if one.status == PipelineStep.Status.RUNNING), None)
    return ActivePipeline(
        id=run.pk,
        pipeline_run_id=run.pipeline_run_id,
        draw_date=run.draw_date,
        step=now_in.name if now_in else "",
        number=now_in.number if now_in else 0,
        steps=len(PipelineStep.Name.values),
        started_at=now_in.started_at if now_in else run.started_at,
    )
