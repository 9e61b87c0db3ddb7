"""/metrics for Prometheus: read from the database at the moment of the scrape, none counted by this process.

So every web process of every host says the same, and a restart forgets nothing. No query reads tickets, or
one row a claim.
"""

import platform
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import TypeVar

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

# The values of the labels, and the sample's; of what is not known there is no sample, never a zero.
Sample = tuple[Sequence[str], float]
Family = TypeVar("Family", GaugeMetricFamily, CounterMetricFamily)
FINISHED = (PipelineRun.Status.COMPLETED, PipelineRun.Status.FAILED)


class SnapshotCollector(Collector):
    """Everything, as it is when it is collected; only what changes no more is kept between two scrapes."""

    def __init__(self) -> None:
        self.claims = ClaimTotals()

    def collect(self) -> Iterator[Metric]:
        now = timezone.now()
        yield from _stock(stock_levels(now))
        yield from _batches()
        yield from _queue(now)
        yield from _claims(self.claims.at(now))
        yield from _models(now)
        yield from _draws(now)
        yield from _clusters(now)
        yield from _pipeline()
        yield _gauge("build_info", "What runs here.", [(_build(), 1)], ["version", "django", "python"])


REGISTRY = CollectorRegistry()
REGISTRY.register(SnapshotCollector())


@extend_schema(exclude=True)
class MetricsView(ProbeView):
    def get(self, request: Request) -> HttpResponse:
        """The metrics, in the format that the scraper asks for."""
        check_scraper_allowed(request)
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return HttpResponse(encode(REGISTRY), content_type=content_type)


def check_scraper_allowed(request: Request | HttpRequest) -> None:
    """PermissionDenied unless the client's address is in SHIOL_METRICS_FROM: what is sold is told here."""
    if reason := request.META.get(UNKNOWN_CLIENT_KEY):
        raise PermissionDenied(f"The client's IP address is unknown: {reason}.")
    if proxy := request.META.get(UNTRUSTED_KEY):
        raise PermissionDenied(
            f"This came through {proxy}, which SHIOL_TRUSTED_PROXIES does not name: who asks is not known."
        )
    address = request.META.get("REMOTE_ADDR", "")
    if not is_trusted_peer(address, settings.METRICS_FROM):
        raise PermissionDenied(
            f"{address or 'A Unix socket'} may not read this; SHIOL_METRICS_FROM names who may."
        )


def _with_samples(family: Family, samples: Iterable[Sample]) -> Family:
    for values, value in samples:
        family.add_metric(values, value)
    return family


def _gauge(name: str, text: str, samples: Iterable[Sample], labels: Sequence[str]) -> Metric:
    return _with_samples(GaugeMetricFamily(f"shiolplus_{name}", text, labels=labels), samples)


def _number(name: str, text: str, value: float | None) -> Metric:
    """A gauge without labels."""
    return _gauge(name, text, [] if value is None else [((), value)], ())


def _instant(name: str, text: str, instant: datetime | None) -> Metric:
    return _number(f"{name}_timestamp_seconds", text, None if instant is None else instant.timestamp())


def _by_mode(name: str, text: str, values: Mapping[str, float]) -> Metric:
    return _gauge(name, text, (([mode], value) for mode, value in values.items()), ["mode"])


def _total_by_mode(name: str, text: str, values: Mapping[str, float]) -> Metric:
    samples: Iterable[Sample] = (([mode], value) for mode, value in values.items())
    return _with_samples(CounterMetricFamily(f"shiolplus_{name}", text, labels=["mode"]), samples)


def _stock(of_modes: Sequence[StockLevel]) -> Iterator[Metric]:
    free = {shelf.mode: shelf.available for shelf in of_modes}
    yield _by_mode("free_tickets", "Tickets for the next draw that nobody claimed.", free)
    coming = {shelf.mode: shelf.on_order for shelf in of_modes}
    yield _by_mode("coming_tickets", "Tickets for the next draw that are ordered and not made yet.", coming)
    floors = {shelf.mode: shelf.outlook.reorder_point for shelf in of_modes}
    text = "Tickets for the next draw that must be free or coming, by the forecast of demand."
    yield _by_mode("stock_floor_tickets", text, floors)
    paused = {shelf.mode: float(shelf.is_paused) for shelf in of_modes}
    yield _by_mode("mode_paused", "Whether staff paused the mode.", paused)


def _batches() -> Iterator[Metric]:
    totals = batch_totals()
    counts = ((state, total.batches) for state, total in totals.items())
    text = "Batches by their present status; one that failed and is retried changes it."
    yield _gauge("batches", text, counts, ["mode", "status"])
    of_modes = {mode: [total for (of, _), total in totals.items() if of == mode] for mode in MODE_NAMES}
    stored = {mode: sum(one.stored for one in all_of) for mode, all_of in of_modes.items()}
    text = "Tickets in the table, for whichever draw, the claimed ones with them."
    yield _by_mode("stock_tickets", text, stored)
    made = {mode: sum(one.generated for one in all_of) for mode, all_of in of_modes.items()}
    yield _total_by_mode("tickets_generated", "Tickets ever made; does not fall on a purge.", made)
    text = "From the beginning of a batch to its end, of those that are ready."
    took = SummaryMetricFamily("shiolplus_batch_duration_seconds", text, labels=["mode"])
    for mode in MODE_NAMES:
        ready = totals[mode, TicketBatch.Status.READY]
        took.add_metric([mode], ready.batches, ready.seconds)
    yield took
    histories = mode_histories()
    newest = {mode: history.last_success for mode, history in histories.items() if history.last_success}
    seconds = {mode: batch.seconds for mode, batch in newest.items() if batch.seconds is not None}
    yield _by_mode("last_batch_duration_seconds", "How long the newest ready batch took.", seconds)
    ready_at = {mode: batch.finished_at.timestamp() for mode, batch in newest.items()}
    yield _by_mode("last_batch_ready_timestamp_seconds", "When the newest batch became ready.", ready_at)


