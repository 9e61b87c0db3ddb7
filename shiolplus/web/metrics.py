"""/metrics for Prometheus, computed from the database at scrape time.

All web processes report the same values. No query reads the ticket table or one row per claim.
"""

import platform
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from datetime import datetime
from functools import lru_cache

import django
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric, SummaryMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request

from predictions.evaluation.mode_profiles import mode_profiles
from predictions.models import Cluster, PipelineRun
from predictions.modes.registry import MODE_NAMES
from predictions.powerball import draw_instant
from shiolplus.web.health import ProbeView
from shiolplus.web.trusted_proxies import UNTRUSTED_KEY, is_trusted_peer
from tickets.api.callers import UNKNOWN_CLIENT_KEY
from tickets.demand.inventory import StockLevel, stock_levels
from tickets.generation.totals import ClaimTotal, ClaimTotals, batch_totals, tasks_waiting
from tickets.models import TicketBatch
from tickets.monitoring.collector import draw_calendar_at, worker_status_at
from tickets.monitoring.history import mode_histories
from tickets.monitoring.workload import workload_at

Sample = tuple[Sequence[str], float]  # label values, value; unknown values have no sample
Family = type[GaugeMetricFamily] | type[CounterMetricFamily]
FINISHED = (PipelineRun.Status.COMPLETED, PipelineRun.Status.FAILED)
# Names before 1.0.0, which are exported as well until 1.1.0.
DEPRECATED_NAMES = {
    "shiolplus_available_tickets": "shiolplus_free_tickets",
    "shiolplus_on_order_tickets": "shiolplus_coming_tickets",
    "shiolplus_reorder_point_tickets": "shiolplus_stock_floor_tickets",
    "shiolplus_stored_tickets": "shiolplus_stock_tickets",
    "shiolplus_cluster_heartbeat_age_seconds": "shiolplus_cluster_sign_age_seconds",
}


class SnapshotCollector(Collector):
    """Collect all metrics from the database. Only claim totals of past draws are cached between scrapes."""

    def __init__(self) -> None:
        self.claims = ClaimTotals()

    def collect(self) -> Iterator[Metric]:
        for metric in self.current_metrics():
            yield metric
            if name := DEPRECATED_NAMES.get(metric.name):
                deprecated = copy(metric)
                deprecated.name, deprecated.documentation = name, f"Deprecated: use {metric.name}."
                deprecated.samples = [sample._replace(name=name) for sample in metric.samples]
                yield deprecated

    def current_metrics(self) -> Iterator[Metric]:
        now = timezone.now()
        yield from stock_metrics(stock_levels(now))
        yield from batch_metrics()
        yield from queue_metrics(now)
        yield from claim_metrics(self.claims.at(now))
        yield from model_metrics(now)
        yield from draw_metrics(now)
        yield from cluster_metrics(now)
        yield from pipeline_metrics()
        yield make_metric(
            "build_info", "Installed versions.", [(installed_versions(), 1)], ["version", "django", "python"]
        )


REGISTRY = CollectorRegistry()
REGISTRY.register(SnapshotCollector())


@extend_schema(exclude=True)
class MetricsView(ProbeView):
    def get(self, request: Request) -> HttpResponse:
        check_scraper_allowed(request)
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return HttpResponse(encode(REGISTRY), content_type=content_type)


def check_scraper_allowed(request: Request | HttpRequest) -> None:
    """Raise PermissionDenied unless the client's IP address is in SHIOL_METRICS_FROM."""
    if reason := request.META.get(UNKNOWN_CLIENT_KEY):
        raise PermissionDenied(f"The client's IP address is unknown: {reason}.")
    if proxy := request.META.get(UNTRUSTED_KEY):
        raise PermissionDenied(
            f"The client's IP address is unknown: the proxy {proxy} is not in SHIOL_TRUSTED_PROXIES."
        )
    address = request.META.get("REMOTE_ADDR", "")
    if not is_trusted_peer(address, settings.METRICS_FROM):
        raise PermissionDenied(f"{address or 'A Unix socket'} is not in SHIOL_METRICS_FROM.")


