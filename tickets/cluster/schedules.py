"""Scheduled jobs, and a guard for django-q2's scheduler, which enqueues the tasks of due schedules."""

import ast
import inspect
import logging
import pydoc
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone
from django_q.humanhash import uuid
from django_q.models import Schedule, Task
from django_q.tasks import async_task

from predictions.workqueue import clusters
from shiolplus.logs.safe_text import describe_error

logger = logging.getLogger(__name__)

LOOK_AHEAD = timedelta(minutes=1)  # django-q2 reads due schedules every 30 seconds
RETRY_AFTER = timedelta(hours=1)


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
        schedules = Schedule.objects.select_for_update().filter(name=job.name).order_by("pk")
        with transaction.atomic():
            schedule = schedules.first() or Schedule(name=job.name)
            is_moved = (schedule.schedule_type, schedule.cron) != (Schedule.CRON, job.cron)
            schedule.func, schedule.cluster = job.func, job.queue
            schedule.args = schedule.kwargs = schedule.hook = None
            schedule.schedule_type, schedule.cron = Schedule.CRON, job.cron
            if is_moved or schedule.next_run is None:
                schedule.next_run = schedule.calculate_next_run()
            schedule.save()
        # After the commit: if two hosts created the schedule at once, the later one sees both rows.
        with transaction.atomic():
            for duplicate in list(schedules)[1:]:
                logger.warning("Deleting duplicate schedule %r", job.name)
                duplicate.delete()


def postpone_invalid() -> None:
    """Postpone schedules due soon that django-q2 cannot enqueue, and record failed tasks for staff to see.

    django-q2 enqueues all due schedules in one transaction, so one failure would stop all.
    """
    now = timezone.now()
    active = Schedule.objects.exclude(repeats=0)
    # django-q2 steps through missed runs while it locks the schedules: a year of minutes takes 11 seconds.
    active.filter(schedule_type=Schedule.MINUTES, next_run__lt=now - timedelta(days=1)).update(next_run=now)
    for schedule in active.filter(next_run__lt=now + LOOK_AHEAD):
        try:
            check_schedule(schedule)
        except Exception as error:  # noqa: BLE001 - whatever the evaluation of a field raises
            postpone_after_error(schedule, now, error)


def check_schedule(schedule: Schedule) -> None:
    """Raise an error if django-q2 could not enqueue the schedule's task or compute its next run."""
    if not callable(pydoc.locate(schedule.func)):  # looked up as the worker does
        raise ValueError(f"func {schedule.func!r}: no such function")
    if schedule.args:
        ast.literal_eval(schedule.args)
    kwargs = parse_kwargs(schedule.kwargs) if schedule.kwargs else {}
    inspect.signature(async_task).bind(schedule.func, **kwargs)
    options = kwargs.get("q_options", {})
    if not isinstance(options, dict):
        raise TypeError(f"q_options {options!r}: not a dict")
    if forbidden := {"broker", "sync"} & {*kwargs, *options}:  # `sync` would run the task in the scheduler
        raise ValueError(f"options not allowed in a schedule: {', '.join(sorted(forbidden))}")
    if schedule.schedule_type != Schedule.ONCE:
        schedule.calculate_next_run()


def parse_kwargs(text: str) -> dict[Any, Any]:
    """Parse a dict literal or `x=1, name='John'`. django-q2 would ignore what it cannot parse."""
    call = ast.parse(f"f({text})", mode="eval").body
    if isinstance(call, ast.Call) and not call.args:
        return {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords}
    kwargs = ast.literal_eval(text)
    if not isinstance(kwargs, dict):
        raise ValueError(f"kwargs {text!r}: not a dict or keyword arguments such as x=1")
    return kwargs


def postpone_after_error(schedule: Schedule, now: datetime, error: Exception) -> None:
    label = schedule.name or str(schedule.pk)
    name, task_id = uuid()
    with transaction.atomic():
        # Of several hosts, only the first still finds the same next run.
        rows = Schedule.objects.filter(pk=schedule.pk, next_run=schedule.next_run)
        if not rows.update(next_run=now + RETRY_AFTER, task=task_id):
            return
        Task.objects.create(
            id=task_id,
            name=schedule.name or name,
            func=schedule.func,
            result=f"schedule {label} could not be enqueued: {describe_error(error)}",
            group=label,
            cluster=schedule.cluster,
            started=now,
            stopped=now,
            success=False,
        )
    logger.error("Schedule %s cannot be enqueued, postponed by %s", label, RETRY_AFTER, exc_info=error)
