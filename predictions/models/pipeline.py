"""Pipeline runs and their steps."""

from django.core.validators import MaxLengthValidator, MinLengthValidator
from django.db import models
from django.db.models import Q

from predictions.models.fields import NameField, SafeCharField, SafeJSONField, SafeTextField
from predictions.models.leases import LeasedModel, LeasedQuerySet
from predictions.models.timed import REQUEST_ID_LENGTH, RUN_ID_LENGTH, TimedModel


class PipelineRunQuerySet(LeasedQuerySet):
    """Query set of pipeline runs."""


class PipelineRun(LeasedModel):
    """One execution of the six steps; `running` from its acceptance, leased or not."""

    class Status(models.TextChoices):
        RUNNING = "running"
        COMPLETED = "completed"
        FAILED = "failed"

    UNFINISHED = (Status.RUNNING,)

    pipeline_run_id = NameField(
        max_length=RUN_ID_LENGTH,
        unique=True,
        validators=[MinLengthValidator(1), MaxLengthValidator(RUN_ID_LENGTH)],
    )
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.RUNNING)
    draw_date = models.DateField(help_text="The predicted draw; only earlier draws are used.")
    source = models.CharField(max_length=20)
    modes = models.JSONField(default=list)
    request_id = SafeCharField(
        max_length=REQUEST_ID_LENGTH,
        default="",
        blank=True,
        help_text="Id of the HTTP request that created it.",
    )

    objects = PipelineRunQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                name="pipeline_run_status_known", condition=Q(status__in=["running", "completed", "failed"])
            ),
        ]

    def __str__(self) -> str:
        return self.pipeline_run_id


class PipelineStep(TimedModel):
    """One of the six steps of a run, with its outcome."""

    class Name(models.TextChoices):
        DATA = "data"
        ANALYTICS = "analytics"
        EVALUATION = "evaluation"
        ADAPTIVE_WEIGHTS = "adaptive_weights"
        TRAINING = "training"
        PREDICTIONS = "predictions"

    class Status(models.TextChoices):
        PENDING = "pending"
        RUNNING = "running"
        COMPLETED = "completed"
        WARNING = "warning"
        FAILED = "failed"
        SKIPPED = "skipped"

    run = models.ForeignKey(PipelineRun, on_delete=models.CASCADE, related_name="steps")
    number = models.PositiveSmallIntegerField()
    name = models.CharField(max_length=20, choices=Name.choices)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.PENDING)
    summary = SafeTextField(default="", blank=True, help_text="The outcome in one line.")
    detail = SafeJSONField(default=dict, blank=True, help_text="Figures for programs.")

    class Meta:
        ordering = ["run", "number"]
        constraints = [
            models.UniqueConstraint(name="one_step_of_a_name_a_run", fields=["run", "name"]),
        ]

    def __str__(self) -> str:
        return f"{self.number} {self.name}"