def make_metric(
    name: str, text: str, samples: Iterable[Sample], labels: Sequence[str], family: Family = GaugeMetricFamily
) -> Metric:
    metric = family(f"shiolplus_{name}", text, labels=labels)
    for values, value in samples:
        metric.add_metric(values, value)
    return metric


def single_metric(name: str, text: str, value: float | None) -> Metric:
    return make_metric(name, text, [] if value is None else [((), value)], ())


def timestamp_metric(name: str, text: str, instant: datetime | None) -> Metric:
    return single_metric(f"{name}_timestamp_seconds", text, None if instant is None else instant.timestamp())


def mode_metric(
    name: str, text: str, values: Mapping[str, float], family: Family = GaugeMetricFamily
) -> Metric:
    return make_metric(name, text, (([mode], value) for mode, value in values.items()), ["mode"], family)


def stock_metrics(levels: Sequence[StockLevel]) -> Iterator[Metric]:
    available = {level.mode: level.available for level in levels}
    yield mode_metric("available_tickets", "Available tickets for the next draw.", available)
    on_order = {level.mode: level.on_order for level in levels}
    yield mode_metric("on_order_tickets", "Tickets on order for the next draw.", on_order)
    reorder_points = {level.mode: level.reorder_policy.reorder_point for level in levels}
    text = "Reorder point for the next draw: the minimum of available tickets and tickets on order."
    yield mode_metric("reorder_point_tickets", text, reorder_points)
    paused = {level.mode: float(level.is_paused) for level in levels}
    yield mode_metric("mode_paused", "Whether the mode is paused.", paused)


def batch_metrics() -> Iterator[Metric]:
    totals = batch_totals()
    counts = ((key, total.batches) for key, total in totals.items())
    text = "Batches by current status; a retried batch leaves the failed status."
    yield make_metric("batches", text, counts, ["mode", "status"])
    totals_by_mode = {
        mode: [total for (total_mode, _), total in totals.items() if total_mode == mode]
        for mode in MODE_NAMES
    }
    stored = {mode: sum(total.stored for total in group) for mode, group in totals_by_mode.items()}
    yield mode_metric("stored_tickets", "Stored tickets for all draws, claimed ones included.", stored)
    generated = {mode: sum(total.generated for total in group) for mode, group in totals_by_mode.items()}
    yield mode_metric(
        "tickets_generated", "Tickets generated; a purge does not reduce it.", generated, CounterMetricFamily
    )
    text = "Duration of ready batches, from start to finish."
    duration = SummaryMetricFamily("shiolplus_batch_duration_seconds", text, labels=["mode"])
    for mode in MODE_NAMES:
        ready = totals[mode, TicketBatch.Status.READY]
        duration.add_metric([mode], ready.batches, ready.seconds)
    yield duration
    histories = mode_histories()
    newest = {mode: history.last_success for mode, history in histories.items() if history.last_success}
    seconds = {mode: batch.seconds for mode, batch in newest.items() if batch.seconds is not None}
    yield mode_metric("last_batch_duration_seconds", "Duration of the newest ready batch.", seconds)
    ready_at = {mode: batch.finished_at.timestamp() for mode, batch in newest.items() if batch.finished_at}
    yield mode_metric("last_batch_ready_timestamp_seconds", "When the newest batch became ready.", ready_at)


def queue_metrics(now: datetime) -> Iterator[Metric]:
    workload = workload_at(now)
    yield single_metric("waiting_batches", "Batches that no worker has started.", workload.waiting)
    text = "Waiting time of the oldest waiting batch; 0 if there is none."
    yield single_metric("oldest_waiting_batch_seconds", text, workload.oldest_waiting_seconds or 0)
    tasks = (([queue], count) for queue, count in tasks_waiting().items())
    yield make_metric("queue_tasks", "Unfinished tasks in the queue.", tasks, ["queue"])


def claim_metrics(totals: Mapping[str, ClaimTotal]) -> Iterator[Metric]:
    granted = {mode: total.granted for mode, total in totals.items()}
    yield mode_metric("claims", "Claims granted.", granted, CounterMetricFamily)
    tickets = {mode: total.tickets for mode, total in totals.items()}
    yield mode_metric("claimed_tickets", "Tickets claimed.", tickets, CounterMetricFamily)
    refused = {mode: total.refused for mode, total in totals.items()}
    yield mode_metric(
        "claims_refused", "Claims refused because of insufficient stock.", refused, CounterMetricFamily
    )


