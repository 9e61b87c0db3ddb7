"""The page that makes a mode's tickets for a draw anew: what is made and what goes for it, then the order."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest

from predictions.admin.cluster_pages import ClusterActionPage
from predictions.admin.fields import TicketDayField, run_id_field
from predictions.models import new_run_id
from predictions.modes.registry import MODE_NAMES
from shiolplus.adminsite.action_pages import ActionRefused, choice_field, number_field
from tickets.generation.regeneration import regenerate, regeneration
from tickets.models.policies import MAX_BATCH_SIZE


class RegenerateForm(forms.Form):
    mode = choice_field("Mode", {mode: mode for mode in MODE_NAMES})
    draw_date = TicketDayField()
    size = number_field(
        "Size",
        MAX_BATCH_SIZE,
        required=False,
        help_text="Tickets to make. Left empty: as many as go, and no fewer than the mode's policy says.",
    )
    run_id = run_id_field()


class RegeneratePage(ClusterActionPage):
    """It makes tickets and deletes tickets, so it is for those who may do both."""

    slug = "regenerate"
    title = "Regenerate a mode"
    permission = "tickets.add_generationrun"
    deleting_permission = "tickets.delete_pregeneratedticket"
    form_class = RegenerateForm
    template = "admin/tickets/generationrun/regenerate.html"
    needs_cluster = True

    def is_allowed(self, request: HttpRequest) -> bool:
        return super().is_allowed(request) and request.user.has_perm(self.deleting_permission)

    def preview(self, asked: dict[str, Any]) -> dict[str, Any]:
        try:
            planned = regeneration(asked["mode"], asked["draw_date"], asked["size"])
        except ValueError as error:
            raise _refused(asked, error) from error
        return {
            "planned": planned,
            "size": f"{planned.size:,}",
            "total": f"{sum(one.tickets for one in planned.replaced):,}",
            "replaced": [
                (batch, f"{tickets:,}", f"{batch.stored - tickets:,}") for batch, tickets in planned.replaced
            ],
            "confirm": {"draw_date": str(planned.draw_date), "size": str(planned.size)},
        }

    def perform(self, request: HttpRequest, asked: dict[str, Any]) -> None:
        mode, day = asked["mode"], asked["draw_date"]
        try:
            run, replaced = regenerate(mode, day, asked["size"], asked["run_id"] or new_run_id("admin"))
        except ValueError as error:
            raise _refused(asked, error) from error
        if replaced is None:
            text = f"Run {run} exists already; nothing is made twice."
            self.model_admin.message_user(request, text, messages.WARNING)
            return
        new = run.batches.get(mode=mode)
        named = f"batch {', '.join(str(one.pk) for one in replaced)}" if replaced else "nothing"
        order = f"{new.requested:,} tickets of {mode} for {day}, which replace {named} once they are ready"
        self.model_admin.log_addition(request, run, f"Ordered {order}.")
        for batch in replaced:
            text = f"Its unclaimed tickets are purged once batch {new.pk} is ready."
            self.model_admin.log_change(request, batch, text)
        self.model_admin.message_user(request, f"Run {run} is enqueued: {order}.", messages.SUCCESS)


def _refused(asked: dict[str, Any], reason: ValueError) -> ActionRefused:
    return ActionRefused(f"Mode {asked['mode']} cannot be regenerated: {reason}.")
