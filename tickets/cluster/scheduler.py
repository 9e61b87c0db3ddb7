"""Scheduled jobs, and the loop that enqueues the tasks of due schedules.

django-q2's own scheduler is off because one bad row silently stops all schedules. Here each row has its own
transaction, and a failing row is reported and postponed. `enqueue_due` may run in several processes and
hosts: a row lock lets only one of them enqueue each task.
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

RETRY_AFTER = timedelta(hours=1)  # if the next run cannot be computed


@dataclass(frozen=True)
class Job:
    """A scheduled task; `cron` is in UTC."""

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
        "Looks for a new draw by the Eastern calendar: hourly from 23:30 until the draw is stored, every six "
        "hours after a day. At noon the pipeline runs without it.",
    ),
    Job(
        "cleanup of old tickets",
        "tickets.tasks.clean_up_tickets",
        "17 8 * * *",
        clusters.DEFAULT,
        "Deletes tickets older than their mode's policy allows, including those of unused modes.",
    ),
    Job(
        "pruning of the queue",
        "predictions.tasks.prune_queue",
        "47 8 * * *",
        clusters.DEFAULT,
        "Deletes task results and stopped clusters after a week; django-q2 keeps them forever.",
    ),
)


def sync_schedules(jobs: Sequence[Job] = JOBS) -> None:
    """Create or update one schedule per job. A schedule that staff paused (repeats 0) stays paused."""
    for job in jobs:
        with transaction.atomic():
            _create_or_update(job)
        # After the commit: if two hosts created the schedule at once, the later one sees both rows.
        with transaction.atomic():
            _delete_duplicates(job)


def _schedules_of(job: Job) -> QuerySet[Schedule]:
    return Schedule.objects.select_for_update().filter(name=job.name).order_by("pk")


def _create_or_update(job: Job) -> None:
    schedule = _schedules_of(job).first() or Schedule(name=job.name)
    is_moved = (schedule.schedule_type, schedule.cron) != (Schedule.CRON, job.cron)
    schedule.func, schedule.cluster = job.func, job.queue
    schedule.args = schedule.kwargs = schedule.hook = None
    schedule.schedule_type, schedule.cron = Schedule.CRON, job.cron
    if is_moved or schedule.next_run is None:
        schedule.next_run = schedule.calculate_next_run()
    schedule.save()


def _delete_duplicates(job: Job) -> None:
    for schedule in list(_schedules_of(job))[1:]:
        logger.warning("Deleting duplicate schedule %r", job.name)
        schedule.delete()


def enqueue_due(now: datetime | None = None) -> int:
    """Enqueue the tasks of due schedules, postpone those that fail, and return the number of tasks."""
    now = now or timezone.now()
    return sum(_enqueue_or_postpone(pk, now) for pk in list(_due(now).values_list("pk", flat=True)))


def _due(now: datetime) -> QuerySet[Schedule]:
    return Schedule.objects.exclude(repeats=0).filter(next_run__lte=now).order_by("next_run", "pk")


def _lock_due(pk: int, now: datetime) -> Schedule | None:
    """Lock a schedule, or return None if it is no longer due or another process has locked it."""
    return _due(now).filter(pk=pk).select_for_update(skip_locked=True).first()


def _enqueue_or_postpone(pk: int, now: datetime) -> bool:
    try:
        return _enqueue(pk, now)
    except (OperationalError, InterfaceError):  # not the fault of the row
        raise
    except Exception as error:
        logger.exception("Schedule %d cannot be enqueued", pk)
        _postpone(pk, now, error)
        return False


def _enqueue(pk: int, now: datetime) -> bool:
    with transaction.atomic():
        schedule = _lock_due(pk, now)
        if schedule is None:
            return False
        if not callable(pydoc.locate(schedule.func)):  # looked up as the worker does
            raise ValueError(f"func {schedule.func!r}: no such function")
        args, kwargs = _parse_args(schedule), _parse_kwargs(schedule)
        options = _task_options(schedule, kwargs.pop("q_options", {}))
        if schedule.intended_date_kwarg:
            kwargs[schedule.intended_date_kwarg] = schedule.next_run.isoformat()
        _advance(schedule, now)
        schedule.task = async_task(schedule.func, *args, **kwargs, q_options=options)
        logger.info(
            "Schedule %s: task %s enqueued for %s",
            schedule.name or schedule.pk,
            schedule.task,
            options["cluster"],
        )
        if schedule.schedule_type == Schedule.ONCE and schedule.repeats < 0:
            schedule.delete()
        else:
            schedule.save()
    return True


def _parse_args(schedule: Schedule) -> tuple[Any, ...]:
    args = ast.literal_eval(schedule.args) if schedule.args else ()
    return args if isinstance(args, tuple) else (args,)


def _parse_kwargs(schedule: Schedule) -> dict[str, Any]:
    """Parse a dict literal or keyword arguments such as `x=1, name='John'`."""
    if not schedule.kwargs:
        return {}
    try:
        kwargs = ast.literal_eval(schedule.kwargs)
    except (SyntaxError, ValueError):
        call = ast.parse(f"f({schedule.kwargs})", mode="eval").body
        if not isinstance(call, ast.Call) or call.args:
            raise
        kwargs = {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords}
    if not isinstance(kwargs, dict):
        raise ValueError(f"kwargs {schedule.kwargs!r}: not a dict or keyword arguments such as x=1")
    return kwargs


def _task_options(schedule: Schedule, q_options: dict[str, Any]) -> dict[str, Any]:
    """Merge a schedule's fields into its `q_options`, always with a queue and asynchronous."""
    options = dict(q_options)
    if schedule.hook:
        options["hook"] = schedule.hook
    queue = schedule.cluster or options.get("cluster") or options.pop("broker_name", None)
    group = options.get("group", schedule.name or schedule.pk)
    return options | {"cluster": queue or clusters.DEFAULT, "group": group, "sync": False}


