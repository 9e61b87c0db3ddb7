"""What modes were worth on past draws, walked forward fold by fold."""

import math

from django.db import models
from django.db.models import Q

from predictions.models.fields import SafeJSONField, SafeTextField
from predictions.models.timed import TimedModel
from predictions.modes.registry import MEASURED_NAMES


class BacktestQuerySet(models.QuerySet["Backtest"]):
    def with_results(self) -> "BacktestQuerySet":
        """Those that measured something to the end, the newest first."""
        return self.filter(status__in=(Backtest.Status.COMPLETED, Backtest.Status.PARTIAL)).order_by("-id")


class Backtest(TimedModel):
    """Modes and their baseline on the newest draws; one that is `running` may be interrupted and resumed."""

    class Status(models.TextChoices):
        RUNNING = "running"
        COMPLETED = "completed"
        PARTIAL = "partial"
        FAILED = "failed"

    status = models.CharField(max_length=10, choices=Status.choices, default=Status.RUNNING)
    modes = models.JSONField(help_text="In their usual order, and the baseline after them.")
    draws = models.PositiveIntegerField(help_text="How many of the newest draws are tested.")
    refit_every = models.PositiveIntegerField(help_text="Draws from one fit to the next.")
    seed = models.BigIntegerField()
    draws_known = models.PositiveIntegerField(help_text="Of the era, the tested ones among them.")
    tested_from = models.DateField(help_text="The oldest draw that is tested.")
    draws_through = models.DateField(help_text="The newest draw that is known, and tested.")
    draws_fingerprint = models.CharField(max_length=64, help_text="SHA-256 of all draws that are known.")
    versions = SafeJSONField(help_text="{mode: {code_version, parameters}}, those modes are made of too.")
    results = SafeJSONField(default=dict, help_text="{mode: figures beside uniform}, once it has ended.")

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
    """A mode on some draws in a row, after one fit on the draws before them; or why there is nothing."""

    backtest = models.ForeignKey(Backtest, on_delete=models.CASCADE, related_name="folds")
    mode = models.CharField(max_length=20, choices=[(name, name) for name in MEASURED_NAMES])
    first = models.PositiveIntegerField(help_text="Its first draw, as a place among the known ones from 0.")
    draws = models.PositiveIntegerField()
    figures = SafeJSONField(default=dict, help_text="Losses and matches draw by draw; empty after an error.")
    seconds = models.FloatField(help_text="Of the fold's process, imports included.")
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
