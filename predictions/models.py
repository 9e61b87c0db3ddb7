"""Draws, what was learned from them, and what each pipeline run did."""

import uuid
from datetime import date

from django.core.validators import MaxLengthValidator, MinLengthValidator
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from predictions.modes import MODE_NAMES

RUN_ID_LENGTH = 64


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


class Draw(models.Model):
    """One official drawing; white balls are stored ascending, whatever order they fell in."""

    draw_date = models.DateField(unique=True, help_text="The Eastern date for which the draw was scheduled.")
    n1 = models.PositiveSmallIntegerField()
    n2 = models.PositiveSmallIntegerField()
    n3 = models.PositiveSmallIntegerField()
    n4 = models.PositiveSmallIntegerField()
    n5 = models.PositiveSmallIntegerField()
    powerball = models.PositiveSmallIntegerField()
    multiplier = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text="Power Play; not every feed has it."
    )
    source = models.CharField(max_length=200, help_text="The feed or file that brought it first.")
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["-draw_date"]
        constraints = [
            models.CheckConstraint(
                name="draw_white_balls_ascending",
                condition=Q(n1__lt=F("n2"), n2__lt=F("n3"), n3__lt=F("n4"), n4__lt=F("n5")),
            ),
            # The widest matrix of any era; the era of the date is checked on import.
            models.CheckConstraint(
                name="draw_balls_in_range",
                condition=Q(n1__gte=1, n5__lte=69, powerball__gte=1, powerball__lte=39),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.draw_date}: {' '.join(map(str, self.white_balls))} +{self.powerball}"

    @property
    def white_balls(self) -> list[int]:
        return [self.n1, self.n2, self.n3, self.n4, self.n5]


class Feed(models.Model):
    """What a feed's server last said of its version, so that an unchanged feed is not downloaded again."""

    url = models.CharField(max_length=500, unique=True)
    etag = models.CharField(max_length=200)
    fetched_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.url


class RandomnessReport(models.Model):
    """What the tests of `predictions.randomness` found in one set of draws."""

    draws = models.PositiveIntegerField()
    draws_through = models.DateField(help_text="The newest draw of the report.")
    draws_fingerprint = models.CharField(max_length=64, help_text="SHA-256 of the draws it is about.")
    figures = models.JSONField(help_text="Every test's figures and verdict; p is null with too few draws.")
    verdict = models.TextField(help_text="One sentence over all tests, corrected for their number.")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-draws_through", "-id"]
        constraints = [
            # The analytics step: the same draws again find their report, and nothing is done twice.
            models.UniqueConstraint(name="one_report_a_set_of_draws", fields=["draws_fingerprint"]),
        ]

    def __str__(self) -> str:
        return f"{self.draws} draws through {self.draws_through}"


class PipelineRunQuerySet(models.QuerySet["PipelineRun"]):
    def unfinished(self) -> "PipelineRunQuerySet":
        return self.filter(status=PipelineRun.Status.RUNNING)


class PipelineRun(Recorded):
    """One execution of the six steps. It is `running` from the moment it is accepted."""

    class Status(models.TextChoices):
        RUNNING = "running"
        COMPLETED = "completed"
        FAILED = "failed"

    pipeline_run_id = models.CharField(
        max_length=RUN_ID_LENGTH,
        unique=True,
        validators=[MinLengthValidator(1), MaxLengthValidator(RUN_ID_LENGTH)],
    )
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.RUNNING)
    draw_date = models.DateField(help_text="The draw that is predicted; nothing from this date on is read.")
    source = models.CharField(max_length=20)
    modes = models.JSONField(default=list)

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


class PipelineStep(Recorded):
    """One of the six steps of a run, and what came of it."""

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
    summary = models.TextField(default="", blank=True, help_text="One line for people.")
    detail = models.JSONField(default=dict, blank=True, help_text="The figures, for programs.")

    class Meta:
        ordering = ["run", "number"]
        constraints = [
            models.UniqueConstraint(name="one_step_of_a_name_a_run", fields=["run", "name"]),
        ]

    def __str__(self) -> str:
        return f"{self.number} {self.name}"


class TrainedModelQuerySet(models.QuerySet["TrainedModel"]):
    def active(self, mode: str) -> "TrainedModel | None":
        """The one model of a mode that predicts."""
        return self.filter(mode=mode, active=True).first()


