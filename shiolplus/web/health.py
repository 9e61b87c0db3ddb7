"""Whether this process lives, and whether the installation is well: for load balancers and monitors.

`/healthz` asks nothing but this process. `/readyz` looks at each part; by default only those without which a
web process is of no use are required, for it serves what is in stock while every worker is dead.
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

from predictions.draws.sources import age, freshness_text, is_stale, newest_draw_day
from predictions.workqueue import clusters
from tickets.api.problems import InvalidParameters
from tickets.api.request_params import invalid_parameter
from tickets.demand.inventory import stock_levels
from tickets.monitoring import conditions, probes
from tickets.monitoring.collector import worker_status_at
from tickets.monitoring.conditions import Condition

logger = logging.getLogger(__name__)

OK, FAILED, UNKNOWN = "ok", "failed", "unknown"
REQUIRED = ("database", "migrations", "disk")
WITHOUT_DATABASE = {"disk", "cache", "heartbeats"}
HEARTBEAT_TIMEOUT = 60  # seconds; an idle cluster signs every dozen, one at work every five


@dataclass(frozen=True)
class ProbeResult:
    """What is found of a part: `detail` is for people, `figures` for programs."""

    status: str
    detail: str
    figures: dict[str, Any] = field(default_factory=dict)


@method_decorator(cache_control(no_store=True), name="dispatch")
class ProbeView(APIView):
    """An address for monitors: no key, no rate, no part of the API's schema."""

    authentication_classes = ()
    throttle_classes = ()


@extend_schema(exclude=True)
class HealthView(ProbeView):
    def get(self, request: Request) -> Response:
        """This process answers; whatever else is away."""
        return Response({"status": OK})


@extend_schema(exclude=True)
class ReadyView(ProbeView):
    def get(self, request: Request) -> Response:
        """Each part, and 503 when one that is required is not well; `?require=` requires more of them."""
        required = required_parts(request.query_params)
        parts = run_probes()
        ill = {name for name, part in parts.items() if part.status != OK}
        state = "unready" if ill & required else "degraded" if ill else "ready"
        told = {name: asdict(part) | {"required": name in required} for name, part in parts.items()}
        status = HTTPStatus.SERVICE_UNAVAILABLE if state == "unready" else HTTPStatus.OK
        return Response({"status": state, "parts": told}, status=status)


def required_parts(query: QueryDict) -> set[str]:
    """The parts that must be well; InvalidParameters for what is none."""
    errors = [
        invalid_parameter(name, query.get(name), "no such parameter; allowed is require")
        for name in query
        if name != "require"
    ]
    asked = {name for names in query.getlist("require") for name in names.split(",")}
    allowed = f"one or more of {', '.join(PARTS)}, with commas between"
    errors += [invalid_parameter("require", name, allowed) for name in sorted(asked - PARTS.keys())]
    if errors:
        raise InvalidParameters(errors)
    return {*REQUIRED, *asked}


def run_probes() -> dict[str, ProbeResult]:
    """Each part as it is now. After one that the database did not answer, nothing more is asked of it."""
    found: dict[str, ProbeResult] = {}
    silent = ProbeResult(UNKNOWN, "Not asked, since the database did not answer.")
    is_silent = False
    for name, read in PARTS.items():
        if is_silent and name not in WITHOUT_DATABASE:
            found[name] = silent
            continue
        try:
            found[name] = read()
        except Error as error:
            logger.error("readyz: the database did not answer for %s: %s", name, error)
            status = FAILED if name == "database" else UNKNOWN
            found[name] = ProbeResult(status, "The database did not answer; the log says how.")
            is_silent = True
    return found


def _database() -> ProbeResult:
    started = time.perf_counter()
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    milliseconds = (time.perf_counter() - started) * 1000
    figures = {"engine": connection.vendor, "milliseconds": round(milliseconds, 1)}
    return _part_of(conditions.database_conditions(), "It answers.", figures)


def _disk() -> ProbeResult:
    """Whether files and rows can still be stored on the disks of this host."""
    free = {disk.name: disk.free for disk in probes.disks()}
    return _part_of(conditions.disk_conditions(), "There is room.", {"free_bytes": free})


