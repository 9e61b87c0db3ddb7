"""Generation runs and their batches: what was ordered, how far it is, and what became of it."""

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
    """How tickets came: drawn from a stored prediction, or handed in through `insert_batch_tickets`."""

    GENERATED = "generated"
    INSERTED = "inserted"


class GenerationRunQuerySet(models.QuerySet["GenerationRun"]):
    def with_progress(self) -> "GenerationRunQuerySet":
        """Each with `generated` and `requested`, the sums over its batches."""
        of_run = TicketBatch.objects.filter(run=OuterRef("pk")).order_by().values("run")
        sums = {
            name: Coalesce(Subquery(of_run.annotate(sum=Sum(name)).values("sum")), 0)
            for name in ("generated", "requested")
        }
        return self.annotate(**sums)


class GenerationRun(TimedModel):
    """One call of `generate_batch`, with one batch a mode; what it was asked stays as it was."""

    class Status(models.TextChoices):
        RUNNING = "running"
        COMPLETED = "completed"
        PARTIAL = "partial"
        FAILED = "failed"
        CANCELLED = "cancelled"

    # Unique: the same id again is the same run, so nothing is made twice.
    pipeline_run_id = NameField(max_length=RUN_ID_LENGTH, unique=True)
    origin = models.CharField(max_length=10, choices=Origin.choices, default=Origin.GENERATED)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.RUNNING)
    draw_date = models.DateField()
    modes = models.JSONField(default=list)
    skipped = SafeJSONField(default=dict, blank=True, help_text="Modes left out, each with the reason.")
    batch_size = models.PositiveIntegerField(
        null=True, help_text="Tickets asked for, a mode; empty where the modes' policies differ."
    )
    auto_cleanup = models.BooleanField(default=True)
    cleanup_days = models.PositiveIntegerField(
        null=True, default=7, help_text="Empty where the modes' policies differ."
    )
    policy = models.JSONField(
        default=dict, blank=True, help_text="{mode: {batch_size, cleanup_days, priority}}, as used."
    )
    request_id = SafeCharField(
        max_length=REQUEST_ID_LENGTH,
        default="",
        db_default="",
        blank=True,
        help_text="Of the HTTP request it comes from.",
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
        """Those whose tickets are drawn from a prediction: there is something to do."""
        return self.filter(origin=Origin.GENERATED)

    def with_stock(self, **values: object) -> "TicketBatchQuerySet":
        """Those that hold tickets with these values of their own: `mode`, `draw_date`, `pipeline_run_id`."""
        conditions = {
            ("run__pipeline_run_id" if name == "pipeline_run_id" else name): values[name] for name in values
        }
        return self.filter(stored__gt=0, **conditions)


class TicketBatch(LeasedModel):
    """One mode's share of a run. Prediction, seed, counts and chunks are fixed when it is created."""

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
    component_counts = models.JSONField(default=list, help_text="Tickets each component makes.")
    chunk_size = models.PositiveIntegerField(default=5000, help_text="Tickets a transaction.")
    requested = models.PositiveIntegerField()
    generated = models.PositiveIntegerField(default=0, help_text="Ever stored; does not fall on a purge.")
    stored = models.PositiveIntegerField(default=0, help_text="Now in the table.")
    replaced = models.PositiveIntegerField(
        default=0, help_text="Drawn again, since the ticket existed already for its draw."
    )
    priority = models.SmallIntegerField(default=0, help_text="A higher one is made first.")
    rate = models.FloatField(null=True, help_text="Tickets a second, of the chunks stored last.")
    replaces = models.JSONField(
        default=list,
        db_default=models.Value([], models.JSONField()),
        blank=True,
        help_text="Batches whose unclaimed tickets are purged once this is ready.",
    )

    objects = TicketBatchQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "ticket batches"
        indexes = [
            # What a task may take, and what is overdue: a few rows of very many.
            models.Index(name="idx_batch_status", fields=["status"]),
        ]
        constraints = [
            # A task delivered twice, or a run asked for twice, finds this batch instead of making another.
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
        """Until all are made, at the present rate; None when nothing runs or nothing is known."""
        if self.status != self.Status.RUNNING or not self.rate:
            return None
        return (self.requested - self.generated) / self.rate
