"""Clusters of workers and their liveness."""

from datetime import timedelta

from django.db import models
from django.db.models import Q
from django.utils import timezone

from predictions.models.fields import SafeCharField, SafeTextField

SEEN_WITHIN = timedelta(seconds=30)  # a watchdog checks every few seconds


class ClusterQuerySet(models.QuerySet["Cluster"]):
    def alive(self) -> "ClusterQuerySet":
        """Return the clusters that their watchdog has checked recently."""
        return self.filter(seen_at__gte=timezone.now() - SEEN_WITHIN).exclude(status=Cluster.Status.STOPPED)


class Cluster(models.Model):
    """One django-q2 cluster under a watchdog."""

    class Status(models.TextChoices):
        STARTING = "starting"
        RUNNING = "running"
        STOPPING = "stopping"
        STOPPED = "stopped"

    holder = SafeCharField(max_length=200, unique=True, help_text="The name in its workers' leases.")
    queue = models.CharField(max_length=40)
    host = SafeCharField(max_length=200)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.STARTING)
    key_fingerprint = models.CharField(
        max_length=64, help_text="Shows whether two hosts share the secret key without revealing it."
    )
    started_at = models.DateTimeField(default=timezone.now)
    seen_at = models.DateTimeField(default=timezone.now, help_text="Last check by its watchdog.")
    last_heartbeat_at = models.DateTimeField(null=True, help_text="Last sign of progress.")
    restarts = models.PositiveIntegerField(default=0, help_text="By the watchdog.")
    trouble = SafeTextField(default="", blank=True, help_text="Reason for the last restart.")

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
        return self.seen_at >= timezone.now() - SEEN_WITHIN and self.status != self.Status.STOPPED

    @property
    def state(self) -> str:
        """Return the status, unless the watchdog has stopped updating it."""
        return self.status if self.is_alive or self.status == self.Status.STOPPED else "not responding"
