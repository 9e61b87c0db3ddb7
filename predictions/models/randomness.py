"""Randomness reports."""

from django.db import models
from django.utils import timezone

from predictions.models.fields import SafeJSONField, SafeTextField


class RandomnessReport(models.Model):
    """Results of the tests in `predictions.draws.randomness` on one set of draws."""

    draws = models.PositiveIntegerField()
    draws_through = models.DateField(help_text="The newest draw of the report.")
    draws_fingerprint = models.CharField(max_length=64, help_text="SHA-256 of the draws.")
    figures = SafeJSONField(help_text="Figures and verdict per test; p is null for too few draws.")
    verdict = SafeTextField(help_text="One sentence on all tests, corrected for their number.")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-draws_through", "-id"]
        constraints = [
            # The analytics step reuses the report of an unchanged set of draws.
            models.UniqueConstraint(name="one_report_a_set_of_draws", fields=["draws_fingerprint"]),
        ]

    def __str__(self) -> str:
        return f"{self.draws} draws through {self.draws_through}"
