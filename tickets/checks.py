"""What is wrong with this installation, before it shows: `manage.py check [--database default]`."""

import os
import socket
from collections.abc import Iterator, Sequence
from math import ceil
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import connections
from django.db.models import Model

from predictions.draws.sources import freshness_text, is_stale, newest_draw_day
from predictions.models import Cluster, Draw, TrainedModel
from predictions.modes.registry import MODE_NAMES
from predictions.workqueue.clusters import with_other_key
from tickets.generation.worker import SLICE_SECONDS
from tickets.models import PreGeneratedTicket
from tickets.monitoring.conditions import cache_conditions
from tickets.store.indexes import missing_indexes

LOOPBACK = {"localhost", "127.0.0.1", "[::1]", "::1"}
SHORT_KEY = 32  # characters; `manage.py init` writes 67
PLACEHOLDERS = {
    *("change-me", "changeme", "change-this", "replace-me", "secret", "secret-key", "your-secret-key"),
    *("insecure", "password", "default", "test", "testing", "only-for-tests", "dev", "development"),
}

Apps = Sequence[AppConfig] | None


@register(Tags.files)
def check_var(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """E001: the database, models and logs cannot be written."""
    inside = [folder for folder in (settings.VAR / "logs", settings.MODELS_DIR) if os.path.exists(folder)]
    return [
        Error(
            f"The folder {folder} cannot be written by this user.",
            hint="Give it to the user that runs web and clusters, or set SHIOL_VAR to another folder.",
            id="shiolplus.E001",
        )
        for folder in (settings.VAR, *inside)
        if not os.access(folder, os.W_OK | os.X_OK, effective_ids=True)
    ]


@register
def check_queue_timings(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """E002: a queue that hands a task out again while it waits, runs or is held, or ends it too early."""
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
    """What is wrong, and what to do."""
    retry, timeout, lease = queue["retry"], queue["timeout"], settings.LEASE_SECONDS
    if retry <= (longest := _longest_wait(queue)):
        yield (
            f"retry is {retry} s, but a task may wait and run for {longest} s.",
            "retry must exceed (1 + ceil((queue_limit + bulk) / workers)) * (timeout + 3).",
        )
    if timeout <= SLICE_SECONDS:
        yield (
            f"timeout is {timeout} s, but a task makes tickets for {SLICE_SECONDS} s before it passes on.",
            "timeout must exceed tickets.generation.worker.SLICE_SECONDS, with room for one chunk more.",
        )
    if lease >= retry:
        yield (
            f"retry is {retry} s, but a worker that died holds its batch for {lease} s, so the task that is "
            "handed out again finds it taken and goes.",
            "SHIOL_LEASE_SECONDS must be below retry.",
        )


def _longest_wait(queue: dict[str, Any]) -> int:
    """Seconds from a task's delivery to its end, behind all that may stand before it."""
    rounds = 1 + ceil((queue["queue_limit"] + queue["bulk"]) / queue["workers"])
    return int(rounds * (queue["timeout"] + 3))


@register
def check_debug(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """W003: the settings of a development server where others can reach it."""
    public = _public_hosts()
    if not (settings.DEBUG and public):
        return []
    return [
        Warning(
            f"SHIOL_DEBUG is on while {', '.join(public)} is served: errors show settings and code.",
            hint="Unset SHIOL_DEBUG, or serve this machine only.",
            id="shiolplus.W003",
        )
    ]


@register(Tags.security, deploy=True)
def check_tls(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """W020: https is asked for, and nobody may say that it was used."""
    networks, has_unix = settings.TRUSTED_PROXIES
    if not settings.SECURE_SSL_REDIRECT or networks or has_unix:
        return []
    return [
        Warning(
            "SHIOL_HTTPS is on, but no proxy is trusted to say that a request came by TLS.",
            hint="Set SHIOL_TRUSTED_PROXIES to the proxy's address; or SHIOL_HTTPS=off, if there is no TLS.",
            id="shiolplus.W020",
        )
    ]


@register(Tags.database)
def check_draws(
    app_configs: Apps, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """W004: no draws, or none of the latest."""
    if not _has_table(databases, Draw):
        return []
    if not is_stale(newest := newest_draw_day()):
        return []
    return [
        Warning(
            f"The draws are not up to date: {freshness_text(newest)}.",
            hint="Run `manage.py import_draws --source ny` (or texas), or `manage.py run_pipeline`.",
            id="shiolplus.W004",
        )
    ]


@register(Tags.database)
def check_models(
    app_configs: Apps, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """W005: a mode that has no active model, or whose model file is gone."""
    if not _has_table(databases, TrainedModel):
        return []
    return [
        Warning(
            f"Mode {mode} {problem}.",
            hint=f"Run `manage.py run_pipeline --modes {mode}`.",
            id="shiolplus.W005",
        )
        for mode in MODE_NAMES
        if (problem := _model_problem(mode))
    ]


@register(Tags.database)
def check_indexes(
    app_configs: Apps, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """W006: retrieval that reads the whole table, since an index was dropped."""
    if not _has_table(databases, PreGeneratedTicket):
        return []
    return [
        Warning(
            f"The ticket table has lost its index {index.name}: retrieval or cleanup is slow.",
            hint="Run `manage.py create_indexes`.",
            id="shiolplus.W006",
        )
        for index in missing_indexes()
    ]


@register(Tags.caches)
def check_cache_of_workers(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """W007: several web workers, each with a cache of its own."""
    workers = os.environ.get("WEB_CONCURRENCY", "")
    is_many = workers.isdigit() and int(workers) > 1
    return _unshared_cache(f"WEB_CONCURRENCY is {workers}") if is_many else []


@register(Tags.database)
def check_cache_of_hosts(
    app_configs: Apps, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """W007: several hosts, each with a cache of its own."""
    hosts = _hosts() if _has_table(databases, Cluster) else []
    return _unshared_cache(f"clusters are alive on {', '.join(hosts)}") if len(hosts) > 1 else []


@register(Tags.caches)
def check_redis(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """W032: a Redis that does not accept writes. E020: one that refuses the password of CACHE_URL."""
    return [
        Error(found.message, hint=found.hint, id="shiolplus.E020")
        if found.code == "redis_password"
        else Warning(found.message, hint=found.hint, id="shiolplus.W032")
        for found in cache_conditions()
    ]


def _unshared_cache(why: str) -> list[CheckMessage]:
    backend = settings.CACHES["default"]["BACKEND"].rpartition(".")[2]
    if backend not in ("LocMemCache", "DummyCache"):
        return []
    return [
        Warning(
            f"There is no shared cache ({backend}), but {why}: what one process caches or counts, the others "
            "do not see.",
            hint="Set CACHE_URL to a Redis that all of them reach.",
            id="shiolplus.W007",
        )
    ]


@register(Tags.database)
def check_hosts_of_sqlite(
    app_configs: Apps, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """E008: a SQLite file that several hosts write, which it does not survive."""
    if connections["default"].vendor != "sqlite" or not _has_table(databases, Cluster):
        return []
    others = [host for host in _hosts() if host != socket.gethostname()]
    if not others:
        return []
    return [
        Error(
            f"The database is a SQLite file, but clusters are alive on {', '.join(others)} too: its locks do "
            "not hold over a network.",
            hint="Set DATABASE_URL to a PostgreSQL that all hosts reach, or stop the clusters there.",
            id="shiolplus.E008",
        )
    ]


@register(Tags.security)
def check_secret_key(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """E009: a secret key that everybody knows, in public. W009: one that can be guessed."""
    if settings.DEBUG or not (problem := _key_problem(settings.SECRET_KEY)):
        return []
    text = f"The secret key {problem}: who guesses it signs tasks that the clusters execute."
    hint = "Let `manage.py init` write a random one, or set SHIOL_SECRET_KEY, the same for web and clusters."
    if _is_placeholder(settings.SECRET_KEY) and (public := _public_hosts()):
        return [Error(f"{text} {', '.join(public)} is served with it.", hint=hint, id="shiolplus.E009")]
    return [Warning(text, hint=hint, id="shiolplus.W009")]


def _key_problem(key: str) -> str:
    if _is_placeholder(key):
        return "is a well-known placeholder"
    if len(key) < SHORT_KEY:
        return f"has {len(key)} characters, fewer than {SHORT_KEY}"
    return ""


def _is_placeholder(key: str) -> bool:
    return key.startswith("django-insecure-") or key.strip().lower().replace("_", "-") in PLACEHOLDERS


@register(Tags.database)
def check_shared_key(
    app_configs: Apps, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """E010: clusters that cannot read the tasks of others, since they have another secret key."""
    if not _has_table(databases, Cluster):
        return []
    return [
        Error(
            f"Cluster {cluster} has another secret key than this process: tasks would be deleted unrun.",
            hint="Set the same SHIOL_SECRET_KEY on all hosts, for web and clusters, and start them again.",
            id="shiolplus.E010",
        )
        for cluster in with_other_key()
    ]


def _public_hosts() -> list[str]:
    """Those that others than this machine may call it by."""
    return [host for host in settings.ALLOWED_HOSTS if host not in LOOPBACK]


def _hosts() -> list[str]:
    """Where clusters are alive."""
    return list(Cluster.objects.alive().order_by("host").values_list("host", flat=True).distinct())


def _model_problem(mode: str) -> str:
    model = TrainedModel.objects.active(mode)
    if model is None:
        return "has no trained model"
    if not os.path.isfile(settings.MODELS_DIR / model.file):  # False too where the folder cannot be read
        pinned = "; it is pinned to it until another is activated in the admin" if model.pinned else ""
        return f"has lost its model file {model.file}{pinned}"
    return ""


def _has_table(databases: Sequence[str] | None, model: type[Model]) -> bool:
    """Whether the check was asked for, and the table is there as this code knows it.

    `migrate` asks before it has brought the columns that are new.
    """
    if "default" not in (databases or []):
        return False
    database, table = connections["default"], model._meta.db_table
    with database.cursor() as cursor:
        if table not in database.introspection.table_names(cursor):
            return False
        there = {column.name for column in database.introspection.get_table_description(cursor, table)}
    return {field.column for field in model._meta.local_concrete_fields} <= there
