"""Take a snapshot of the system for the dashboard and `manage.py status`.

About twenty short database queries, none of which reads the ticket table. Nothing is kept in process memory,
so a snapshot is complete after a restart.
"""

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Q

from predictions.draws.sources import newest_draw_date
from predictions.evaluation.mode_profiles import mode_profiles
from predictions.models import Cluster, PipelineRun, Prediction
from predictions.powerball import EASTERN, draw_instant, last_draw, next_draw, sales_close, scheduled_draws
from predictions.workqueue import clusters
from tickets.demand.inventory import stock_levels
from tickets.models import TicketBatch
from tickets.monitoring.conditions import find_conditions, key_conditions
from tickets.monitoring.history import claim_counts, error_rate, mode_histories, recent_days
from tickets.monitoring.snapshot import (
    Draws,
    ModeSnapshot,
    Prizes,
    Skill,
    Snapshot,
    Stock,
    Worker,
    Workers,
)
from tickets.monitoring.workload import workload_at
from tickets.scoring.results import mode_results

MAX_FAILED_BATCHES = 100
MAX_CLUSTERS = 200


def take_snapshot(now: datetime) -> Snapshot:
    """Return the state of the system at `now` (aware)."""
    days = recent_days(now)
    last_run, last_completed_run = find_finished_pipelines()
    failed = TicketBatch.objects.generated().filter(
        status=TicketBatch.Status.FAILED, draw_date__gte=next_draw(now)
    )
    workers = worker_status_at(now)
    others = [(worker.queue, worker.host) for worker in workers.supervised if worker.has_other_key]
    return Snapshot(
        at=now,
        draws=draw_calendar_at(now),
        workers=workers,
        workload=workload_at(now),
        modes=mode_snapshots_at(now),
        days=days,
        error_rate=error_rate(days),
        claims=claim_counts(now),
        pipeline=last_run,
        pipeline_completed=last_completed_run,
        failed=list(failed.order_by("-id")[:MAX_FAILED_BATCHES]),
        conditions=[*find_conditions(), *key_conditions(others)],
    )


def draw_calendar_at(now: datetime) -> Draws:
    upcoming = next_draw(now)
    newest = newest_draw_date()
    missing = scheduled_draws(newest + timedelta(days=1), last_draw(now)) if newest else ()
    return Draws(
        next=upcoming,
        drawn_at=draw_instant(upcoming),
        sales_close_at=sales_close(upcoming, settings.SALES_CUTOFF),
        newest=newest,
        newest_age_days=(now.astimezone(EASTERN).date() - newest).days if newest else None,
        missing=len(list(missing)),
    )


def worker_status_at(now: datetime) -> Workers:
    recent = list(Cluster.objects.order_by("-seen_at")[:MAX_CLUSTERS])
    alive = sorted(
        (cluster for cluster in recent if cluster.is_alive),
        key=lambda cluster: (cluster.queue, cluster.host),
    )
    if not alive and (unsupervised := clusters.started_by_hand()):
        return Workers([], unsupervised, [], None)
    served = {cluster.queue for cluster in alive}
    unserved = [queue for queue in (clusters.DEFAULT, clusters.HEAVY) if queue not in served]
    last_seen_at = recent[0].seen_at if recent and not alive else None
    supervised = []
    for cluster in alive:
        heartbeat = cluster.last_heartbeat_at
        age = None if heartbeat is None else max(0.0, (now - heartbeat).total_seconds())
        worker = Worker(
            queue=cluster.queue,
            host=cluster.host,
            status=cluster.state,
            started_at=cluster.started_at,
            last_heartbeat_seconds=age,
            restarts=cluster.restarts,
            restart_reason=cluster.trouble,
            has_other_key=clusters.has_other_key(cluster),
        )
        supervised.append(worker)
    return Workers(supervised, [], unserved, last_seen_at)


def mode_snapshots_at(now: datetime) -> list[ModeSnapshot]:
    predictions = Prediction.objects.filter(draw_date=next_draw(now)).order_by()
    predicted = set(predictions.values_list("mode", flat=True))
    histories = mode_histories()
    return [
        ModeSnapshot(
            mode=level.mode,
            is_paused=level.is_paused,
            is_predicted=level.mode in predicted,
            stock=Stock.of(level),
            ready_batches=histories[level.mode].ready_batches,
            last_success=histories[level.mode].last_success,
            last_failure=histories[level.mode].last_failure,
            is_failing=histories[level.mode].is_failing,
            model=profile.model,
            skill=None if profile.skill is None else Skill.of(profile.skill),
            prizes=Prizes.of(result),
        )
        for level, profile, result in zip(stock_levels(now), mode_profiles(), mode_results(), strict=True)
    ]


def find_finished_pipelines() -> tuple[PipelineRun | None, PipelineRun | None]:
    finished = PipelineRun.objects.exclude(status=PipelineRun.Status.RUNNING).order_by("-id")
    completed = finished.filter(status=PipelineRun.Status.COMPLETED)
    newest = Q(pk__in=finished.values("pk")[:1]) | Q(pk__in=completed.values("pk")[:1])
    runs = list(PipelineRun.objects.filter(newest).order_by("-id"))
    last_completed = next((run for run in runs if run.status == PipelineRun.Status.COMPLETED), None)
    return (runs[0] if runs else None), last_completed
