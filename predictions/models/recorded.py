"""What everything that is done records, and how a run is named."""

import uuid

from django.db import models
from django.utils import timezone

RUN_ID_LENGTH = 64
REQUEST_ID_LENGTH = 64


def new_run_id(origin: str) -> str:
    """An id for a run that nobody named: `manual-…`, `pipeline-…`, `demo-…`."""
    return f"{origin}-{uuid.uuid4()}"


def is_storable(text: str) -> bool:
    """Whether every database can hold a text: no NUL, no half of a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text


def check_run_id(run_id: str) -> str:
    """The id itself, or ValueError unless it is a storable text of 1 to 64 characters."""
    if not isinstance(run_id, str) or not 1 <= len(run_id) <= RUN_ID_LENGTH or not is_storable(run_id):
        raise ValueError(f"pipeline_run_id {run_id!r}: allowed is a text of 1 to {RUN_ID_LENGTH} characters")
    return run_id


class Recorded(models.Model):
    """Something that is done: when it was asked for, begun and ended, and why it fell short."""

    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    error = models.TextField(default="", blank=True)

    class Meta:
        abstract = True

    @property
    def seconds(self) -> float | None:
        """From start to end; None while it has not ended."""
        if self.started_at is None or self.finished_at is None:
            return None
        return (self.finished_at - self.started_at).total_seconds()
