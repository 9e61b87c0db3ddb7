"""Claims, and their hourly counts per mode."""

from django.db import models
from django.db.models import Q
from django.utils import timezone

from predictions.models import REQUEST_ID_LENGTH
from predictions.models.fields import NameField, SafeCharField
from predictions.modes.registry import MODE_NAMES
from tickets.models.clients import ApiClient

MODE_CHOICES = [(name, name) for name in MODE_NAMES]
COUNTER_SHARDS = 8  # rows per hour, to avoid contention for one lock


class Claim(models.Model):
    """Tickets permanently allocated to a client. The claim's copy of them outlives the ticket rows."""

    client = models.ForeignKey(ApiClient, on_delete=models.PROTECT, db_index=False, related_name="claims")
    idempotency_key = NameField(max_length=255)
    mode = models.CharField(max_length=20, choices=MODE_CHOICES)
    count = models.PositiveIntegerField(help_text="Number of tickets.")
    draw_date = models.DateField()
    asked_draw_date = models.DateField(null=True, help_text="As requested; empty for the next draw.")
    created_at = models.DateTimeField(default=timezone.now)
    request_id = SafeCharField(
        max_length=REQUEST_ID_LENGTH,
        default="",
        db_default="",
        blank=True,
        help_text="Id of the HTTP request that created the claim.",
    )
    numbers = models.JSONField(default=list, help_text="[[n1, n2, n3, n4, n5, powerball], ...]")
    ticket_details = models.JSONField(
        default=list,
        db_column="origins",
        help_text="[[confidence, strategy, created_at, pipeline_run_id], ...], as the numbers.",
    )

    class Meta:
        ordering = ["-id"]
        indexes = [
            # Lists a client's claims, newest first.
            models.Index(fields=["client", "-id"], name="idx_claim_client"),
        ]
        constraints = [
            # Repeated and concurrent requests find the same claim.
            models.UniqueConstraint(
                name="one_claim_an_idempotency_key", fields=["client", "idempotency_key"]
            ),
            models.CheckConstraint(name="claim_mode_known", condition=Q(mode__in=MODE_NAMES)),
        ]

    def __str__(self) -> str:
        return f"claim {self.pk}"


class ClaimHour(models.Model):
    """One shard of the claims for a mode and draw in one hour; queries sum the shards."""

    draw_date = models.DateField()
    mode = models.CharField(max_length=20, choices=MODE_CHOICES)
    hour = models.DateTimeField(help_text="Start of the hour.")
    shard = models.PositiveSmallIntegerField(db_column="slot")
    claims = models.PositiveIntegerField(default=0)
    tickets = models.PositiveIntegerField(default=0)
    refused = models.PositiveIntegerField(
        default=0, db_column="short", help_text="Claims refused because of insufficient stock."
    )

    class Meta:
        ordering = ["-hour", "mode"]
        verbose_name_plural = "demand"
        constraints = [
            # Draw first, because every `batch-status` request sums the claims for one draw.
            models.UniqueConstraint(
                name="one_row_per_hour_and_shard", fields=["draw_date", "mode", "hour", "shard"]
            ),
            models.CheckConstraint(name="claim_hour_mode_known", condition=Q(mode__in=MODE_NAMES)),
        ]

    def __str__(self) -> str:
        return f"{self.mode} for {self.draw_date} at {self.hour:%Y-%m-%d %H}:00"
