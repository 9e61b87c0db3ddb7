"""Action pages that pause and resume modes."""

from typing import Any, ClassVar

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest

from predictions.modes.registry import MODE_NAMES
from shiolplus.adminsite.action_pages import ActionPage, modes_field
from tickets.models import TicketBatch
from tickets.models.policies import ModePolicy, policies_by_mode


class ModesForm(forms.Form):
    modes = modes_field(MODE_NAMES, [])


class _PauseStatePage(ActionPage):
    """Set whether new runs exclude the selected modes."""

    permission = "tickets.change_modepolicy"
    form_class = ModesForm

    pauses: ClassVar[bool]
    past_participle: ClassVar[str]

    def preview_context(self, cleaned_data: dict[str, Any]) -> dict[str, Any]:
        policies = policies_by_mode()
        modes = [(mode, policies[mode].paused == self.pauses) for mode in cleaned_data["modes"]]
        changing = [mode for mode, is_unchanged in modes if not is_unchanged]
        unfinished = TicketBatch.objects.unfinished().filter(mode__in=changing).order_by("id")
        return {
            "modes": modes,
            "changing": ", ".join(changing),
            "unfinished": list(unfinished) if self.pauses else [],
            "nothing_to_do": not changing,
        }

    def perform_action(self, request: HttpRequest, cleaned_data: dict[str, Any]) -> None:
        changed = [mode for mode in cleaned_data["modes"] if self.set_paused(request, mode)]
        if changed:
            text = f"{self.past_participle.capitalize()}: {', '.join(changed)}."
            self.model_admin.message_user(request, text, messages.SUCCESS)
        if unchanged := [mode for mode in cleaned_data["modes"] if mode not in changed]:
            state = "paused" if self.pauses else "active"
            self.model_admin.message_user(
                request, f"Already {state}: {', '.join(unchanged)}.", messages.WARNING
            )

    def set_paused(self, request: HttpRequest, mode: str) -> bool:
        """Update the mode's policy and log the change. Return False if nothing changed."""
        with transaction.atomic():
            policy, _ = ModePolicy.objects.get_or_create(mode=mode)
            other_state = ModePolicy.objects.filter(pk=policy.pk, paused=not self.pauses)
            if not other_state.update(paused=self.pauses):
                return False
            self.model_admin.log_change(request, policy, f"{self.past_participle.capitalize()}.")
        return True


class PausePage(_PauseStatePage):
    slug = "pause"
    title = "Pause modes"
    template = "admin/tickets/modepolicy/pause.html"
    pauses, past_participle = True, "paused"


class ResumePage(_PauseStatePage):
    slug = "resume"
    title = "Resume modes"
    template = "admin/tickets/modepolicy/resume.html"
    pauses, past_participle = False, "resumed"