def _cache() -> ProbeResult:
    """Whether the cache that processes share accepts writes; without it the service works on."""
    kind = "redis" if probes.has_redis() else "memory"
    text = "Redis accepts writes." if probes.has_redis() else "Each process has its own (no CACHE_URL)."
    return _part_of(conditions.cache_conditions(), text, {"kind": kind})


def _secret_key() -> ProbeResult:
    """Whether the live clusters can read the tasks that this process signs."""
    others = [(cluster.queue, cluster.host) for cluster in clusters.with_other_key()]
    text = "Live clusters have the secret key of this process."
    return _part_of(conditions.key_conditions(others), text, {})


def _heartbeats() -> ProbeResult:
    return _part_of(conditions.heartbeat_conditions(), "All heartbeat files can be read.", {})


def _part_of(found: Iterable[Condition], text: str, figures: dict[str, Any]) -> ProbeResult:
    """Return a part that failed by some conditions, with their messages; a disk that is only low is OK."""
    told = list(found)
    if not told:
        return ProbeResult(OK, text, figures)
    detail = " ".join(condition.summary for condition in told)
    detail += " `manage.py status` on this host says what to do."
    is_low = all(condition.code == "disk_low" for condition in told)
    codes = [condition.code for condition in told]
    return ProbeResult(OK if is_low else FAILED, detail, figures | {"codes": codes})


def _migrations() -> ProbeResult:
    """Those that this code has and the database has not."""
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    missing = [str(migration) for migration, _ in plan]
    if not missing:
        return ProbeResult(OK, "All are applied.", {"missing": []})
    detail = f"{len(missing)} not applied, {missing[0]} first: run `manage.py migrate`."
    return ProbeResult(FAILED, detail, {"missing": missing})


def _worker() -> ProbeResult:
    """Whether each queue has a cluster that a watchdog sees, and that got something done lately."""
    workers = worker_status_at(timezone.now())
    signs: dict[str, list[float]] = {clusters.DEFAULT: [], clusters.HEAVY: []}
    for one in workers.watched:
        if one.last_heartbeat_seconds is not None:
            signs.setdefault(one.queue, []).append(one.last_heartbeat_seconds)
    figures = {
        queue: {"clusters": len(ages), "last_heartbeat_seconds": round(min(ages), 1) if ages else None}
        for queue, ages in signs.items()
    }
    if workers.unwatched:
        return ProbeResult(OK, f"Clusters that nobody watches: {', '.join(workers.unwatched)}.", figures)
    silent = [
        queue for queue, ages in signs.items() if min(ages, default=HEARTBEAT_TIMEOUT) >= HEARTBEAT_TIMEOUT
    ]
    if silent:
        detail = f"Nobody works for {' and '.join(silent)}: start `manage.py run_cluster`."
        return ProbeResult(FAILED, detail, figures)
    return ProbeResult(OK, "Both queues have a cluster that gets work done.", figures)


def _stock() -> ProbeResult:
    """Whether each mode that is not paused has a ticket for the next draw that nobody claimed."""
    found = stock_levels(timezone.now())
    empty = [one.mode for one in found if one.available <= 0 and not one.is_paused]
    day = found[0].draw_date
    figures = {
        "draw_date": day.isoformat(),
        "free": {one.mode: one.available for one in found},
        "paused": [one.mode for one in found if one.is_paused],
    }
    if empty:
        return ProbeResult(FAILED, f"No free ticket for {day}: {', '.join(empty)}.", figures)
    return ProbeResult(OK, f"Every mode has free tickets for {day}.", figures)


def _draws() -> ProbeResult:
    newest = newest_draw_day()
    figures = {
        "newest": newest.isoformat() if newest else None,
        "age_days": age(newest).days if newest else None,
    }
    text = freshness_text(newest)
    return ProbeResult(FAILED if is_stale(newest) else OK, f"{text[0].upper()}{text[1:]}.", figures)


PARTS: dict[str, Callable[[], ProbeResult]] = {
    "database": _database,
    "migrations": _migrations,
    "disk": _disk,
    "cache": _cache,
    "secret_key": _secret_key,
    "heartbeats": _heartbeats,
    "worker": _worker,
    "stock": _stock,
    "draws": _draws,
}
