"""Action page that replaces a mode's unclaimed tickets for a draw."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest

from predictions.admin.cluster_pages import ClusterActionPage
from predictions.admin.fields import TicketDateField, run_id_field
from predictions.models import new_run_id
from predictions.modes.registry import MODE_NAMES
from shiolplus.adminsite.action_pages import choice_field, number_field, refusing
from tickets.generation.regeneration import plan_regeneration, regenerate
from tickets.models.policies import MAX_BATCH_SIZE


class RegenerateForm(forms.Form):
    mode = choice_field("Mode", {mode: mode for mode in MODE_NAMES})
    draw_date = TicketDateField()
    size = number_field(
        "Size",
        MAX_BATCH_SIZE,
        required=False,
        help_text="Tickets. Leave empty for as many as will be replaced, at least the policy's batch size.",
    )
    run_id = run_id_field()


class RegeneratePage(ClusterActionPage):
    slug = "regenerate"
    title = "Regenerate a mode"
    permission = "tickets.add_generationrun"
    delete_permission = "tickets.delete_pregeneratedticket"
    form_class = RegenerateForm
    template = "admin/tickets/generationrun/regenerate.html"
    needs_cluster = True

    def is_allowed(self, request: HttpRequest) -> bool:
        return super().is_allowed(request) and request.user.has_perm(self.delete_permission)

    def preview_context(self, cleaned_data: dict[str, Any]) -> dict[str, Any]:
        with refusing(f"Mode {cleaned_data['mode']} cannot be regenerated"):
            planned = plan_regeneration(cleaned_data["mode"], cleaned_data["draw_date"], cleaned_data["size"])
        return {
            "planned": planned,
            "size": f"{planned.size:,}",
            "total": f"{sum(candidate.tickets for candidate in planned.replaced):,}",
            "replaced": [
                (batch, f"{tickets:,}", f"{batch.stored - tickets:,}") for batch, tickets in planned.replaced
            ],
            "confirm": {"draw_date": str(planned.draw_date), "size": str(planned.size)},
        }

    def perform_action(self, request: HttpRequest, cleaned_data: dict[str, Any]) -> None:
        mode, day = cleaned_data["mode"], cleaned_data["draw_date"]
        with refusing(f"Mode {mode} cannot be regenerated"):
            run, replaced = regenerate(
                mode, day, cleaned_data["size"], cleaned_data["run_id"] or new_run_id("admin")
            )
        if replaced is None:
            text = f"Run {run} already exists; no new batch was created."
            self.model_admin.message_user(request, text, messages.WARNING)
            return
        new = run.batches.get(mode=mode)
        old = f"batch {', '.join(str(batch.pk) for batch in replaced)}" if replaced else "nothing"
        summary = f"{new.requested:,} tickets of {mode} for {day}, replacing {old} when ready"
        self.model_admin.log_addition(request, run, f"Requested {summary}.")
        for batch in replaced:
            text = f"Unclaimed tickets will be purged when batch {new.pk} is ready."
            self.model_admin.log_change(request, batch, text)
        self.model_admin.message_user(request, f"Run {run} enqueued: {summary}.", messages.SUCCESS)
