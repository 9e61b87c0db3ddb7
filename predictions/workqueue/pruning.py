"""What the queue leaves behind, deleted when it is a week old: results of tasks, and clusters long gone."""

from datetime import timedelta
from typing import Any

from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.db.models import QuerySet
from django.utils import timezone
from django_q.models import Task

from predictions.models import Cluster

KEEP = timedelta(days=7)
KEEP_SIGN_INS = timedelta(days=30)
CHUNK = 500  # rows a statement, so that workers that store results get their turn


def prune_results() -> int:
    """Delete the results of tasks, good and bad, that ended more than a week ago; returns how many."""
    return _delete(Task.objects.filter(stopped__lt=timezone.now() - KEEP))


def prune_clusters() -> int:
    """Forget the clusters that no watchdog has seen for a week; returns how many."""
    return _delete(Cluster.objects.filter(seen_at__lt=timezone.now() - KEEP))


def prune_sign_ins() -> int:
    """Delete records of sign-ins, failed and successful, older than 30 days; return how many."""
    since = timezone.now() - KEEP_SIGN_INS
    records = (AccessAttempt, AccessFailureLog, AccessLog)
    return sum(_delete(model.objects.filter(attempt_time__lt=since)) for model in records)


def _delete(rows: QuerySet[Any]) -> int:
    total = 0
    while pks := list(rows.order_by().values_list("pk", flat=True)[:CHUNK]):
        total += rows.filter(pk__in=pks).delete()[0]
    return total