def _advance(schedule: Schedule, now: datetime) -> None:
    """Set the next run and count down repeats as django-q2 does, but skip missed runs."""
    if schedule.schedule_type != Schedule.ONCE:
        schedule.next_run = _next_run(schedule, now)
        schedule.repeats = schedule.repeats - 1 if schedule.repeats > 0 else -1
    elif schedule.repeats > 0:
        schedule.repeats = 0


def _next_run(schedule: Schedule, now: datetime) -> datetime:
    if schedule.schedule_type == Schedule.CRON:
        return schedule.calculate_next_run()
    fixed_intervals = {
        Schedule.MINUTES: timedelta(minutes=schedule.minutes or 1),
        Schedule.HOURLY: timedelta(hours=1),
    }
    run = schedule.next_run
    if interval := fixed_intervals.get(schedule.schedule_type):
        run += (now - run) // interval * interval  # skips a month of minutes in one step
    while (following := schedule.calculate_next_run(run)) <= now:
        run = following
    return following


def _postpone(pk: int, now: datetime, error: Exception) -> None:
    """Record a failed task for staff to see, and postpone the schedule."""
    with transaction.atomic():
        schedule = _lock_due(pk, now)
        if schedule is None:
            return
        name, task_id = uuid()
        Task.objects.create(
            id=task_id,
            name=schedule.name or name,
            func=schedule.func,
            result=f"schedule {schedule.name or pk} could not be enqueued: {describe_error(error)}",
            group=schedule.name or str(pk),
            cluster=schedule.cluster,
            started=now,
            stopped=timezone.now(),
            success=False,
        )
        schedule.task = task_id
        schedule.next_run = _retry_at(schedule, now)
        schedule.save()


def _retry_at(schedule: Schedule, now: datetime) -> datetime:
    if schedule.schedule_type == Schedule.ONCE:
        return now + RETRY_AFTER
    try:
        return _next_run(schedule, now)
    except Exception:
        logger.exception(
            "Schedule %s: next run cannot be computed, postponed by %s", schedule.pk, RETRY_AFTER
        )
        return now + RETRY_AFTER
