"""Leases: which worker may process a row, until when, and how often that was tried.

The queue delivers a task at least once and loses those whose worker dies, so the row decides. One UPDATE with
the condition "unleased" acquires it and stores a new fencing token, which proves ownership. The lease of a
dead worker expires, and the row can be acquired again.
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

MAX_DELAY = timedelta(minutes=15)  # between two tasks for the same unleased row


def lease_expiry(now: datetime) -> datetime:
    """Return the end of a lease acquired or renewed at `now`."""
    return now + timedelta(seconds=settings.LEASE_SECONDS)


class LeasedQuerySet(models.QuerySet[Any]):
    """Query set of a LeasedModel, which defines `Status.RUNNING` and `UNFINISHED`."""

    def unfinished(self) -> Self:
        return self.filter(status__in=self.model.UNFINISHED)

    def unleased(self) -> Self:
        """Return the unfinished rows without a current lease."""
        return self.unfinished().filter(Q(lease_until=None) | Q(lease_until__lt=timezone.now()))

    def leased(self) -> Self:
        """Return the unfinished rows with a current lease."""
        return self.unfinished().filter(lease_until__gte=timezone.now()).exclude(token=None)

    def overdue(self) -> Self:
        """Return the unleased rows for which another task should be sent."""
        return self.unleased().filter(redeliver_after__lte=timezone.now())

    def out_of_attempts(self) -> Self:
        """Return the unleased rows that have used all their attempts."""
        return self.unleased().filter(attempts__gte=self.model.MAX_ATTEMPTS)

    def postpone(self, row: "LeasedModel") -> bool:
        """Set the time of the next task, before one is sent now; return False if the row is not overdue."""
        return bool(self.overdue().filter(pk=row.pk).update(redeliver_after=row.next_delivery()))

    def acquire(self, pk: int, holder: str) -> uuid.UUID | None:
        """Lease an unleased row that has attempts left; return its token, or None if not acquired."""
        now, token = timezone.now(), uuid.uuid4()
        until = lease_expiry(now)
        acquirable = self.unleased().filter(pk=pk, attempts__lt=self.model.MAX_ATTEMPTS)
        acquired = acquirable.update(
            status=self.model.Status.RUNNING,
            token=token,
            holder=holder,
            lease_until=until,
            redeliver_after=until,
            attempts=F("attempts") + 1,
            started_at=Coalesce(F("started_at"), now),
        )
        return token if acquired else None

    def owned_by(self, row: "LeasedModel") -> Self:
        """Return the row if its token is still current; a worker writes only through this."""
        if row.token is None:  # would match a released row
            return self.none()
        return self.filter(pk=row.pk, token=row.token, status=self.model.Status.RUNNING)

    def renew(self, row: "LeasedModel", **values: Any) -> bool:
        """Extend the lease and set `values`; return False if the lease was lost."""
        until = lease_expiry(timezone.now())
        return bool(self.owned_by(row).update(lease_until=until, redeliver_after=until, **values))

    def release(self, holder: str) -> int:
        """Release the leases of a holder that is known to be dead; return the number of rows."""
        leased = self.leased().filter(holder=holder)
        return leased.update(lease_until=None, token=None, redeliver_after=timezone.now())

    def redeliver_now(self) -> int:
        """Make all unleased rows overdue, so that tasks are sent now; return the number of rows."""
        now = timezone.now()
        return self.unleased().filter(redeliver_after__gt=now).update(redeliver_after=now)


class LeasedModel(TimedModel):
    """A timed model with a lease; `attempts` counts from the last progress and includes the current one."""

    MAX_ATTEMPTS = 5  # without progress

    token = models.UUIDField(null=True, editable=False, help_text="Fencing token of the current holder.")
    holder = SafeCharField(max_length=200, default="", blank=True, help_text="The current or last worker.")
    lease_until = models.DateTimeField(null=True, help_text="End of the lease, unless renewed.")
    redeliver_after = models.DateTimeField(null=True, help_text="When another task is sent, if unleased.")
    attempts = models.PositiveIntegerField(default=0, help_text="Attempts since the last progress.")

    class Meta:
        abstract = True

    def next_delivery(self) -> datetime:
        """Return when to send another task if the row is still unleased, at growing intervals."""
        now = timezone.now()
        age = max(now - self.created_at, timedelta(seconds=settings.LEASE_SECONDS))
        return now + min(age, MAX_DELAY)
