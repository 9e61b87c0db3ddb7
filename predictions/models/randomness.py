"""What was found in a set of draws."""

from django.db import models
from django.utils import timezone

from predictions.models.fields import SafeJSONField, SafeTextField


class RandomnessReport(models.Model):
    """What the tests of `predictions.draws.randomness` found in one set of draws."""

    draws = models.PositiveIntegerField()
    draws_through = models.DateField(help_text="The newest draw of the report.")
    draws_fingerprint = models.CharField(max_length=64, help_text="SHA-256 of the draws it is about.")
    figures = SafeJSONField(help_text="Every test's figures and verdict; p is null with too few draws.")
    verdict = SafeTextField(help_text="One sentence over all tests, corrected for their number.")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-draws_through", "-id"]
        constraints = [
            # The analytics step: the same draws again find their report, and nothing is done twice.
            models.UniqueConstraint(name="one_report_a_set_of_draws", fields=["draws_fingerprint"]),
        ]

    def __str__(self) -> str:
        return f"{self.draws} draws through {self.draws_through}"
