"""Restrict changes on Django Q's admin pages to superusers, as a Schedule can run any dotted path."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django_q.admin import FailAdmin, QueueAdmin, ScheduleAdmin, TaskAdmin
from django_q.models import Failure, OrmQ, Schedule, Success

from shiolplus.adminsite.changelist import RememberedFiltersAdmin


class SuperuserOnlyMixin(RememberedFiltersAdmin):
    """Ignore all permissions except viewing unless the user is a superuser."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.is_superuser and super().has_add_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return request.user.is_superuser and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return request.user.is_superuser and super().has_delete_permission(request, obj)

    def get_actions(self, request: HttpRequest, *args: Any, **kwargs: Any) -> dict[str, Any]:
        # Django Q's "Resubmit" action checks no permission. Django 6 passes a second argument.
        actions: dict[str, Any] = super().get_actions(request, *args, **kwargs)
        return actions if request.user.is_superuser else {}


class ScheduleForm(forms.ModelForm):
    """Reject schedules that cannot be scheduled again; otherwise they only fail when due."""

    def clean(self) -> dict[str, Any]:
        cleaned_data = super().clean() or {}
        is_cron = cleaned_data.get("schedule_type") == Schedule.CRON
        if is_cron and "cron" in cleaned_data and not cleaned_data["cron"]:
            self.add_error("cron", "Cron: this field is required, for example 30 4 * * *, in UTC.")
        return cleaned_data


class RestrictedScheduleAdmin(SuperuserOnlyMixin, ScheduleAdmin):
    """Schedules, which the clusters enqueue. Repeats 0 pauses a schedule."""

    form = ScheduleForm


class RestrictedQueueAdmin(SuperuserOnlyMixin, QueueAdmin):
    pass


class RestrictedSuccessAdmin(SuperuserOnlyMixin, TaskAdmin):
    pass


class RestrictedFailureAdmin(SuperuserOnlyMixin, FailAdmin):
    pass


for model, model_admin in (
    (Schedule, RestrictedScheduleAdmin),
    (OrmQ, RestrictedQueueAdmin),
    (Success, RestrictedSuccessAdmin),
    (Failure, RestrictedFailureAdmin),
):
    if admin.site.is_registered(model):  # OrmQ is only registered if the broker is the database
        admin.site.unregister(model)
        admin.site.register(model, model_admin)
