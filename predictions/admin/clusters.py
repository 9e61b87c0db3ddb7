"""The admin's page for the clusters: which live, on which host, and when each last got something done."""

from django.contrib import admin

from predictions.models import Cluster
from shiolplus.adminsite.changelist import Browsed
from shiolplus.adminsite.columns import ReadOnly, minute, shortened


@admin.register(Cluster)
class ClusterAdmin(ReadOnly, Browsed):
    list_display = [
        "queue",
        "host",
        "state",
        minute("started_at", "started"),
        minute("sign_at", "last sign"),
        "restarts",
        shortened("trouble", 60),
    ]
    list_filter = ["queue", "host", "status"]
    fields = ["holder", "queue", "host", "state", "started_at", "seen_at", "sign_at", "restarts", "trouble"]
    readonly_fields = ["state"]
