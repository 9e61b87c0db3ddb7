"""What is done by the clock: one list of jobs, and who sends a schedule's task when it is due.

django-q2's own scheduler is switched off, for one bad row stops it, silently and for all. Here each row is a
transaction of its own; one that cannot be sent is reported and put off. `run_due` may run in as many
processes and on as many hosts as there are: the row's lock lets one of them send a task.
"""

import ast
import logging
import pydoc
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import InterfaceError, OperationalError, transaction
from django.db.models import QuerySet
from django.utils import timezone
from django_q.humanhash import uuid
from django_q.models import Schedule, Task
from django_q.tasks import async_task

from predictions.workqueue import clusters
from shiolplus.logs.safe_text import describe_error

logger = logging.getLogger(__name__)

PUT_OFF = timedelta(hours=1)  # for a row that cannot even say when it is next due


@dataclass(frozen=True)
class Job:
    """A task that is sent by the clock: under which name, when (cron, in UTC), to which queue, and why."""

    name: str
    func: str
    cron: str
    queue: str
    description: str


JOBS = (
    Job(
        "pipeline after each draw",
        "predictions.tasks.run_pipeline_after_draw",
        "0,30 * * * *",
        clusters.HEAVY,
        "A tick; the Eastern calendar decides: hourly from 23:30 on until the draw is stored; at noon the "
        "pipeline runs without it, and the looks go on, every six hours after a day, until the next draw.",
    ),
    Job(
        "cleanup of old tickets",
        "tickets.tasks.clean_up_tickets",
        "17 8 * * *",
        clusters.DEFAULT,
        "Deletes what is older than its mode's policy keeps, in modes too of which nothing new is made.",
    ),
    Job(
        "pruning of the queue",
        "predictions.tasks.prune_queue",
        "47 8 * * *",
        clusters.DEFAULT,
        "Deletes results of tasks, and clusters long gone, after a week; the queue itself keeps them.",
    ),
)


# Installing the jobs


def sync_schedules(jobs: Sequence[Job] = JOBS) -> None:
    """Have exactly one schedule a job, as the list says; what staff paused (repeats 0) stays paused."""
    for job in jobs:
        with transaction.atomic():
            _install(job)
        with transaction.atomic():  # once ours can be seen: of two hosts that made one, the later sees both
            _delete_duplicates(job)


def _named(job: Job) -> QuerySet[Schedule]:
    return Schedule.objects.select_for_update().filter(name=job.name).order_by("pk")


def _install(job: Job) -> None:
    row = _named(job).first()
    if row is None:
        row = Schedule(name=job.name)
    is_moved = (row.schedule_type, row.cron) != (Schedule.CRON, job.cron)
    row.func, row.args, row.kwargs, row.hook, row.cluster = job.func, None, None, None, job.queue
    row.schedule_type, row.cron = Schedule.CRON, job.cron
    if is_moved or row.next_run is None:
        row.next_run = row.calculate_next_run()
    row.save()


def _delete_duplicates(job: Job) -> None:
    for row in list(_named(job))[1:]:
        logger.warning("schedule %r was there twice; the later one is deleted", job.name)
        row.delete()


# Sending what is due


def enqueue_due(now: datetime | None = None) -> int:
    """Send the task of each schedule that is due, or report why it cannot be sent; returns how many."""
    now = now or timezone.now()
    return sum(_send_or_put_off(pk, now) for pk in list(_due(now).values_list("pk", flat=True)))


def _due(now: datetime) -> QuerySet[Schedule]:
    return Schedule.objects.exclude(repeats=0).filter(next_run__lte=now).order_by("next_run", "pk")


def _locked(pk: int, now: datetime) -> Schedule | None:
    """The row, if it is still due and nobody else has it in hand."""
    return _due(now).filter(pk=pk).select_for_update(skip_locked=True).first()


def _send_or_put_off(pk: int, now: datetime) -> bool:
    try:
        return _send(pk, now)
    except (OperationalError, InterfaceError):  # the database is away, which is not the row's fault
        raise
    except Exception as error:
        logger.exception("schedule %d cannot be sent", pk)
        _postpone(pk, now, error)
        return False


