"""Health probes: `/healthz` only responds, `/readyz` probes each part.

Only the parts that serve stored tickets are required by default.
"""

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from http import HTTPStatus
from typing import Any

from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import QueryDict
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views.decorators.cache import cache_control
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from predictions.draws.sources import age, freshness_text, is_stale, newest_draw_date
from predictions.workqueue import clusters
from tickets.api.exceptions import InvalidParameters, invalid_parameter
from tickets.demand.inventory import stock_levels
from tickets.monitoring import conditions, probes
from tickets.monitoring.collector import worker_status_at
from tickets.monitoring.conditions import Condition

logger = logging.getLogger(__name__)

OK, FAILED, UNKNOWN = "ok", "failed", "unknown"
REQUIRED = ("database", "migrations", "disk")
WITHOUT_DATABASE = {"disk", "cache", "heartbeats"}
HEARTBEAT_TIMEOUT = 60  # seconds; an idle cluster sends a heartbeat every 12 s, a busy one every 5 s


@dataclass(frozen=True)
class ProbeResult:
    """The state of one part, as text and as figures for programs."""

    status: str
    detail: str
    figures: dict[str, Any] = field(default_factory=dict)


@method_decorator(cache_control(no_store=True), name="dispatch")
class ProbeView(APIView):
    """A view for monitors, without authentication, rate limit or entry in the API schema."""

    authentication_classes = ()
    throttle_classes = ()


@extend_schema(exclude=True)
class HealthView(ProbeView):
    def get(self, request: Request) -> Response:
        return Response({"status": OK})


@extend_schema(exclude=True)
class ReadyView(ProbeView):
    def get(self, request: Request) -> Response:
        """Return the state of each part, with status 503 if a required part is not OK.

        `?require=` adds required parts.
        """
        required = required_parts(request.query_params)
        results = run_probes()
        unhealthy = {name for name, result in results.items() if result.status != OK}
        state = "unready" if unhealthy & required else "degraded" if unhealthy else "ready"
        parts = {name: asdict(result) | {"required": name in required} for name, result in results.items()}
        status = HTTPStatus.SERVICE_UNAVAILABLE if state == "unready" else HTTPStatus.OK
        return Response({"status": state, "parts": parts}, status=status)


def required_parts(query: QueryDict) -> set[str]:
    """Return the names of the required parts. Raise InvalidParameters for unknown names or parameters."""
    errors = [
        invalid_parameter(name, query.get(name), "no such parameter; allowed is require")
        for name in query
        if name != "require"
    ]
    requested = {name for names in query.getlist("require") for name in names.split(",")}
    allowed = f"one or more of {', '.join(PROBES)}, separated by commas"
    errors += [invalid_parameter("require", name, allowed) for name in sorted(requested - PROBES.keys())]
    if errors:
        raise InvalidParameters(errors)
    return {*REQUIRED, *requested}


def run_probes() -> dict[str, ProbeResult]:
    """Run each probe. After a database error, skip the other probes that need the database."""
    results: dict[str, ProbeResult] = {}
    skipped = ProbeResult(UNKNOWN, "Not probed, because the database did not respond.")
    is_database_down = False
    for name, probe in PROBES.items():
        if is_database_down and name not in WITHOUT_DATABASE:
            results[name] = skipped
            continue
        try:
            results[name] = probe()
        except Error as error:
            logger.error("readyz: the database did not respond for %s: %s", name, error)
            status = FAILED if name == "database" else UNKNOWN
            results[name] = ProbeResult(status, "The database did not respond; see the log.")
            is_database_down = True
    return results


def probe_database() -> ProbeResult:
    started = time.perf_counter()
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    milliseconds = (time.perf_counter() - started) * 1000
    figures = {"engine": connection.vendor, "milliseconds": round(milliseconds, 1)}
    return summarize_conditions(conditions.database_conditions(), "Responding.", figures)


def probe_disk() -> ProbeResult:
    free = {disk.name: disk.free for disk in probes.disks()}
    return summarize_conditions(conditions.disk_conditions(), "Enough free space.", {"free_bytes": free})


def probe_cache() -> ProbeResult:
    kind = "redis" if probes.has_redis() else "memory"
    text = "Redis accepts writes." if probes.has_redis() else "One cache per process (no CACHE_URL)."
    return summarize_conditions(conditions.cache_conditions(), text, {"kind": kind})


