"""The clusters that do the work, as those who watch them see them."""

from datetime import timedelta

from django.db import models
from django.db.models import Q
from django.utils import timezone

from predictions.models.fields import SafeCharField, SafeTextField

SEEN_WITHIN = timedelta(seconds=30)  # a watchdog looks every few seconds


class ClusterQuerySet(models.QuerySet["Cluster"]):
    def alive(self) -> "ClusterQuerySet":
        """Those whose watchdog has looked at them lately."""
        return self.filter(seen_at__gte=timezone.now() - SEEN_WITHIN).exclude(status=Cluster.Status.STOPPED)


class Cluster(models.Model):
    """One django-q2 cluster under a watchdog: its host, its queue, and when its workers last gave a sign."""

    class Status(models.TextChoices):
        STARTING = "starting"
        RUNNING = "running"
        STOPPING = "stopping"
        STOPPED = "stopped"

    holder = SafeCharField(max_length=200, unique=True, help_text="What its workers sign leases with.")
    queue = models.CharField(max_length=40)
    host = SafeCharField(max_length=200)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.STARTING)
    key_fingerprint = models.CharField(
        max_length=64, help_text="Tells whether two hosts share the secret key, and not what it is."
    )
    started_at = models.DateTimeField(default=timezone.now)
    seen_at = models.DateTimeField(default=timezone.now, help_text="When its watchdog last looked.")
    last_heartbeat_at = models.DateTimeField(
        null=True, help_text="When it last showed that it gets work done."
    )
    restarts = models.PositiveIntegerField(default=0, help_text="By the watchdog.")
    trouble = SafeTextField(default="", blank=True, help_text="Why it was last restarted.")

    objects = ClusterQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                name="cluster_status_known",
                condition=Q(status__in=["starting", "running", "stopping", "stopped"]),
            ),
        ]

    def __str__(self) -> str:
        return self.holder

    @property
    def is_alive(self) -> bool:
        """As the query `alive` has it."""
        return self.seen_at >= timezone.now() - SEEN_WITHIN and self.status != self.Status.STOPPED

    @property
    def state(self) -> str:
        """What its watchdog says of it, unless that has fallen silent."""
        return self.status if self.is_alive or self.status == self.Status.STOPPED else "not seen any more"
