"""Deletion of old task results, cluster rows and sign-in records."""

from datetime import timedelta
from typing import Any

from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.db.models import QuerySet
from django.utils import timezone
from django_q.models import Task

from predictions.models import Cluster

KEEP = timedelta(days=7)
KEEP_SIGN_INS = timedelta(days=30)
CHUNK = 500  # rows per statement, so that workers can store results in between


def prune_results() -> int:
    """Delete the results of tasks that ended more than a week ago; return the number of rows."""
    return _delete(Task.objects.filter(stopped__lt=timezone.now() - KEEP))


def prune_clusters() -> int:
    """Delete the clusters not seen by a watchdog for a week; return the number of rows."""
    return _delete(Cluster.objects.filter(seen_at__lt=timezone.now() - KEEP))


def prune_sign_ins() -> int:
    """Delete sign-in records, failed and successful, older than 30 days; return the number of rows."""
    oldest = timezone.now() - KEEP_SIGN_INS
    models = (AccessAttempt, AccessFailureLog, AccessLog)
    return sum(_delete(model.objects.filter(attempt_time__lt=oldest)) for model in models)


def _delete(rows: QuerySet[Any]) -> int:
    deleted = 0
    while pks := list(rows.order_by().values_list("pk", flat=True)[:CHUNK]):
        deleted += rows.filter(pk__in=pks).delete()[0]
    return deleted