def _send(pk: int, now: datetime) -> bool:
    with transaction.atomic():
        row = _locked(pk, now)
        if row is None:
            return False
        if not callable(pydoc.locate(row.func)):  # as the worker would look for it
            raise ValueError(f"func {row.func!r}: there is no such function")
        args, kwargs = _args(row), _kwargs(row)
        options = _options(row, kwargs.pop("q_options", {}))
        if row.intended_date_kwarg:
            kwargs[row.intended_date_kwarg] = row.next_run.isoformat()
        _advance(row, now)
        row.task = async_task(row.func, *args, **kwargs, q_options=options)
        logger.info("schedule %s: task %s is sent to %s", row.name or row.pk, row.task, options["cluster"])
        if row.schedule_type == Schedule.ONCE and row.repeats < 0:
            row.delete()
        else:
            row.save()
    return True


def _args(row: Schedule) -> tuple[Any, ...]:
    args = ast.literal_eval(row.args) if row.args else ()
    return args if isinstance(args, tuple) else (args,)


def _kwargs(row: Schedule) -> dict[str, Any]:
    """A dict, or what stands in a call: `x=1, name='John'`."""
    if not row.kwargs:
        return {}
    try:
        kwargs = ast.literal_eval(row.kwargs)
    except (SyntaxError, ValueError):
        call = ast.parse(f"f({row.kwargs})", mode="eval").body
        if not isinstance(call, ast.Call) or call.args:
            raise
        kwargs = {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords}
    if not isinstance(kwargs, dict):
        raise ValueError(f"kwargs {row.kwargs!r}: allowed is a dict or such as x=1, name='John'")
    return kwargs


def _options(row: Schedule, given: dict[str, Any]) -> dict[str, Any]:
    """Those of the row and of its `q_options`, the queue named, and never done here and now."""
    options = dict(given)
    if row.hook:
        options["hook"] = row.hook
    named = row.cluster or options.get("cluster") or options.pop("broker_name", None)
    group = options.get("group", row.name or row.pk)
    return options | {"cluster": named or clusters.DEFAULT, "group": group, "sync": False}


def _advance(row: Schedule, now: datetime) -> None:
    """As django-q2 does: repeats are counted down, and what was missed is not made up for."""
    if row.schedule_type != Schedule.ONCE:
        row.next_run = _next_run(row, now)
        row.repeats = row.repeats - 1 if row.repeats > 0 else -1
    elif row.repeats > 0:
        row.repeats = 0


def _next_run(row: Schedule, now: datetime) -> datetime:
    """The first time after now; of a cron by the clock."""
    if row.schedule_type == Schedule.CRON:
        return row.calculate_next_run()
    last = row.next_run
    if step := _steps(row).get(row.schedule_type):  # a month of minutes is not gone through one by one
        last += (now - last) // step * step
    while (following := row.calculate_next_run(last)) <= now:
        last = following
    return following


def _steps(row: Schedule) -> dict[str, timedelta]:
    """Of the kinds that are the same length whatever the calendar says."""
    return {Schedule.MINUTES: timedelta(minutes=row.minutes or 1), Schedule.HOURLY: timedelta(hours=1)}


def _postpone(pk: int, now: datetime, error: Exception) -> None:
    """Report a row that cannot be sent where staff see it, and let it be due again later."""
    with transaction.atomic():
        row = _locked(pk, now)
        if row is None:
            return
        name, key = uuid()
        text = f"schedule {row.name or row.pk} could not be sent: {describe_error(error)}"
        Task.objects.create(
            id=key,
            name=row.name or name,
            func=row.func,
            result=text,
            group=row.name or str(row.pk),
            cluster=row.cluster,
            started=now,
            stopped=timezone.now(),
            success=False,
        )
        row.task = key
        row.next_run = _later(row, now)
        row.save()


def _later(row: Schedule, now: datetime) -> datetime:
    if row.schedule_type == Schedule.ONCE:
        return now + PUT_OFF
    try:
        return _next_run(row, now)
    except Exception:
        logger.exception("schedule %s cannot say when it is next due; put off for %s", row.pk, PUT_OFF)
        return now + PUT_OFF
