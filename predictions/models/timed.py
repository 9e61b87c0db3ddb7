"""Timestamps and errors of recorded work, and ids of runs."""

import uuid

from django.db import models
from django.utils import timezone

from predictions.models.fields import SafeTextField
from shiolplus.logs.safe_text import check_name

RUN_ID_LENGTH = 64
REQUEST_ID_LENGTH = 64


def new_run_id(origin: str) -> str:
    """Return a unique id such as `manual-…`, `pipeline-…` or `demo-…`."""
    return f"{origin}-{uuid.uuid4()}"


def check_run_id(run_id: str) -> str:
    """Return the id; raise ValueError unless it has 1 to 64 safe characters and is not blank."""
    return check_name("pipeline_run_id", run_id, RUN_ID_LENGTH)


class TimedModel(models.Model):
    """Base of recorded work: when it was requested, started and finished, and its error."""

    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    error = SafeTextField(default="", blank=True)

    class Meta:
        abstract = True

    @property
    def seconds(self) -> float | None:
        """Return the run time; None until it has finished."""
        if self.started_at is None or self.finished_at is None:
            return None
        return (self.finished_at - self.started_at).total_seconds()