def model_metrics(now: datetime) -> Iterator[Metric]:
    profiles = mode_profiles()
    models = {profile.mode: profile.model for profile in profiles if profile.model}
    ages = {mode: age_seconds(now, model.created_at) for mode, model in models.items()}
    yield mode_metric("model_age_seconds", "Time since the mode's model was fitted.", ages)
    ages = {mode: age_seconds(now, draw_instant(model.draws_through)) for mode, model in models.items()}
    text = "Time since the newest draw in the training data of the mode's model."
    yield mode_metric("model_draws_age_seconds", text, ages)
    skills = {profile.mode: profile.skill for profile in profiles if profile.skill}
    nats = {mode: skill.difference for mode, skill in skills.items()}
    text = "Log-loss gain over the uniform baseline per draw, from the newest backtest."
    yield mode_metric("model_skill_nats", text, nats)
    lows = {mode: skill.low for mode, skill in skills.items()}
    yield mode_metric("model_skill_low_nats", "Lower end of the 95 % interval of the skill.", lows)
    highs = {mode: skill.high for mode, skill in skills.items()}
    yield mode_metric("model_skill_high_nats", "Upper end of the 95 % interval of the skill.", highs)


def age_seconds(now: datetime, instant: datetime) -> float:
    return (now - instant).total_seconds()


def draw_metrics(now: datetime) -> Iterator[Metric]:
    draws = draw_calendar_at(now)
    age = None if draws.newest is None else age_seconds(now, draw_instant(draws.newest))
    yield single_metric("newest_draw_age_seconds", "Time since the newest stored draw.", age)
    yield single_metric("missing_draws", "Draws held since then that are not stored.", draws.missing)
    yield timestamp_metric("next_draw", "Time of the next draw.", draws.drawn_at)
    yield timestamp_metric("sales_close", "When claims for the next draw close.", draws.sales_close_at)


def cluster_metrics(now: datetime) -> Iterator[Metric]:
    workers, labels = worker_status_at(now), ["queue", "host"]
    queues = [cluster.queue for cluster in workers.supervised]
    counts = (([queue], queues.count(queue)) for queue in dict.fromkeys(queues + workers.unserved))
    yield make_metric("clusters", "Running clusters with a watchdog.", counts, ["queue"])
    running = {(cluster.queue, cluster.host) for cluster in workers.supervised}
    not_stopped = Cluster.objects.exclude(status=Cluster.Status.STOPPED).order_by()
    expected = sorted(running.union(not_stopped.values_list("queue", "host")))
    text = "Whether a host's cluster is running; an orderly stopped cluster has no sample."
    yield make_metric("cluster_up", text, ((key, float(key in running)) for key in expected), labels)
    ages = (
        ([cluster.queue, cluster.host], cluster.last_heartbeat_seconds)
        for cluster in workers.supervised
        if cluster.last_heartbeat_seconds is not None
    )
    yield make_metric("cluster_heartbeat_age_seconds", "Time since the last heartbeat.", ages, labels)


def pipeline_metrics() -> Iterator[Metric]:
    finished = PipelineRun.objects.exclude(status=PipelineRun.Status.RUNNING).order_by("-id")
    last, completed = finished.first(), finished.filter(status=PipelineRun.Status.COMPLETED).first()
    text = "When the newest completed pipeline run finished."
    yield timestamp_metric("pipeline_last_success", text, completed.finished_at if completed else None)
    outcomes = (([status], float(last.status == status)) for status in FINISHED if last)
    text = "Status of the newest finished pipeline run: 1 for its status, 0 for the other."
    yield make_metric("pipeline_last_run", text, outcomes, ["status"])


@lru_cache
def installed_versions() -> tuple[str, str, str]:
    project = tomllib.loads((settings.BASE_DIR / "pyproject.toml").read_text())["project"]
    return project["version"], django.__version__, platform.python_version()
