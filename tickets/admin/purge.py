"""The page that purges tickets: by batch, mode, draw and age, shown first and then done or enqueued."""

from datetime import date, datetime
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.options import IS_FACETS_VAR, IS_POPUP_VAR
from django.contrib.admin.views.main import ALL_VAR, ERROR_FLAG, ORDER_VAR, PAGE_VAR, SEARCH_VAR
from django.http import HttpRequest, HttpResponse
from django.utils.http import urlencode

from predictions.admin.cluster_pages import ClusterActionPage
from predictions.modes.registry import MODE_NAMES
from predictions.powerball import check_ticket_day
from shiolplus.adminsite.action_pages import DateField, number_field
from tickets.admin.batch_pages import BatchIds
from tickets.store import MAX_DAYS, days_ago, purge_batch
from tickets.store.purge import PurgeCandidate, enqueue_purge, needs_background, purge_candidates

CARRIED = {"mode__exact": "mode", "draw_date": "draw_date"}  # the list's filters, as the form names them
NO_FILTERS = (PAGE_VAR, ORDER_VAR, ALL_VAR, ERROR_FLAG, IS_FACETS_VAR, IS_POPUP_VAR)
LEFT_OUT = "left_out"  # what else the list is filtered by


class PurgeForm(forms.Form):
    batches = BatchIds("Left empty: any batch.")
    mode = forms.ChoiceField(
        required=False,
        choices=[("", "any mode"), *((mode, mode) for mode in MODE_NAMES)],
        error_messages={
            "invalid_choice": f"Mode: %(value)s is not one; allowed are {', '.join(MODE_NAMES)}."
        },
    )
    draw_date = DateField("Draw date", required=False, help_text="Left empty: any draw.")
    days = number_field("Days", MAX_DAYS, required=False, label="Older than, days")

    def clean_draw_date(self) -> date | None:
        day: date | None = self.cleaned_data["draw_date"]
        try:
            if day is not None:
                check_ticket_day(day)
        except ValueError as error:
            raise forms.ValidationError(f"Draw date: {error}.") from error
        return day

    def clean(self) -> dict[str, Any]:
        asked = self.cleaned_data
        if not self.errors and not any(asked.values()):
            raise forms.ValidationError("Name at least one of batches, mode, draw date and days.")
        return asked


class PurgePage(ClusterActionPage):
    slug = "purge"
    title = "Purge tickets"
    permission = "tickets.delete_pregeneratedticket"
    form_class = PurgeForm
    template = "admin/tickets/pregeneratedticket/purge.html"

    def url_for_list(self, request: HttpRequest) -> str:
        """With the list's filters, so that what is filtered is what is purged; others are said."""
        asked = {
            name: value for name, value in request.GET.dict().items() if value and name not in NO_FILTERS
        }
        carried = [(CARRIED[name], value) for name, value in asked.items() if name in CARRIED]
        others = [(LEFT_OUT, _said(name)) for name in asked if name not in CARRIED]
        query = urlencode(carried + list(dict.fromkeys(others)))
        return f"{self.url}?{query}" if query else self.url

    def get(self, request: HttpRequest) -> HttpResponse:
        """Coming from a list that shows fewer tickets than would go, one sees that before any preview."""
        left_out = request.GET.getlist(LEFT_OUT)
        if not left_out:
            return super().get(request)
        text = (
            f"The list was also filtered by {' and '.join(left_out)}, by which nothing can be purged: "
            "what is named here takes tickets that the list did not show."
        )
        self.model_admin.message_user(request, text, messages.WARNING)
        return self.render(request, PurgeForm(initial=request.GET.dict()))

    def preview(self, asked: dict[str, Any]) -> dict[str, Any]:
        doomed = _doomed(asked, _before(asked))
        by_mode: dict[str, int] = {}
        for batch, tickets in doomed:
            by_mode[batch.mode] = by_mode.get(batch.mode, 0) + tickets
        return {
            "doomed": [(batch, f"{tickets:,}") for batch, tickets in doomed],
            "by_mode": [(mode, f"{tickets:,}") for mode, tickets in by_mode.items()],
            "total": f"{sum(by_mode.values()):,}",
            "nothing_to_do": not doomed,
            "needs_cluster": needs_background(doomed),
        }

    def perform(self, request: HttpRequest, asked: dict[str, Any]) -> None:
        before = _before(asked)
        doomed = _doomed(asked, before)
        older = f" older than {asked['days']} days" if asked["days"] else ""
        if needs_background(doomed):
            enqueue_purge(doomed, before)
            for batch, tickets in doomed:
                self.model_admin.log_change(
                    request, batch, f"Enqueued the purge of {tickets} tickets{older}."
                )
            total = sum(one.tickets for one in doomed)
            text = f"{total:,} tickets are purged in the background; their batches' stock falls as they go."
        else:
            total = 0
            for batch, _ in doomed:
                deleted = purge_batch(batch, before=before)
                total += deleted
                self.model_admin.log_change(request, batch, f"Purged {deleted} tickets{older}.")
            text = f"{total:,} tickets purged."
        self.model_admin.message_user(request, text, messages.SUCCESS)


def _said(name: str) -> str:
    """A filter of the list for people: `created_at__gte` is "created at"."""
    return "a search" if name == SEARCH_VAR else name.split("__")[0].replace("_", " ")


def _before(asked: dict[str, Any]) -> datetime | None:
    return days_ago(asked["days"]) if asked["days"] else None


def _doomed(asked: dict[str, Any], before: datetime | None) -> list[PurgeCandidate]:
    return purge_candidates(asked["batches"], asked["mode"] or None, asked["draw_date"], before)
