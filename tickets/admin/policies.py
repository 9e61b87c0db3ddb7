"""Admin pages for mode policies."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from shiolplus.adminsite.action_pages import ActionAdmin, Button
from tickets.admin.pause import PausePage, ResumePage
from tickets.models.policies import MAX_BATCH_SIZE, MAX_DAYS, MAX_PRIORITY, ModePolicy

MAX_SHOWN = 40  # characters of an invalid value shown in an error


class WholeNumber(forms.IntegerField):
    """A whole number field whose errors name the field, the value and the range."""

    def __init__(self, name: str, lowest: int, highest: int, **options: Any) -> None:
        super().__init__(min_value=lowest, max_value=highest, label=name, **options)
        self.name, self.lowest, self.highest = name, lowest, highest

    def clean(self, value: Any) -> Any:
        try:
            return super().clean(value)
        except forms.ValidationError as error:
            problem = f"{str(value)[:MAX_SHOWN]!r} is not allowed" if value else "a value is required"
            raise forms.ValidationError(
                f"{self.name}: {problem}; enter a whole number from {self.lowest:,} to {self.highest:,}."
            ) from error


class PolicyForm(forms.ModelForm):
    batch_size = WholeNumber("Batch size", 1, MAX_BATCH_SIZE, help_text="Tickets per run.")
    keep_days = WholeNumber("Keep days", 1, MAX_DAYS, help_text="Older tickets are deleted.")
    max_ready = WholeNumber(
        "Max ready",
        0,
        MAX_BATCH_SIZE,
        help_text="Replenishment stops at this many available tickets per draw; 0 disables it.",
    )
    priority = WholeNumber(
        "Priority",
        -MAX_PRIORITY,
        MAX_PRIORITY,
        help_text="Batches with a higher priority are generated first.",
    )

    class Meta:
        model = ModePolicy
        fields = ["batch_size", "keep_days", "max_ready", "priority", "paused"]


@admin.register(ModePolicy)
class ModePolicyAdmin(ActionAdmin):
    """A migration creates one policy per mode; none can be added or deleted."""

    form = PolicyForm
    list_display = ["mode", "size", "keep_days", "ready", "priority", "state"]
    fields = ["mode", "batch_size", "keep_days", "max_ready", "priority", "paused"]
    readonly_fields = ["mode"]
    actions = ["pause_selected", "resume_selected"]
    action_pages = [PausePage, ResumePage]

    @admin.display(description="batch size", ordering="batch_size")
    def size(self, policy: ModePolicy) -> str:
        return f"{policy.batch_size:,}"

    @admin.display(description="max ready", ordering="max_ready")
    def ready(self, policy: ModePolicy) -> str:
        return f"{policy.max_ready:,}"

    @admin.display(description="new runs", ordering="paused")
    def state(self, policy: ModePolicy) -> str:
        # Not a boolean icon: a red cross for "not paused" would look like an error.
        return "paused" if policy.paused else "included"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    @admin.action(description="Pause the selected modes", permissions=["change"])
    def pause_selected(self, request: HttpRequest, modes: QuerySet[ModePolicy]) -> HttpResponse:
        return HttpResponseRedirect(PausePage(self).url(modes=modes.values_list("mode", flat=True)))

    @admin.action(description="Resume the selected modes", permissions=["change"])
    def resume_selected(self, request: HttpRequest, modes: QuerySet[ModePolicy]) -> HttpResponse:
        return HttpResponseRedirect(ResumePage(self).url(modes=modes.values_list("mode", flat=True)))

    def row_actions(self, request: HttpRequest, policy: ModePolicy) -> list[Button]:
        if not self.has_change_permission(request, policy):
            return []
        title, page = ("Resume", ResumePage(self)) if policy.paused else ("Pause", PausePage(self))
        return [(title, page.url(modes=policy.mode))]
