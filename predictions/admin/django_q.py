"""The queue's own pages: changed by superusers only, for a Schedule can run any dotted path."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django_q.admin import FailAdmin, QueueAdmin, ScheduleAdmin, TaskAdmin
from django_q.models import Failure, OrmQ, Schedule, Success

from shiolplus.adminsite.changelist import RememberedFiltersAdmin


class SuperuserOnlyMixin(RememberedFiltersAdmin):
    """Permissions beyond looking count for superusers only."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.is_superuser and super().has_add_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return request.user.is_superuser and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return request.user.is_superuser and super().has_delete_permission(request, obj)

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """ "Resubmit" asks for no permission of its own."""
        actions: dict[str, Any] = super().get_actions(request)
        return actions if request.user.is_superuser else {}


class ScheduleForm(forms.ModelForm):
    """What a row must have to be due again; a bad one is otherwise met only when its time has come."""

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        if given.get("schedule_type") == Schedule.CRON and "cron" in given and not given["cron"]:
            self.add_error("cron", "Cron: is missing; allowed is such as 30 4 * * *, in UTC.")
        return given


class RestrictedScheduleAdmin(SuperuserOnlyMixin, ScheduleAdmin):
    """Their tasks are sent by `run_cluster`; repeats 0 is a pause, and a failed sending is the last run."""

    form = ScheduleForm


class RestrictedQueueAdmin(SuperuserOnlyMixin, QueueAdmin):
    pass


class RestrictedSuccessAdmin(SuperuserOnlyMixin, TaskAdmin):
    pass


class RestrictedFailureAdmin(SuperuserOnlyMixin, FailAdmin):
    pass


for model, guarded in (
    (Schedule, RestrictedScheduleAdmin),
    (OrmQ, RestrictedQueueAdmin),
    (Success, RestrictedSuccessAdmin),
    (Failure, RestrictedFailureAdmin),
):
    if admin.site.is_registered(model):  # the queued tasks only where the broker is the database
        admin.site.unregister(model)
        admin.site.register(model, guarded)
