"""Admin pages for clusters."""

from django.contrib import admin

from predictions.models import Cluster
from shiolplus.adminsite.changelist import RememberedFiltersAdmin
from shiolplus.adminsite.columns import ReadOnlyAdminMixin, datetime_column, truncated_column


@admin.register(Cluster)
class ClusterAdmin(ReadOnlyAdminMixin, RememberedFiltersAdmin):
    list_display = [
        "queue",
        "host",
        "state",
        datetime_column("started_at", "started"),
        datetime_column("last_heartbeat_at", "last heartbeat"),
        "restarts",
        truncated_column("trouble", 60, "restart reason"),
    ]
    list_filter = ["queue", "host", "status"]
    fields = [
        "holder",
        "queue",
        "host",
        "state",
        "started_at",
        "seen_at",
        "last_heartbeat_at",
        "restarts",
        "trouble",
    ]
    readonly_fields = ["state"]
