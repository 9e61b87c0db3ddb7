"""What staff want of each mode where a call does not say it."""

from django.db import models
from django.db.models import Q

from predictions.modes import MODE_NAMES


class ModePolicy(models.Model):
    """What staff want of a mode where a call does not say it: pipeline runs, above all."""

    mode = models.CharField(max_length=20, choices=[(name, name) for name in MODE_NAMES], unique=True)
    batch_size = models.PositiveIntegerField(default=100, help_text="Tickets a run.")
    keep_days = models.PositiveIntegerField(
        default=7, help_text="Its tickets are deleted when they are older."
    )
    priority = models.SmallIntegerField(default=0, help_text="A higher one is made first.")
    paused = models.BooleanField(
        default=False, help_text="Left out of new runs; batches that are enqueued are made all the same."
    )

    class Meta:
        ordering = ["id"]
        verbose_name_plural = "mode policies"
        constraints = [
            models.CheckConstraint(name="mode_policy_mode_known", condition=Q(mode__in=MODE_NAMES)),
            models.CheckConstraint(
                name="mode_policy_batch_size", condition=Q(batch_size__gte=1, batch_size__lte=10_000_000)
            ),
            models.CheckConstraint(
                name="mode_policy_keep_days", condition=Q(keep_days__gte=1, keep_days__lte=36_500)
            ),
            models.CheckConstraint(
                name="mode_policy_priority", condition=Q(priority__gte=-100, priority__lte=100)
            ),
        ]

    def __str__(self) -> str:
        return self.mode
