"""System checks of the installation: `manage.py check [--database default]`."""

import os
import socket
from collections.abc import Callable, Iterator, Sequence
from math import ceil
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import connections
from django.db.models import Model

from predictions.draws.sources import freshness_text, is_stale, newest_draw_date
from predictions.models import Cluster, Draw, TrainedModel
from predictions.modes.registry import MODE_NAMES
from predictions.workqueue.clusters import with_other_key
from tickets.generation.worker import SLICE_SECONDS
from tickets.models import PreGeneratedTicket
from tickets.monitoring.conditions import cache_conditions
from tickets.store.indexes import missing_indexes

LOOPBACK = {"localhost", "127.0.0.1", "[::1]", "::1"}
MIN_KEY_LENGTH = 32  # characters; `manage.py init` writes 67
PLACEHOLDERS = {
    *("change-me", "changeme", "change-this", "replace-me", "secret", "secret-key", "your-secret-key"),
    *("insecure", "password", "default", "test", "testing", "only-for-tests", "dev", "development"),
}

Check = Callable[[], list[CheckMessage]]


def check_of_table(model: type[Model]) -> Callable[[Check], Check]:
    """Register a check for `check --database default`, skipped until the table has all its columns.

    `migrate` runs the checks before it adds new columns.
    """

    def decorate(check: Check) -> Check:
        @register(Tags.database)
        def check_migrated(databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
            return check() if "default" in (databases or []) and _is_migrated(model) else []

        return check

    return decorate


def _is_migrated(model: type[Model]) -> bool:
    database, table = connections["default"], model._meta.db_table
    with database.cursor() as cursor:
        if table not in database.introspection.table_names(cursor):
            return False
        columns = {column.name for column in database.introspection.get_table_description(cursor, table)}
    return {field.column for field in model._meta.local_concrete_fields} <= columns


@register(Tags.files)
def check_var(**kwargs: Any) -> list[CheckMessage]:
    """E001: var/, its logs or its models are not writable."""
    subfolders = [path for path in (settings.VAR / "logs", settings.MODELS_DIR) if os.path.exists(path)]
    return [
        Error(
            f"The folder {folder} is not writable by this user.",
            hint="Give it to the user that runs web and clusters, or set SHIOL_VAR to another folder.",
            id="shiolplus.E001",
        )
        for folder in (settings.VAR, *subfolders)
        if not os.access(folder, os.W_OK | os.X_OK, effective_ids=True)
    ]


@register
def check_queue_timings(**kwargs: Any) -> list[CheckMessage]:
    """E002: a queue redelivers a task that still waits, runs or is leased, or times it out too early."""
    main = {name: value for name, value in settings.Q_CLUSTER.items() if name != "ALT_CLUSTERS"}
    queues = {main["name"]: main} | {
        name: main | changes for name, changes in settings.Q_CLUSTER.get("ALT_CLUSTERS", {}).items()
    }
    return [
        Error(f"Queue {name}: {fault}", hint=hint, id="shiolplus.E002")
        for name, queue in queues.items()
        for fault, hint in _timing_faults(queue)
    ]


def _timing_faults(queue: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield (message, hint) pairs."""
    retry, timeout, lease = queue["retry"], queue["timeout"], settings.LEASE_SECONDS
    rounds = 1 + ceil((queue["queue_limit"] + queue["bulk"]) / queue["workers"])
    longest = rounds * (timeout + 3)  # seconds, from delivery to end of a task behind a full queue
    if retry <= longest:
        yield (
            f"retry is {retry} s, but a task may wait and run for {longest} s.",
            "retry must exceed (1 + ceil((queue_limit + bulk) / workers)) * (timeout + 3).",
        )
    if timeout <= SLICE_SECONDS:
        yield (
            f"timeout is {timeout} s, but a task generates tickets for {SLICE_SECONDS} s before it requeues.",
            "timeout must exceed tickets.generation.worker.SLICE_SECONDS by the time of at least one chunk.",
        )
    if lease >= retry:
        yield (
            f"retry is {retry} s, but the lease of a dead worker lasts {lease} s, so the redelivered task "
            "finds the batch leased and does nothing.",
            "SHIOL_LEASE_SECONDS must be below retry.",
        )


@register
def check_debug(**kwargs: Any) -> list[CheckMessage]:
    """W003: SHIOL_DEBUG on a server that other machines can reach."""
    public = _public_hosts()
    if not (settings.DEBUG and public):
        return []
    return [
        Warning(
            f"SHIOL_DEBUG is on while {', '.join(public)} is served: errors show settings and code.",
            hint="Unset SHIOL_DEBUG, or serve only this machine.",
            id="shiolplus.W003",
        )
    ]


@register(Tags.security, deploy=True)
def check_tls(**kwargs: Any) -> list[CheckMessage]:
    """W020: HTTPS is required, but no proxy is trusted to report it."""
    networks, has_unix = settings.TRUSTED_PROXIES
    if not settings.SECURE_SSL_REDIRECT or networks or has_unix:
        return []
    return [
        Warning(
            "SHIOL_HTTPS is on, but no proxy is trusted to report that a request used TLS.",
            hint="Set SHIOL_TRUSTED_PROXIES to the proxy's IP address, or SHIOL_HTTPS=off without TLS.",
            id="shiolplus.W020",
        )
    ]


@check_of_table(Draw)
def check_draws() -> list[CheckMessage]:
    """W004: draws missing or out of date."""
    if not is_stale(newest := newest_draw_date()):
        return []
    return [
        Warning(
            f"The draws are not up to date: {freshness_text(newest)}.",
            hint="Run `manage.py import_draws --source ny` (or texas), or `manage.py run_pipeline`.",
            id="shiolplus.W004",
        )
    ]


@check_of_table(TrainedModel)
def check_models() -> list[CheckMessage]:
    """W005: a mode without an active model or its file."""
    return [
        Warning(
            f"Mode {mode} {problem}.",
            hint=f"Run `manage.py run_pipeline --modes {mode}`.",
            id="shiolplus.W005",
        )
        for mode in MODE_NAMES
        if (problem := _model_problem(mode))
    ]


@check_of_table(PreGeneratedTicket)
def check_indexes() -> list[CheckMessage]:
    """W006: a missing index, without which retrieval scans the whole table."""
    return [
        Warning(
            f"The ticket table has no index {index.name}: retrieval or cleanup is slow.",
            hint="Run `manage.py create_indexes`.",
            id="shiolplus.W006",
        )
        for index in missing_indexes()
    ]


@register(Tags.caches)
def check_cache_of_workers(**kwargs: Any) -> list[CheckMessage]:
    """W007: several web workers without a shared cache."""
    workers = os.environ.get("WEB_CONCURRENCY", "")
    is_many = workers.isdigit() and int(workers) > 1
    return _unshared_cache(f"WEB_CONCURRENCY is {workers}") if is_many else []


@check_of_table(Cluster)
def check_cache_of_hosts() -> list[CheckMessage]:
    """W007: several hosts without a shared cache."""
    hosts = _cluster_hosts()
    return _unshared_cache(f"clusters are alive on {', '.join(hosts)}") if len(hosts) > 1 else []


@register(Tags.caches)
def check_redis(**kwargs: Any) -> list[CheckMessage]:
    """W032: Redis does not accept writes. E020: Redis refuses the password of CACHE_URL."""
    return [
        Error(condition.message, hint=condition.hint, id="shiolplus.E020")
        if condition.code == "redis_password"
        else Warning(condition.message, hint=condition.hint, id="shiolplus.W032")
        for condition in cache_conditions()
    ]


def _unshared_cache(reason: str) -> list[CheckMessage]:
    backend = settings.CACHES["default"]["BACKEND"].rpartition(".")[2]
    if backend not in ("LocMemCache", "DummyCache"):
        return []
    return [
        Warning(
            f"There is no shared cache ({backend}), but {reason}: processes do not see what others cache "
            "or count.",
            hint="Set CACHE_URL to a Redis that all processes reach.",
            id="shiolplus.W007",
        )
    ]


@check_of_table(Cluster)
def check_hosts_of_sqlite() -> list[CheckMessage]:
    """E008: a SQLite file used by several hosts, which corrupts it."""
    others = [host for host in _cluster_hosts() if host != socket.gethostname()]
    if connections["default"].vendor != "sqlite" or not others:
        return []
    return [
        Error(
            f"The database is a SQLite file, but clusters are alive on {', '.join(others)} too: SQLite's "
            "locks do not work over a network.",
            hint="Set DATABASE_URL to a PostgreSQL that all hosts reach, or stop the other clusters.",
            id="shiolplus.E008",
        )
    ]


@register(Tags.security)
def check_secret_key(**kwargs: Any) -> list[CheckMessage]:
    """E009: a well-known secret key on a public server. W009: a guessable secret key."""
    key, public = settings.SECRET_KEY, _public_hosts()
    is_placeholder = (
        key.startswith("django-insecure-") or key.strip().lower().replace("_", "-") in PLACEHOLDERS
    )
    if settings.DEBUG or not (is_placeholder or len(key) < MIN_KEY_LENGTH):
        return []
    problem = f"has {len(key)} characters, fewer than {MIN_KEY_LENGTH}"
    if is_placeholder:
        problem = "is a well-known placeholder"
    text = f"The secret key {problem}: anyone who guesses it can sign tasks that the clusters execute."
    hint = "Run `manage.py init` for a random key, or set the same SHIOL_SECRET_KEY for web and clusters."
    if is_placeholder and public:
        return [Error(f"{text} {', '.join(public)} is served with it.", hint=hint, id="shiolplus.E009")]
    return [Warning(text, hint=hint, id="shiolplus.W009")]


@check_of_table(Cluster)
def check_shared_key() -> list[CheckMessage]:
    """E010: a cluster with another secret key, which cannot read this process's tasks."""
    return [
        Error(
            f"Cluster {cluster} has another secret key than this process: each deletes the other's tasks "
            "without running them.",
            hint="Set the same SHIOL_SECRET_KEY for web and clusters on all hosts, and restart them.",
            id="shiolplus.E010",
        )
        for cluster in with_other_key()
    ]


def _public_hosts() -> list[str]:
    return [host for host in settings.ALLOWED_HOSTS if host not in LOOPBACK]


def _cluster_hosts() -> list[str]:
    return list(Cluster.objects.alive().order_by("host").values_list("host", flat=True).distinct())


def _model_problem(mode: str) -> str:
    model = TrainedModel.objects.active(mode)
    if model is None:
        return "has no trained model"
    if not os.path.isfile(settings.MODELS_DIR / model.file):  # also False if the folder is unreadable
        pinned = "; it stays pinned to it until another is activated in the admin" if model.pinned else ""
        return f"has no model file {model.file}{pinned}"
    return ""