def probe_secret_key() -> ProbeResult:
    """Probe whether the running clusters can verify the tasks that this process signs."""
    others = [(cluster.queue, cluster.host) for cluster in clusters.with_other_key()]
    text = "All running clusters have the secret key of this process."
    return summarize_conditions(conditions.key_conditions(others), text, {})


def probe_heartbeats() -> ProbeResult:
    return summarize_conditions(conditions.heartbeat_conditions(), "All heartbeat files are readable.", {})


def summarize_conditions(found: Iterable[Condition], ok_text: str, figures: dict[str, Any]) -> ProbeResult:
    """Return a result that summarizes all conditions. A disk that is only low on space is OK."""
    problems = list(found)
    if not problems:
        return ProbeResult(OK, ok_text, figures)
    detail = " ".join(condition.summary for condition in problems)
    detail += " Run `manage.py status` on this host for details."
    codes = [condition.code for condition in problems]
    is_only_low = set(codes) == {"disk_low"}
    return ProbeResult(OK if is_only_low else FAILED, detail, figures | {"codes": codes})


def probe_migrations() -> ProbeResult:
    executor = MigrationExecutor(connection)
    # A clean start also lists an unapplied migration whose successors are applied.
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes(), clean_start=True)
    applied = executor.loader.applied_migrations
    missing = [str(step) for step, _ in plan if (step.app_label, step.name) not in applied]
    if not missing:
        return ProbeResult(OK, "All applied.", {"missing": []})
    detail = f"{len(missing)} not applied, starting with {missing[0]}: run `manage.py migrate`."
    return ProbeResult(FAILED, detail, {"missing": missing})


def probe_workers() -> ProbeResult:
    workers = worker_status_at(timezone.now())
    heartbeats: dict[str, list[float]] = {clusters.DEFAULT: [], clusters.HEAVY: []}
    for cluster in workers.supervised:
        if cluster.last_heartbeat_seconds is not None:
            heartbeats.setdefault(cluster.queue, []).append(cluster.last_heartbeat_seconds)
    figures = {
        queue: {"clusters": len(ages), "last_heartbeat_seconds": round(min(ages), 1) if ages else None}
        for queue, ages in heartbeats.items()
    }
    if workers.unsupervised:
        return ProbeResult(OK, f"Clusters without a watchdog: {', '.join(workers.unsupervised)}.", figures)
    stalled = [
        queue
        for queue, ages in heartbeats.items()
        if min(ages, default=HEARTBEAT_TIMEOUT) >= HEARTBEAT_TIMEOUT
    ]
    if stalled:
        detail = f"No active cluster for {' and '.join(stalled)}: start `manage.py run_cluster`."
        return ProbeResult(FAILED, detail, figures)
    return ProbeResult(OK, "Both queues have an active cluster.", figures)


def probe_stock() -> ProbeResult:
    levels = stock_levels(timezone.now())
    empty = [level.mode for level in levels if level.available <= 0 and not level.is_paused]
    draw_date = levels[0].draw_date
    figures = {
        "draw_date": draw_date.isoformat(),
        "available": {level.mode: level.available for level in levels},
        "paused": [level.mode for level in levels if level.is_paused],
    }
    if empty:
        return ProbeResult(FAILED, f"No available tickets for {draw_date}: {', '.join(empty)}.", figures)
    return ProbeResult(OK, f"Every mode has available tickets for {draw_date}.", figures)


def probe_draws() -> ProbeResult:
    newest = newest_draw_date()
    figures = {
        "newest": newest.isoformat() if newest else None,
        "age_days": age(newest).days if newest else None,
    }
    text = freshness_text(newest)
    return ProbeResult(FAILED if is_stale(newest) else OK, f"{text[0].upper()}{text[1:]}.", figures)


PROBES: dict[str, Callable[[], ProbeResult]] = {
    "database": probe_database,
    "migrations": probe_migrations,
    "disk": probe_disk,
    "cache": probe_cache,
    "secret_key": probe_secret_key,
    "heartbeats": probe_heartbeats,
    "worker": probe_workers,
    "stock": probe_stock,
    "draws": probe_draws,
}
