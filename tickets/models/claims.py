"""What was handed out: the claims, and how many there were of each mode, hour by hour."""

from django.db import models
from django.db.models import Q
from django.utils import timezone

from predictions.models import REQUEST_ID_LENGTH
from predictions.models.fields import NameField, SafeCharField
from predictions.modes.registry import MODE_NAMES
from tickets.models.clients import ApiClient

MODE_CHOICES = [(name, name) for name in MODE_NAMES]
COUNTER_SHARDS = 8  # rows an hour that share the counting, so that claims do not queue for one of them


class Claim(models.Model):
    """Tickets handed out to a client for good; what it was given stays here when the rows are deleted."""

    client = models.ForeignKey(ApiClient, on_delete=models.PROTECT, db_index=False, related_name="claims")
    idempotency_key = NameField(max_length=255)
    mode = models.CharField(max_length=20, choices=MODE_CHOICES)
    count = models.PositiveIntegerField(help_text="Tickets.")
    draw_date = models.DateField()
    asked_draw_date = models.DateField(null=True, help_text="As the request named it; empty: the next draw.")
    created_at = models.DateTimeField(default=timezone.now)
    request_id = SafeCharField(
        max_length=REQUEST_ID_LENGTH,
        default="",
        db_default="",
        blank=True,
        help_text="Of the HTTP request that made it.",
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
            # A client's claims, newest first.
            models.Index(fields=["client", "-id"], name="idx_claim_client"),
        ]
        constraints = [
            # The same request again finds its claim, be it at the same moment.
            models.UniqueConstraint(
                name="one_claim_an_idempotency_key", fields=["client", "idempotency_key"]
            ),
            models.CheckConstraint(name="claim_mode_known", condition=Q(mode__in=MODE_NAMES)),
        ]

    def __str__(self) -> str:
        return f"claim {self.pk}"


class ClaimHour(models.Model):
    """How much of a mode was claimed for a draw within an hour, in one of several rows that are summed."""

    draw_date = models.DateField()
    mode = models.CharField(max_length=20, choices=MODE_CHOICES)
    hour = models.DateTimeField(help_text="Its beginning.")
    shard = models.PositiveSmallIntegerField(db_column="slot")
    claims = models.PositiveIntegerField(default=0)
    tickets = models.PositiveIntegerField(default=0)
    refused = models.PositiveIntegerField(
        default=0, db_column="short", help_text="Claims refused because too few tickets were in stock."
    )

    class Meta:
        ordering = ["-hour", "mode"]
        verbose_name_plural = "demand"
        constraints = [
            # Begins with the draw: what of it is claimed is summed for every `batch-status`.
            models.UniqueConstraint(
                name="one_row_per_hour_and_shard", fields=["draw_date", "mode", "hour", "shard"]
            ),
            models.CheckConstraint(name="claim_hour_mode_known", condition=Q(mode__in=MODE_NAMES)),
        ]

    def __str__(self) -> str:
        return f"{self.mode} for {self.draw_date} at {self.hour:%Y-%m-%d %H}:00"
