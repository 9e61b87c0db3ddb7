"""What staff want of each mode where a call does not say it."""

from typing import TypedDict

from django.db import models
from django.db.models import Q

from predictions.modes.registry import MODE_NAMES

MAX_BATCH_SIZE = 10_000_000
MAX_DAYS = 36_500
MAX_PRIORITY = 100
PAUSED_REASON = "paused; staff who may change mode policies can let it go on (admin: Mode policies)"


class EffectivePolicy(TypedDict):
    """What a batch is made by, as its run keeps it."""

    batch_size: int
    cleanup_days: int
    priority: int


class ModePolicy(models.Model):
    """What staff want of a mode where a call does not say it: pipeline runs, above all."""

    mode = models.CharField(max_length=20, choices=[(name, name) for name in MODE_NAMES], unique=True)
    batch_size = models.PositiveIntegerField(default=100, help_text="Tickets a run.")
    keep_days = models.PositiveIntegerField(
        default=7, help_text="Its tickets are deleted when they are older."
    )
    priority = models.SmallIntegerField(default=0, help_text="A higher one is made first.")
    max_ready = models.PositiveIntegerField(
        default=100_000,
        help_text="Replenishment leaves no more free tickets than that for a draw; 0: it makes none.",
    )
    paused = models.BooleanField(
        default=False, help_text="Left out of new runs; batches that are enqueued are made all the same."
    )

    class Meta:
        ordering = ["id"]
        verbose_name_plural = "mode policies"
        constraints = [
            models.CheckConstraint(name="mode_policy_mode_known", condition=Q(mode__in=MODE_NAMES)),
            models.CheckConstraint(
                name="mode_policy_batch_size", condition=Q(batch_size__gte=1, batch_size__lte=MAX_BATCH_SIZE)
            ),
            models.CheckConstraint(
                name="mode_policy_keep_days", condition=Q(keep_days__gte=1, keep_days__lte=MAX_DAYS)
            ),
            models.CheckConstraint(name="mode_policy_max_ready", condition=Q(max_ready__lte=MAX_BATCH_SIZE)),
            models.CheckConstraint(
                name="mode_policy_priority",
                condition=Q(priority__gte=-MAX_PRIORITY, priority__lte=MAX_PRIORITY),
            ),
        ]

    def __str__(self) -> str:
        return self.mode

    def effective(
        self, batch_size: int | None = None, cleanup_days: int | None = None, priority: int | None = None
    ) -> EffectivePolicy:
        """What holds for a call: what it says, and what the policy says of the rest."""
        return EffectivePolicy(
            batch_size=batch_size or self.batch_size,
            cleanup_days=cleanup_days or self.keep_days,
            priority=self.priority if priority is None else priority,
        )


def policy_of(mode: str) -> ModePolicy:
    """A mode's policy, or the defaults where nobody has made one."""
    return ModePolicy.objects.filter(mode=mode).first() or ModePolicy(mode=mode)


def policies_by_mode() -> dict[str, ModePolicy]:
    """All modes' policies, or the defaults, in the modes' order."""
    made = {policy.mode: policy for policy in ModePolicy.objects.all()}
    return {mode: made.get(mode) or ModePolicy(mode=mode) for mode in MODE_NAMES}
