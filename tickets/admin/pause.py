"""The pages that pause modes and let them go on: what stops and what does not, and then it is done."""

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


class _SwitchPage(ActionPage):
    """Sets of some modes whether new runs leave them out."""

    permission = "tickets.change_modepolicy"
    form_class = ModesForm

    pauses: ClassVar[bool]
    state: ClassVar[str]  # what a mode is then
    logged: ClassVar[str]

    def preview(self, asked: dict[str, Any]) -> dict[str, Any]:
        of_modes = policies_by_mode()
        modes = [(mode, of_modes[mode].paused == self.pauses) for mode in asked["modes"]]
        switched = [mode for mode, is_so_already in modes if not is_so_already]
        enqueued = TicketBatch.objects.unfinished().filter(mode__in=switched).order_by("id")
        return {
            "modes": modes,
            "switched": ", ".join(switched),
            "enqueued": list(enqueued) if self.pauses else [],
            "nothing_to_do": not switched,
        }

    def perform(self, request: HttpRequest, asked: dict[str, Any]) -> None:
        switched = [mode for mode in asked["modes"] if self._switch(request, mode)]
        if switched:
            text = f"From now on {self.state}: {', '.join(switched)}."
            self.model_admin.message_user(request, text, messages.SUCCESS)
        if already := [mode for mode in asked["modes"] if mode not in switched]:
            text = f"Already {self.state}: {', '.join(already)}."
            self.model_admin.message_user(request, text, messages.WARNING)

    def _switch(self, request: HttpRequest, mode: str) -> bool:
        """False where it is so already."""
        with transaction.atomic():
            policy, _ = ModePolicy.objects.get_or_create(mode=mode)
            other = ModePolicy.objects.filter(pk=policy.pk, paused=not self.pauses)
            if not other.update(paused=self.pauses):
                return False
            self.model_admin.log_change(request, policy, self.logged)
        return True


class PausePage(_SwitchPage):
    slug = "pause"
    title = "Pause modes"
    template = "admin/tickets/modepolicy/pause.html"
    pauses, state, logged = True, "paused", "Paused."


class ResumePage(_SwitchPage):
    slug = "resume"
    title = "Resume modes"
    template = "admin/tickets/modepolicy/resume.html"
    pauses, state, logged = False, "part of new runs", "Resumed."
