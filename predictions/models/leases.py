"""Work that one process at a time may do: who has it, until when, and how often it was begun.

The queue delivers a task at least once and forgets those whose worker dies, so the row decides. It is taken
by one UPDATE whose WHERE says that it is free; who took it proves so with the token, which each taking
changes. A holder that dies leaves a lease that runs out, and then the work is free again.
"""

import uuid
from datetime import datetime, timedelta
from typing import Any, Self

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Coalesce
from django.utils import timezone

from predictions.models.fields import SafeCharField
from predictions.models.timed import TimedModel

LONGEST_DELAY = timedelta(minutes=15)  # between two tasks for work that nobody takes


def lease_expiry(now: datetime) -> datetime:
    """Until when a lease taken or renewed at an instant holds."""
    return now + timedelta(seconds=settings.LEASE_SECONDS)


class LeasedQuerySet(models.QuerySet[Any]):
    """Rows of a model with `Status.RUNNING` and the states `UNFINISHED`."""

    def unfinished(self) -> Self:
        return self.filter(status__in=self.model.UNFINISHED)

    def unleased(self) -> Self:
        """Unfinished, and nobody's: never taken, or the lease ran out."""
        return self.unfinished().filter(Q(lease_until=None) | Q(lease_until__lt=timezone.now()))

    def leased(self) -> Self:
        """Unfinished, and somebody's."""
        return self.unfinished().filter(lease_until__gte=timezone.now()).exclude(token=None)

    def overdue(self) -> Self:
        """Free, and the task that was to do it is overdue."""
        return self.unleased().filter(redeliver_after__lte=timezone.now())

    def out_of_attempts(self) -> Self:
        """Free, and begun too often."""
        return self.unleased().filter(attempts__gte=self.model.MAX_ATTEMPTS)

    def postpone(self, row: "LeasedModel") -> bool:
        """Put off the task after the one that is sent now; False when the row is no longer due."""
        return bool(self.overdue().filter(pk=row.pk).update(redeliver_after=row.next_delivery()))

    def acquire(self, pk: int, holder: str) -> uuid.UUID | None:
        """Take a free row; its token, or None when it is not free or was begun too often."""
        now, token = timezone.now(), uuid.uuid4()
        until = lease_expiry(now)
        taken = self.unleased().filter(pk=pk, attempts__lt=self.model.MAX_ATTEMPTS)
        won = taken.update(
            status=self.model.Status.RUNNING,
            token=token,
            holder=holder,
            lease_until=until,
            redeliver_after=until,
            attempts=F("attempts") + 1,
            started_at=Coalesce(F("started_at"), now),
        )
        return token if won else None

    def owned_by(self, row: "LeasedModel") -> Self:
        """The row, if it is still this holder's: what it writes, it writes through here."""
        if row.token is None:  # which would find a row that is nobody's
            return self.none()
        return self.filter(pk=row.pk, token=row.token, status=self.model.Status.RUNNING)

    def renew(self, row: "LeasedModel", **values: Any) -> bool:
        """Lengthen the lease and set more; False when the row is no longer this holder's."""
        until = lease_expiry(timezone.now())
        return bool(self.owned_by(row).update(lease_until=until, redeliver_after=until, **values))

    def release(self, holder: str) -> int:
        """Free what a holder has that is known to be dead; returns how many rows."""
        held = self.leased().filter(holder=holder)
        return held.update(lease_until=None, token=None, redeliver_after=timezone.now())

    def redeliver_now(self) -> int:
        """Have a task sent at once for all that is free and waits for one; returns how many rows."""
        now = timezone.now()
        return self.unleased().filter(redeliver_after__gt=now).update(redeliver_after=now)


class LeasedModel(TimedModel):
    """Recorded work with a lease; `attempts` counts beginnings since it last got further, with this one."""

    MAX_ATTEMPTS = 5  # begun so often without getting any further, it is given up

    token = models.UUIDField(null=True, editable=False, help_text="Of the present holder.")
    holder = SafeCharField(max_length=200, default="", blank=True, help_text="Who has it, or had it last.")
    lease_until = models.DateTimeField(null=True, help_text="After this it is free again, unless renewed.")
    redeliver_after = models.DateTimeField(
        null=True, help_text="After this another task is sent, if it is free."
    )
    attempts = models.PositiveIntegerField(default=0, help_text="Begun since it last got further.")

    class Meta:
        abstract = True

    def next_delivery(self) -> datetime:
        """When to send yet another task, if none has taken it: later and later."""
        now = timezone.now()
        waited = max(now - self.created_at, timedelta(seconds=settings.LEASE_SECONDS))
        return now + min(waited, LONGEST_DELAY)
