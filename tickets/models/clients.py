"""API clients, their keys and their daily quota usage."""

from datetime import date, datetime, timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Count, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce
from rest_framework_api_key.models import AbstractAPIKey

from predictions.models.fields import validate_name
from predictions.modes.registry import MODE_NAMES
from predictions.powerball import EASTERN

MAX_NAME = 100  # characters
MAX_QUOTA = 10_000_000
MAX_RATE = 1_000_000


def all_modes() -> list[str]:
    return list(MODE_NAMES)


def eastern_date(now: datetime) -> date:
    return now.astimezone(EASTERN).date()


def eastern_midnight_after(day: date) -> datetime:
    return datetime.combine(day + timedelta(days=1), datetime.min.time(), EASTERN)


class ApiClientQuerySet(models.QuerySet["ApiClient"]):
    def with_usage(self, now: datetime) -> "ApiClientQuerySet":
        """Annotate `used_today` (tickets) and `active_keys` (active keys)."""
        today = QuotaUsage.objects.filter(client=OuterRef("pk"), day=eastern_date(now)).values("used")
        active = Q(keys__revoked=False) & (Q(keys__expiry_date=None) | Q(keys__expiry_date__gt=now))
        with_usage = self.annotate(
            used_today=Coalesce(Subquery(today), 0), active_keys=Count("keys", filter=active)
        )
        return with_usage.order_by("name")  # Django ignores Meta.ordering in GROUP BY queries


class ApiClient(models.Model):
    """A program that claims tickets, with its quota, rate limit and allowed modes."""

    name = models.CharField(max_length=MAX_NAME, unique=True)
    daily_quota = models.PositiveIntegerField(
        default=100, help_text="Tickets it may claim per day, from midnight to midnight in New York."
    )
    rate = models.PositiveIntegerField(default=600, help_text="Requests per minute.")
    modes = models.JSONField(default=all_modes, help_text="Modes it may claim.")
    active = models.BooleanField(default=True, help_text="If not, its keys are rejected.")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ApiClientQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        verbose_name = "API client"
        constraints = [
            models.CheckConstraint(name="api_client_daily_quota", condition=Q(daily_quota__lte=MAX_QUOTA)),
            models.CheckConstraint(name="api_client_rate", condition=Q(rate__gte=1, rate__lte=MAX_RATE)),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        if not self.name.isprintable():
            raise ValidationError({"name": "Name: enter printable characters only."})
        if not self.name.strip():
            raise ValidationError({"name": "Name: must not be blank."})
        modes: Any = self.modes
        if not isinstance(modes, list) or not modes or any(modes.count(mode) > 1 for mode in modes):
            raise ValidationError({"modes": "Modes: select at least one, each of them once."})
        if unknown := [str(mode)[:40] for mode in modes if mode not in MODE_NAMES]:
            raise ValidationError(
                {"modes": f"Modes: {', '.join(unknown)} is not a mode; choose from {', '.join(MODE_NAMES)}."}
            )


class ApiKey(AbstractAPIKey):
    client = models.ForeignKey(ApiClient, on_delete=models.CASCADE, related_name="keys")

    class Meta(AbstractAPIKey.Meta):
        verbose_name = "API key"

    def clean(self) -> None:
        super().clean()
        validate_name(self.name)

    def status(self, now: datetime) -> str:
        if self.revoked:
            return "revoked"
        return "expired" if self.expiry_date is not None and self.expiry_date <= now else "active"


class QuotaUsage(models.Model):
    """Tickets claimed by a client on one day in New York."""

    client = models.ForeignKey(ApiClient, on_delete=models.CASCADE, db_index=False, related_name="days")
    day = models.DateField()
    used = models.PositiveIntegerField(default=0, help_text="Number of tickets.")

    class Meta:
        ordering = ["-day"]
        constraints = [models.UniqueConstraint(name="one_row_a_client_and_day", fields=["client", "day"])]

    def __str__(self) -> str:
        return f"{self.client_id} on {self.day}"