def _queue(now: datetime) -> Iterator[Metric]:
    work = workload_at(now)
    yield _number("waiting_batches", "Batches that nobody has begun.", work.waiting)
    text = "How long the oldest of them has waited; 0 when none waits."
    yield _number("oldest_waiting_batch_seconds", text, work.oldest_waiting_seconds or 0)
    tasks = (([queue], count) for queue, count in tasks_waiting().items())
    yield _gauge("queue_tasks", "Tasks in the queue that are not done.", tasks, ["queue"])


def _claims(totals: Mapping[str, ClaimTotal]) -> Iterator[Metric]:
    granted = {mode: one.granted for mode, one in totals.items()}
    yield _total_by_mode("claims", "Claims that were granted.", granted)
    tickets = {mode: one.tickets for mode, one in totals.items()}
    yield _total_by_mode("claimed_tickets", "Tickets that were handed out.", tickets)
    refused = {mode: one.refused for mode, one in totals.items()}
    yield _total_by_mode("claims_refused", "Claims refused, since too few tickets were free.", refused)


def _models(now: datetime) -> Iterator[Metric]:
    profiles = mode_profiles()
    models = {one.mode: one.model for one in profiles if one.model}
    ages = {mode: _age(now, model.created_at) for mode, model in models.items()}
    yield _by_mode("model_age_seconds", "Since the mode's model was fitted.", ages)
    ages = {mode: _age(now, draw_instant(model.draws_through)) for mode, model in models.items()}
    text = "Since the newest draw that the mode's model learned from."
    yield _by_mode("model_draws_age_seconds", text, ages)
    skills = {one.mode: one.skill for one in profiles if one.skill}
    nats = {mode: skill.difference for mode, skill in skills.items()}
    yield _by_mode("model_skill_nats", "Gain on the uniform law a draw, by the newest backtest.", nats)
    lows = {mode: skill.low for mode, skill in skills.items()}
    yield _by_mode("model_skill_low_nats", "The lower end of its 95 % interval.", lows)
    highs = {mode: skill.high for mode, skill in skills.items()}
    yield _by_mode("model_skill_high_nats", "The upper end of its 95 % interval.", highs)


def _age(now: datetime, instant: datetime) -> float:
    return (now - instant).total_seconds()


def _draws(now: datetime) -> Iterator[Metric]:
    draws = draw_calendar_at(now)
    age = None if draws.newest is None else _age(now, draw_instant(draws.newest))
    yield _number("newest_draw_age_seconds", "Since the newest draw whose numbers are known.", age)
    yield _number("missing_draws", "Draws that were held since, and are not stored.", draws.missing)
    yield _instant("next_draw", "When the next draw is held.", draws.drawn_at)
    yield _instant("sales_close", "When claims for it close.", draws.sales_close_at)


def _clusters(now: datetime) -> Iterator[Metric]:
    workers, labels = worker_status_at(now), ["queue", "host"]
    alive = [one.queue for one in workers.watched]
    counts = (([queue], alive.count(queue)) for queue in dict.fromkeys(alive + workers.unserved))
    yield _gauge("clusters", "Clusters that live and are watched.", counts, ["queue"])
    here = {(one.queue, one.host) for one in workers.watched}
    not_ended = Cluster.objects.exclude(status=Cluster.Status.STOPPED).order_by()
    places = sorted(here.union(not_ended.values_list("queue", "host")))
    text = "Whether a host's cluster lives, of those that were not stopped in order."
    yield _gauge("cluster_up", text, ((place, float(place in here)) for place in places), labels)
    signs = (
        ([one.queue, one.host], one.last_heartbeat_seconds)
        for one in workers.watched
        if one.last_heartbeat_seconds is not None
    )
    yield _gauge("cluster_sign_age_seconds", "Since it last showed that it gets work done.", signs, labels)


def _pipeline() -> Iterator[Metric]:
    ended = PipelineRun.objects.exclude(status=PipelineRun.Status.RUNNING).order_by("-id")
    last, completed = ended.first(), ended.filter(status=PipelineRun.Status.COMPLETED).first()
    text = "When the newest pipeline run ended that was completed."
    yield _instant("pipeline_last_success", text, completed.finished_at if completed else None)
    outcomes = (([status], float(last.status == status)) for status in FINISHED if last)
    text = "How the newest pipeline run ended: 1 at its status."
    yield _gauge("pipeline_last_run", text, outcomes, ["status"])


@lru_cache
def _build() -> tuple[str, str, str]:
    project = tomllib.loads((settings.BASE_DIR / "pyproject.toml").read_text())["project"]
    return project["version"], django.__version__, platform.python_version()
