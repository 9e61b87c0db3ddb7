"""Walk-forward backtests and their folds."""

import math

from django.db import models
from django.db.models import Q

from predictions.models.fields import SafeJSONField, SafeTextField
from predictions.models.timed import TimedModel
from predictions.modes.registry import MEASURED_NAMES


class BacktestQuerySet(models.QuerySet["Backtest"]):
    def with_results(self) -> "BacktestQuerySet":
        """Return the completed and partial backtests, newest first."""
        return self.filter(status__in=(Backtest.Status.COMPLETED, Backtest.Status.PARTIAL)).order_by("-id")


class Backtest(TimedModel):
    """A backtest of modes and the baseline on the newest draws; a `running` one can be resumed."""

    class Status(models.TextChoices):
        RUNNING = "running"
        COMPLETED = "completed"
        PARTIAL = "partial"
        FAILED = "failed"

    status = models.CharField(max_length=10, choices=Status.choices, default=Status.RUNNING)
    modes = models.JSONField(help_text="In their usual order, then the baseline.")
    draws = models.PositiveIntegerField(help_text="Number of newest draws tested.")
    refit_every = models.PositiveIntegerField(help_text="Number of draws per fit.")
    seed = models.BigIntegerField()
    draws_known = models.PositiveIntegerField(
        help_text="Number of draws of the era, including the tested ones."
    )
    tested_from = models.DateField(help_text="The oldest tested draw.")
    draws_through = models.DateField(help_text="The newest tested draw.")
    draws_fingerprint = models.CharField(max_length=64, help_text="SHA-256 of all draws of the era.")
    versions = SafeJSONField(help_text="{mode: {code_version, parameters}}, including dependencies.")
    results = SafeJSONField(default=dict, help_text="{mode: figures vs. uniform}, once finished.")

    objects = BacktestQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                name="backtest_status_known",
                condition=Q(status__in=["running", "completed", "partial", "failed"]),
            ),
            models.CheckConstraint(
                name="backtest_has_draws", condition=Q(draws__gte=1) & Q(refit_every__gte=1)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.draws} draws through {self.draws_through}"

    @property
    def folds_per_mode(self) -> int:
        return math.ceil(self.draws / self.refit_every)


class BacktestFold(models.Model):
    """One segment of a backtest: a mode's predictions of consecutive draws after one fit, or the error."""

    backtest = models.ForeignKey(Backtest, on_delete=models.CASCADE, related_name="folds")
    mode = models.CharField(max_length=20, choices=[(name, name) for name in MEASURED_NAMES])
    first = models.PositiveIntegerField(
        help_text="Index of its first draw among the draws of the era, from 0."
    )
    draws = models.PositiveIntegerField()
    figures = SafeJSONField(default=dict, help_text="Losses and matches per draw; empty after an error.")
    seconds = models.FloatField(help_text="Run time of the fold's process, including imports.")
    error = SafeTextField(default="", blank=True)

    class Meta:
        ordering = ["backtest", "mode", "first"]
        verbose_name_plural = "backtest folds"
        constraints = [
            # Two commands that resume one backtest store each fold once.
            models.UniqueConstraint(name="one_fold_per_mode_and_draw", fields=["backtest", "mode", "first"]),
        ]

    def __str__(self) -> str:
        return f"{self.mode} from draw {self.first} on"
