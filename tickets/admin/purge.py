"""Action page that purges tickets by batch, mode, draw and age."""

from datetime import date, datetime
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.views.main import SEARCH_VAR
from django.http import HttpRequest, HttpResponse

from predictions.admin.cluster_pages import ClusterActionPage
from predictions.modes.registry import MODE_NAMES
from predictions.powerball import check_ticket_date
from shiolplus.adminsite.action_pages import DateField, number_field, validating
from shiolplus.adminsite.changelist import NOT_FILTERS
from tickets.admin.batch_pages import BatchIds
from tickets.store import MAX_DAYS, days_ago, purge_batch
from tickets.store.purge import PurgeCandidate, enqueue_purge, needs_background, purge_candidates

FORM_FIELDS = {"mode__exact": "mode", "draw_date": "draw_date"}  # keyed by the list filter's parameter
UNSUPPORTED = "left_out"  # parameter with the unsupported list filters


class PurgeForm(forms.Form):
    batches = BatchIds("Leave empty for any batch.")
    mode = forms.ChoiceField(
        required=False,
        choices=[("", "any mode"), *((mode, mode) for mode in MODE_NAMES)],
        error_messages={
            "invalid_choice": f"Mode: %(value)s is not a mode; choose from {', '.join(MODE_NAMES)}."
        },
    )
    draw_date = DateField("Draw date", required=False, help_text="Leave empty for any draw.")
    days = number_field("Days", MAX_DAYS, required=False, label="Older than (days)")

    def clean_draw_date(self) -> date | None:
        day: date | None = self.cleaned_data["draw_date"]
        if day is not None:
            with validating("Draw date"):
                check_ticket_date(day)
        return day

    def clean(self) -> dict[str, Any]:
        if not self.errors and not any(self.cleaned_data.values()):
            raise forms.ValidationError("Enter at least one of batches, mode, draw date and days.")
        return self.cleaned_data


class PurgePage(ClusterActionPage):
    slug = "purge"
    title = "Purge tickets"
    permission = "tickets.delete_pregeneratedticket"
    form_class = PurgeForm
    template = "admin/tickets/pregeneratedticket/purge.html"

    def url_for_list(self, request: HttpRequest) -> str:
        """Return the page's URL with the list's filters as form values and the names of unsupported ones."""
        filters = {
            name: value for name, value in request.GET.dict().items() if value and name not in NOT_FILTERS
        }
        supported = {FORM_FIELDS[name]: value for name, value in filters.items() if name in FORM_FIELDS}
        unsupported = dict.fromkeys(filter_title(name) for name in filters if name not in FORM_FIELDS)
        return self.url(**supported, **{UNSUPPORTED: list(unsupported)})

    def get(self, request: HttpRequest) -> HttpResponse:
        """Warn instead of previewing if the list had filters that the purge does not support."""
        unsupported = request.GET.getlist(UNSUPPORTED)
        if not unsupported:
            return super().get(request)
        text = (
            f"The list was also filtered by {' and '.join(unsupported)}, which a purge does not support. "
            "The values below also select tickets that the list did not show."
        )
        self.model_admin.message_user(request, text, messages.WARNING)
        return self.render(request, PurgeForm(initial=request.GET.dict()))

    def preview_context(self, cleaned_data: dict[str, Any]) -> dict[str, Any]:
        candidates = find_candidates(cleaned_data, created_before(cleaned_data))
        by_mode: dict[str, int] = {}
        for batch, tickets in candidates:
            by_mode[batch.mode] = by_mode.get(batch.mode, 0) + tickets
        return {
            "candidates": [(batch, f"{tickets:,}") for batch, tickets in candidates],
            "by_mode": [(mode, f"{tickets:,}") for mode, tickets in by_mode.items()],
            "total": f"{sum(by_mode.values()):,}",
            "nothing_to_do": not candidates,
            "needs_cluster": needs_background(candidates),
        }

    def perform_action(self, request: HttpRequest, cleaned_data: dict[str, Any]) -> None:
        before = created_before(cleaned_data)
        candidates = find_candidates(cleaned_data, before)
        older = f" older than {cleaned_data['days']} days" if cleaned_data["days"] else ""
        if needs_background(candidates):
            enqueue_purge([candidate.batch.pk for candidate in candidates], before)
            for batch, tickets in candidates:
                self.model_admin.log_change(request, batch, f"Enqueued purge of {tickets} tickets{older}.")
            total = sum(candidate.tickets for candidate in candidates)
            text = f"{total:,} tickets are being purged in the background."
        else:
            total = 0
            for batch, _ in candidates:
                deleted = purge_batch(batch, before=before)
                total += deleted
                self.model_admin.log_change(request, batch, f"Purged {deleted} tickets{older}.")
            text = f"{total:,} tickets purged."
        self.model_admin.message_user(request, text, messages.SUCCESS)


def filter_title(name: str) -> str:
    """Return a readable name of a list filter, such as "created at" for `created_at__gte`."""
    return "a search" if name == SEARCH_VAR else name.split("__")[0].replace("_", " ")


def created_before(cleaned_data: dict[str, Any]) -> datetime | None:
    return days_ago(cleaned_data["days"]) if cleaned_data["days"] else None


def find_candidates(cleaned_data: dict[str, Any], before: datetime | None) -> list[PurgeCandidate]:
    return purge_candidates(
        cleaned_data["batches"], cleaned_data["mode"] or None, cleaned_data["draw_date"], before
    )
