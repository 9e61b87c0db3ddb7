"""Generation runs and ticket batches."""

from django.db import models
from django.db.models import F, OuterRef, Q, Subquery, Sum
from django.db.models.functions import Coalesce

from predictions.models import (
    REQUEST_ID_LENGTH,
    RUN_ID_LENGTH,
    LeasedModel,
    LeasedQuerySet,
    Prediction,
    TimedModel,
)
from predictions.models.fields import NameField, SafeCharField, SafeJSONField
from predictions.modes.registry import MODE_NAMES
from tickets.models.claims import MODE_CHOICES


class Origin(models.TextChoices):
    GENERATED = "generated"
    INSERTED = "inserted"


class GenerationRunQuerySet(models.QuerySet["GenerationRun"]):
    def with_progress(self) -> "GenerationRunQuerySet":
        """Annotate `generated` and `requested`, summed over the batches."""
        batches = TicketBatch.objects.filter(run=OuterRef("pk")).order_by().values("run")
        sums = {
            name: Coalesce(Subquery(batches.annotate(sum=Sum(name)).values("sum")), 0)
            for name in ("generated", "requested")
        }
        return self.annotate(**sums)


class GenerationRun(TimedModel):
    """One call of `generate_batch`, with one batch per mode. The requested values never change."""

    class Status(models.TextChoices):
        RUNNING = "running"
        COMPLETED = "completed"
        PARTIAL = "partial"
        FAILED = "failed"
        CANCELLED = "cancelled"

    # Unique, so that a repeated request finds the existing run.
    pipeline_run_id = NameField(max_length=RUN_ID_LENGTH, unique=True)
    origin = models.CharField(max_length=10, choices=Origin.choices, default=Origin.GENERATED)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.RUNNING)
    draw_date = models.DateField()
    modes = models.JSONField(default=list)
    skipped = SafeJSONField(default=dict, blank=True, help_text="Skipped modes, each with the reason.")
    batch_size = models.PositiveIntegerField(
        null=True, help_text="Tickets requested per mode; empty if the modes' policies differ."
    )
    auto_cleanup = models.BooleanField(default=True)
    cleanup_days = models.PositiveIntegerField(
        null=True, default=7, help_text="Empty if the modes' policies differ."
    )
    policy = models.JSONField(
        default=dict, blank=True, help_text="{mode: {batch_size, cleanup_days, priority}}, as applied."
    )
    request_id = SafeCharField(
        max_length=REQUEST_ID_LENGTH,
        default="",
        db_default="",
        blank=True,
        help_text="Id of the HTTP request that started the run.",
    )

    objects = GenerationRunQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                name="generation_run_status_known",
                condition=Q(status__in=["running", "completed", "partial", "failed", "cancelled"]),
            ),
        ]

    def __str__(self) -> str:
        return self.pipeline_run_id


class TicketBatchQuerySet(LeasedQuerySet):
    def generated(self) -> "TicketBatchQuerySet":
        return self.filter(origin=Origin.GENERATED)

    def with_stock(self, **values: object) -> "TicketBatchQuerySet":
        """Filter batches with stored tickets by `mode`, `draw_date` or `pipeline_run_id`."""
        conditions = {
            ("run__pipeline_run_id" if name == "pipeline_run_id" else name): value
            for name, value in values.items()
        }
        return self.filter(stored__gt=0, **conditions)


class TicketBatch(LeasedModel):
    """One mode's share of a run. Prediction, seed, counts and chunk size are fixed at creation."""

    class Status(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        READY = "ready"
        FAILED = "failed"
        CANCELLED = "cancelled"

    UNFINISHED = (Status.QUEUED, Status.RUNNING)

    run = models.ForeignKey(GenerationRun, on_delete=models.PROTECT, related_name="batches")
    mode = models.CharField(max_length=20, choices=MODE_CHOICES)
    origin = models.CharField(max_length=10, choices=Origin.choices, default=Origin.GENERATED)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.QUEUED)
    draw_date = models.DateField()
    prediction = models.ForeignKey(Prediction, on_delete=models.PROTECT, null=True, related_name="batches")
    seed = models.BigIntegerField(null=True)
    sampler_version = models.PositiveSmallIntegerField(null=True)
    component_counts = models.JSONField(default=list, help_text="Tickets per component.")
    chunk_size = models.PositiveIntegerField(default=5000, help_text="Tickets per transaction.")
    requested = models.PositiveIntegerField()
    generated = models.PositiveIntegerField(
        default=0, help_text="Tickets ever stored; not reduced by a purge."
    )
    stored = models.PositiveIntegerField(default=0, help_text="Tickets now in the table.")
    replaced = models.PositiveIntegerField(
        default=0, help_text="Tickets sampled again because they already existed for the draw."
    )
    priority = models.SmallIntegerField(default=0, help_text="Higher priorities are generated first.")
    rate = models.FloatField(null=True, help_text="Tickets per second in the latest chunk.")
    replaces = models.JSONField(
        default=list,
        db_default=models.Value([], models.JSONField()),
        blank=True,
        help_text="Batches whose unclaimed tickets are purged when this one is ready.",
    )

    objects = TicketBatchQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "ticket batches"
        indexes = [
            # Finds unleased and overdue batches, a small fraction of the rows.
            models.Index(name="idx_batch_status", fields=["status"]),
        ]
        constraints = [
            # A repeated request finds the existing batch.
            models.UniqueConstraint(
                name="one_generated_batch_a_mode",
                fields=["run", "mode"],
                condition=Q(origin="generated"),
            ),
            models.UniqueConstraint(
                name="one_inserted_batch_a_mode_and_draw",
                fields=["run", "mode", "draw_date"],
                condition=Q(origin="inserted"),
            ),
            models.CheckConstraint(
                name="ticket_batch_status_known",
                condition=Q(status__in=["queued", "running", "ready", "failed", "cancelled"]),
            ),
            models.CheckConstraint(name="ticket_batch_mode_known", condition=Q(mode__in=MODE_NAMES)),
            models.CheckConstraint(name="ticket_batch_counts_agree", condition=Q(stored__lte=F("generated"))),
        ]

    def __str__(self) -> str:
        return f"batch {self.pk} of {self.mode}"

    @property
    def seconds_left(self) -> float | None:
        """Return the estimated remaining time, or None if the batch is not running or its rate is unknown."""
        if self.status != self.Status.RUNNING or not self.rate:
            return None
        return (self.requested - self.generated) / self.rate
