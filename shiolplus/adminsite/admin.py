"""Read-only lists of django-axes' sign-in records, for superusers."""

from typing import Any

from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.contrib import admin
from django.http import HttpRequest

from shiolplus.adminsite.changelist import RememberedFiltersAdmin
from shiolplus.adminsite.columns import ReadOnlyAdminMixin


class SignInRecordAdmin(ReadOnlyAdminMixin, RememberedFiltersAdmin):
    search_fields = ["username", "ip_address"]
    search_help_text = "User name or IP address"
    ordering = ["-attempt_time", "-pk"]

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_active and request.user.is_superuser)


@admin.register(AccessAttempt)
class AttemptAdmin(SignInRecordAdmin):
    """Failures that count towards a current lock-out."""

    list_display = ["attempt_time", "username", "ip_address", "failures_since_start", "user_agent"]
    exclude = ["get_data", "post_data"]


@admin.register(AccessFailureLog)
class FailureAdmin(SignInRecordAdmin):
    list_display = ["attempt_time", "username", "ip_address", "locked_out", "user_agent"]
    list_filter = ["locked_out"]


@admin.register(AccessLog)
class SuccessAdmin(SignInRecordAdmin):
    list_display = ["attempt_time", "logout_time", "username", "ip_address", "user_agent"]
    exclude = ["session_hash"]
