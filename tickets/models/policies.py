"""Policies per mode: defaults for generation runs, edited by staff."""

from typing import TypedDict

from django.db import models
from django.db.models import Q

from predictions.modes.registry import MODE_NAMES

MAX_BATCH_SIZE = 10_000_000
MAX_DAYS = 36_500
MAX_PRIORITY = 100
PAUSED_REASON = "paused; staff who may change mode policies can resume it (admin: Mode policies)"


class EffectivePolicy(TypedDict):
    """The policy applied to a batch, recorded on its run."""

    batch_size: int
    cleanup_days: int
    priority: int


class ModePolicy(models.Model):
    """Defaults of a mode for values that a call of `generate_batch` does not specify."""

    mode = models.CharField(max_length=20, choices=[(name, name) for name in MODE_NAMES], unique=True)
    batch_size = models.PositiveIntegerField(default=100, help_text="Tickets per run.")
    keep_days = models.PositiveIntegerField(
        default=7, help_text="Days after which its unclaimed tickets are deleted."
    )
    priority = models.SmallIntegerField(default=0, help_text="Higher priorities are generated first.")
    max_ready = models.PositiveIntegerField(
        default=100_000,
        help_text="Maximum of available tickets per draw that replenishment orders up to; 0 disables it.",
    )
    paused = models.BooleanField(
        default=False, help_text="Excluded from new runs; batches already queued are still generated."
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
        """Return the policy to apply: the given values, then this policy's."""
        return EffectivePolicy(
            batch_size=batch_size or self.batch_size,
            cleanup_days=cleanup_days or self.keep_days,
            priority=self.priority if priority is None else priority,
        )


def get_policy(mode: str) -> ModePolicy:
    """Return a mode's policy, or an unsaved default."""
    return ModePolicy.objects.filter(mode=mode).first() or ModePolicy(mode=mode)


def policies_by_mode() -> dict[str, ModePolicy]:
    stored = {policy.mode: policy for policy in ModePolicy.objects.all()}
    return {mode: stored.get(mode) or ModePolicy(mode=mode) for mode in MODE_NAMES}
