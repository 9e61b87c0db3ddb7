"""What is wrong with this installation, before it shows: `manage.py check [--database default]`."""

import os
from collections.abc import Sequence
from datetime import timedelta
from math import ceil
from pathlib import Path
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import connections
from django.db.models import Model
from django.utils import timezone

from predictions.draws import freshness
from predictions.models import Draw, TrainedModel
from predictions.modes import MODE_NAMES
from predictions.powerball import EASTERN
from tickets.indexes import missing_indexes
from tickets.models import PreGeneratedTicket

STALE_AFTER = timedelta(days=5)  # draws are two or three days apart, and results may come a day late
LOOPBACK = {"localhost", "127.0.0.1", "[::1]", "::1"}

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
    """E002: a queue that hands a task out again while it is still waiting or running."""
    main = {name: value for name, value in settings.Q_CLUSTER.items() if name != "ALT_CLUSTERS"}
    queues = {main["name"]: main} | {
        name: main | changes for name, changes in settings.Q_CLUSTER.get("ALT_CLUSTERS", {}).items()
    }
    return [
        Error(
            f"Queue {name}: retry is {queue['retry']} s, but a task may wait and run for {longest} s.",
            hint="retry must exceed (1 + ceil((queue_limit + bulk) / workers)) * (timeout + 3).",
            id="shiolplus.E002",
        )
        for name, queue in queues.items()
        if queue["retry"] <= (longest := _longest_wait(queue))
    ]


def _longest_wait(queue: dict[str, Any]) -> int:
    """Seconds from a task's delivery to its end, behind all that may stand before it."""
    rounds = 1 + ceil((queue["queue_limit"] + queue["bulk"]) / queue["workers"])
    return int(rounds * (queue["timeout"] + 3))


@register
def check_debug(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """W003: the settings of a development server where others can reach it."""
    public = [host for host in settings.ALLOWED_HOSTS if host not in LOOPBACK]
    if not (settings.DEBUG and public):
        return []
    return [
        Warning(
            f"SHIOL_DEBUG is on while {', '.join(public)} is served: errors show settings and code.",
            hint="Unset SHIOL_DEBUG, or serve this machine only.",
            id="shiolplus.W003",
        )
    ]


@register(Tags.database)
def check_draws(
    app_configs: Apps, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """W004: no draws, or none of the latest."""
    if not _has_table(databases, Draw):
        return []
    newest = Draw.objects.order_by("-draw_date").values_list("draw_date", flat=True).first()
    today = timezone.now().astimezone(EASTERN).date()
    if newest is not None and today - newest <= STALE_AFTER:
        return []
    return [
        Warning(
            f"The draws are not up to date: {freshness(newest)}.",
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


def _model_problem(mode: str) -> str:
    model = TrainedModel.objects.active(mode)
    if model is None:
        return "has no trained model"
    if not Path(settings.MODELS_DIR / model.file).is_file():
        return f"has lost its model file {model.file}"
    return ""


def _has_table(databases: Sequence[str] | None, model: type[Model]) -> bool:
    """Whether the check was asked for, and the tables have been made."""
    if "default" not in (databases or []):
        return False
    return model._meta.db_table in connections["default"].introspection.table_names()