class TrainedModel(models.Model):
    """One fitted artefact, with everything needed to tell where it came from and what it was worth."""

    mode = models.CharField(max_length=20, choices=[(name, name) for name in MODE_NAMES])
    file = models.CharField(max_length=200, help_text="Under the models folder.")
    sha256 = models.CharField(max_length=64)
    size_bytes = models.PositiveBigIntegerField()
    draws_used = models.PositiveIntegerField()
    draws_through = models.DateField(help_text="The newest draw it learned from.")
    draws_fingerprint = models.CharField(max_length=64, help_text="SHA-256 of the draws it learned from.")
    parameters = models.JSONField(default=dict)
    code_version = models.PositiveIntegerField()
    seed = models.BigIntegerField()
    versions = models.JSONField(default=dict)
    skill = models.JSONField(
        default=dict, help_text="Log-loss on held-out draws beside the uniform baseline."
    )
    seconds = models.FloatField(help_text="Of the fit's process, imports included.")
    peak_memory_kb = models.PositiveBigIntegerField()
    active = models.BooleanField(default=False, help_text="Whether this is the mode's model that predicts.")
    file_kept = models.BooleanField(
        default=True, help_text="Files of old models are deleted; their rows and predictions stay."
    )
    created_at = models.DateTimeField(default=timezone.now)

    objects = TrainedModelQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            # Which model predicts is never a matter of chance; `active` finds it by this index.
            models.UniqueConstraint(
                name="one_active_model_a_mode", fields=["mode"], condition=Q(active=True)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.mode} through {self.draws_through}"

    @property
    def skill_nats(self) -> float | None:
        """Uniform's held-out log-loss minus the model's: above zero is better; None when not measured."""
        loss = self.skill.get("log_loss")
        return None if loss is None else float(self.skill["uniform_log_loss"] - loss)


class PredictionQuerySet(models.QuerySet["Prediction"]):
    def newest(self, mode: str, draw_date: date) -> "Prediction | None":
        """The prediction that tickets of this mode for this draw are made from."""
        return self.filter(mode=mode, draw_date=draw_date).order_by("-id").first()


class Prediction(models.Model):
    """A mode's law for one draw: a mixture of components, and the model that it came from."""

    mode = models.CharField(max_length=20, choices=[(name, name) for name in MODE_NAMES])
    draw_date = models.DateField()
    draws_through = models.DateField(help_text="The newest draw known when it was made.")
    model = models.ForeignKey(TrainedModel, on_delete=models.PROTECT, related_name="predictions")
    run = models.ForeignKey(PipelineRun, on_delete=models.PROTECT, related_name="predictions")
    components = models.JSONField(
        help_text="List of {strategy, share, white: 69 weights, powerball: 26 weights}."
    )
    note = models.TextField(default="", blank=True, help_text="What is left out of the law, and why.")
    created_at = models.DateTimeField(default=timezone.now)
    evaluated_at = models.DateTimeField(
        null=True, help_text="When the draw was known and the losses were taken."
    )
    log_loss = models.FloatField(null=True, help_text="Nats, white balls and Powerball together.")
    white_log_loss = models.FloatField(null=True)
    powerball_log_loss = models.FloatField(null=True)

    objects = PredictionQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        indexes = [
            # `newest`: what a batch is made from; and evaluation, which looks for draws now known.
            models.Index(name="idx_prediction_mode_draw", fields=["mode", "draw_date", "-id"]),
        ]
        constraints = [
            models.UniqueConstraint(name="one_prediction_a_mode_a_run", fields=["run", "mode"]),
        ]

    def __str__(self) -> str:
        return f"{self.mode} for {self.draw_date}"


class StrategyShares(models.Model):
    """The shares of a mode's strategies from one moment on; the newest row is in force."""

    class Origin(models.TextChoices):
        DRAW = "draw"  # moved by the likelihoods of one draw
        RESET = "reset"  # set by an operator

    mode = models.CharField(max_length=20, choices=[(name, name) for name in MODE_NAMES])
    origin = models.CharField(max_length=10, choices=Origin.choices)
    draw_date = models.DateField(help_text="The draw that moved them, or the newest draw when they were set.")
    prediction = models.ForeignKey(
        Prediction, on_delete=models.PROTECT, null=True, related_name="+", help_text="The law judged."
    )
    shares = models.JSONField(help_text="{strategy: share}, from now on.")
    log_losses = models.JSONField(default=dict, help_text="{strategy: nats} on the draw.")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "strategy shares"
        constraints = [
            # A draw moves the shares once, whoever asks for it and however often.
            models.UniqueConstraint(
                name="a_draw_moves_shares_once", fields=["mode", "draw_date"], condition=Q(origin="draw")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.mode} from {self.draw_date} on"
