"""Trained models and their fits."""

from django.db import models
from django.db.models import Q
from django.utils import timezone

from predictions.models.fields import SafeJSONField
from predictions.models.leases import LeasedModel, LeasedQuerySet
from predictions.modes.registry import MODE_NAMES


class TrainedModelQuerySet(models.QuerySet["TrainedModel"]):
    def active(self, mode: str) -> "TrainedModel | None":
        """Return the model that a mode predicts with."""
        return self.filter(mode=mode, active=True).first()

    def pinned(self, mode: str) -> "TrainedModel | None":
        """Return the model of a mode that staff activated although it is not the newest."""
        return self.filter(mode=mode, pinned=True).first()


class TrainedModel(models.Model):
    """One fitted artefact, with its provenance and measured skill."""

    mode = models.CharField(max_length=20, choices=[(name, name) for name in MODE_NAMES])
    file = models.CharField(max_length=200, help_text="Path in the models folder.")
    sha256 = models.CharField(max_length=64)
    size_bytes = models.PositiveBigIntegerField()
    draws_used = models.PositiveIntegerField()
    draws_through = models.DateField(help_text="The newest draw it was fitted on.")
    draws_fingerprint = models.CharField(max_length=64, help_text="SHA-256 of the draws it was fitted on.")
    parameters = SafeJSONField(default=dict)
    code_version = models.PositiveIntegerField()
    seed = models.BigIntegerField()
    versions = SafeJSONField(default=dict)
    skill = SafeJSONField(default=dict, help_text="Log-loss on held-out draws vs. the uniform baseline.")
    seconds = models.FloatField(help_text="Run time of the fit's process, including imports.")
    peak_memory_kb = models.PositiveBigIntegerField()
    active = models.BooleanField(default=False, help_text="Whether the mode predicts with this model.")
    pinned = models.BooleanField(
        default=False,
        db_default=False,
        help_text="Activated by staff; no training replaces it.",
    )
    file_retained = models.BooleanField(
        default=True, help_text="Files of old models are deleted; their rows and predictions remain."
    )
    created_at = models.DateTimeField(default=timezone.now)

    objects = TrainedModelQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            # `active` must be unambiguous, and uses this index.
            models.UniqueConstraint(
                name="one_active_model_a_mode", fields=["mode"], condition=Q(active=True)
            ),
            models.CheckConstraint(name="pinned_model_is_active", condition=Q(pinned=False) | Q(active=True)),
        ]

    def __str__(self) -> str:
        return f"{self.mode} through {self.draws_through}"

    @property
    def skill_nats(self) -> float | None:
        """Return the held-out log-loss of uniform minus the model's, in nats; None if not measured."""
        loss = self.skill.get("log_loss")
        return None if loss is None else float(self.skill["uniform_log_loss"] - loss)


class TrainingQuerySet(LeasedQuerySet):
    """Query set of fits."""


class Training(LeasedModel):
    """The fit of one mode on one set of draws, leased to one process at a time."""

    class Status(models.TextChoices):
        RUNNING = "running"
        COMPLETED = "completed"
        FAILED = "failed"

    UNFINISHED = (Status.RUNNING,)
    MAX_ATTEMPTS = 2  # fewer than a run's, so that a run survives a fit that kills it

    mode = models.CharField(max_length=20, choices=[(name, name) for name in MODE_NAMES])
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.RUNNING)
    draws_fingerprint = models.CharField(max_length=64)
    seed = models.BigIntegerField()
    code_version = models.PositiveIntegerField()
    model = models.ForeignKey(TrainedModel, on_delete=models.PROTECT, null=True, related_name="trainings")

    objects = TrainingQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            # Makes two processes that request the same fit share a row.
            models.UniqueConstraint(
                name="one_training_a_fit", fields=["mode", "draws_fingerprint", "seed", "code_version"]
            ),
            models.CheckConstraint(
                name="training_status_known", condition=Q(status__in=["running", "completed", "failed"])
            ),
        ]

    def __str__(self) -> str:
        return f"{self.mode} on draws {self.draws_fingerprint[:8]}"
