"""Predictions, and the shares of v1's strategies over time."""

from datetime import date

from django.db import models
from django.db.models import Q
from django.utils import timezone

from predictions.models.fields import SafeTextField
from predictions.models.pipeline import PipelineRun
from predictions.models.training import TrainedModel
from predictions.modes.registry import MODE_NAMES


class PredictionQuerySet(models.QuerySet["Prediction"]):
    def newest(self, mode: str, draw_date: date) -> "Prediction | None":
        """Return the prediction that a mode's tickets for a draw are generated from."""
        return self.filter(mode=mode, draw_date=draw_date).order_by("-id").first()


class Prediction(models.Model):
    """A mode's distribution for one draw, as a mixture of components."""

    mode = models.CharField(max_length=20, choices=[(name, name) for name in MODE_NAMES])
    draw_date = models.DateField()
    draws_through = models.DateField(help_text="The newest draw used.")
    model = models.ForeignKey(TrainedModel, on_delete=models.PROTECT, related_name="predictions")
    run = models.ForeignKey(PipelineRun, on_delete=models.PROTECT, related_name="predictions")
    components = models.JSONField(
        help_text="List of {strategy, share, white: 69 weights, powerball: 26 weights}."
    )
    note = SafeTextField(default="", blank=True, help_text="What the distribution omits, and why.")
    created_at = models.DateTimeField(default=timezone.now)
    evaluated_at = models.DateTimeField(null=True, help_text="When the log-losses were computed.")
    log_loss = models.FloatField(null=True, help_text="In nats, white balls and Powerball together.")
    white_log_loss = models.FloatField(null=True)
    powerball_log_loss = models.FloatField(null=True)

    objects = PredictionQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        indexes = [
            # `newest`, and the evaluation of predictions whose draw has become known.
            models.Index(name="idx_prediction_mode_draw", fields=["mode", "draw_date", "-id"]),
        ]
        constraints = [
            models.UniqueConstraint(name="one_prediction_a_mode_a_run", fields=["run", "mode"]),
        ]

    def __str__(self) -> str:
        return f"{self.mode} for {self.draw_date}"


class StrategyShares(models.Model):
    """The shares of a mode's strategies from a draw on; the newest row is current."""

    class Origin(models.TextChoices):
        DRAW = "draw"  # updated by the likelihoods of one draw
        RESET = "reset"  # set by an operator

    mode = models.CharField(max_length=20, choices=[(name, name) for name in MODE_NAMES])
    origin = models.CharField(max_length=10, choices=Origin.choices)
    draw_date = models.DateField(help_text="The draw that updated them, or the newest draw at a reset.")
    prediction = models.ForeignKey(
        Prediction,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        help_text="The prediction evaluated.",
    )
    shares = models.JSONField(help_text="{strategy: share}, from the next draw on.")
    log_losses = models.JSONField(default=dict, help_text="{strategy: nats} on this draw.")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "strategy shares"
        constraints = [
            # Concurrent and repeated runs apply a draw only once.
            models.UniqueConstraint(
                name="a_draw_moves_shares_once", fields=["mode", "draw_date"], condition=Q(origin="draw")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.mode} from {self.draw_date} on"
