"""The whole system in one picture, for the admin's dashboard, `manage.py status` and programs alike.

All of it is read from rows, in some twenty short queries, none of them over tickets: what one process
happens to remember would not survive its restart.
"""

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Q

from predictions.evaluation.mode_profiles import ModeProfile, mode_profiles
from predictions.models import Cluster, Draw, PipelineRun, Prediction
from predictions.powerball import EASTERN, draw_instant, last_draw, next_draw, sales_close, scheduled_draws
from predictions.workqueue import clusters
from tickets.demand.inventory import StockLevel, stock_levels
from tickets.models import TicketBatch
from tickets.monitoring.conditions import find_conditions, key_conditions
from tickets.monitoring.history import ModeHistory, claim_counts, error_rate, mode_histories, recent_days
from tickets.monitoring.snapshot import (
    Draws,
    FailedBatch,
    Model,
    ModeSnapshot,
    Pipeline,
    Prizes,
    Skill,
    Snapshot,
    Stock,
    Worker,
    Workers,
)
from tickets.monitoring.workload import workload_at
from tickets.scoring.results import ModeResult, mode_results

FAILED_AT_MOST = 100  # failed batches that are told
CLUSTERS_AT_MOST = 200  # of those seen last


def take_snapshot(now: datetime) -> Snapshot:
    """The picture at an instant (aware)."""
    days = recent_days(now)
    ended, completed = _pipelines()
    workers = worker_status_at(now)
    others = [(worker.queue, worker.host) for worker in workers.watched if worker.has_other_key]
    return Snapshot(
        at=now,
        draws=draw_calendar_at(now),
        workers=workers,
        workload=workload_at(now),
        modes=_modes(now),
        days=days,
        error_rate=error_rate(days),
        claims=claim_counts(now),
        pipeline=ended,
        pipeline_completed=completed,
        failed=_failed(now),
        conditions=[*find_conditions(), *key_conditions(others)],
    )


def draw_calendar_at(now: datetime) -> Draws:
    upcoming = next_draw(now)
    newest = Draw.objects.order_by("-draw_date").values_list("draw_date", flat=True).first()
    unstored = scheduled_draws(newest + timedelta(days=1), last_draw(now)) if newest else ()
    return Draws(
        next=upcoming,
        drawn_at=draw_instant(upcoming),
        sales_close_at=sales_close(upcoming, settings.SALES_CUTOFF),
        newest=newest,
        newest_age_days=(now.astimezone(EASTERN).date() - newest).days if newest else None,
        missing=len(list(unstored)),
    )


def worker_status_at(now: datetime) -> Workers:
    seen = list(Cluster.objects.order_by("-seen_at")[:CLUSTERS_AT_MOST])
    alive = sorted((one for one in seen if one.is_alive), key=lambda one: (one.queue, one.host))
    if not alive and (unwatched := clusters.started_by_hand()):
        return Workers([], unwatched, [], None)
    served = {one.queue for one in alive}
    unserved = [queue for queue in (clusters.DEFAULT, clusters.HEAVY) if queue not in served]
    last = seen[0].seen_at if seen and not alive else None
    return Workers([_worker(one, now) for one in alive], [], unserved, last)


def _worker(cluster: Cluster, now: datetime) -> Worker:
    sign = cluster.last_heartbeat_at
    return Worker(
        queue=cluster.queue,
        host=cluster.host,
        status=cluster.state,
        started_at=cluster.started_at,
        last_heartbeat_seconds=None if sign is None else max(0.0, (now - sign).total_seconds()),
        restarts=cluster.restarts,
        trouble=cluster.trouble,
        has_other_key=clusters.has_other_key(cluster),
    )


def _modes(now: datetime) -> list[ModeSnapshot]:
    of_draw = Prediction.objects.filter(draw_date=next_draw(now)).order_by()
    predicted = set(of_draw.values_list("mode", flat=True))
    histories = mode_histories()
    return [
        _mode(shelf, profile, histories[shelf.mode], result, shelf.mode in predicted)
        for shelf, profile, result in zip(stock_levels(now), mode_profiles(), mode_results(), strict=True)
    ]


def _mode(
    shelf: StockLevel, profile: ModeProfile, history: ModeHistory, result: ModeResult, is_predicted: bool
) -> ModeSnapshot:
    model, skill = profile.model, profile.skill
    return ModeSnapshot(
        mode=shelf.mode,
        is_paused=shelf.is_paused,
        is_predicted=is_predicted,
        stock=Stock.of(shelf),
        made=history.made,
        last_success=history.last_success,
        last_failure=history.last_failure,
        is_failing=history.is_failing,
        model=None if model is None else Model.of(model),
        skill=None if skill is None else Skill.of(skill),
        prizes=Prizes.of(result),
    )


def _pipelines() -> tuple[Pipeline | None, Pipeline | None]:
    """The newest run that has ended, and the newest that was completed; one query."""
    ended = PipelineRun.objects.exclude(status=PipelineRun.Status.RUNNING).order_by("-id")
    completed = ended.filter(status=PipelineRun.Status.COMPLETED)
    newest = Q(pk__in=ended.values("pk")[:1]) | Q(pk__in=completed.values("pk")[:1])
    runs = [_pipeline(run) for run in PipelineRun.objects.filter(newest).order_by("-id")]
    done = next((run for run in runs if run.status == PipelineRun.Status.COMPLETED), None)
    return (runs[0] if runs else None), done


def _pipeline(run: PipelineRun) -> Pipeline:
    return Pipeline(run.pk, run.pipeline_run_id, run.status, run.finished_at, run.seconds, run.error)


def _failed(now: datetime) -> list[FailedBatch]:
    to_come = TicketBatch.objects.generated().filter(draw_date__gte=next_draw(now))
    failed = to_come.filter(status=TicketBatch.Status.FAILED).order_by("-id")[:FAILED_AT_MOST]
    return [FailedBatch(one.pk, one.mode, one.draw_date, one.error) for one in failed]
