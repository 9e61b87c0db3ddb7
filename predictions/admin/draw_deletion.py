"""Action page that deletes draws, with a preview of what was computed from them."""

import re
from datetime import date
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.models import DELETION
from django.db import transaction
from django.http import HttpRequest

from predictions.draws.deletion import (
    REASON_LENGTH,
    clean_reason,
    delete_draws,
    draws_to_delete,
    preview_deletion,
)
from predictions.models import Draw
from shiolplus.adminsite.action_pages import ActionPage, ActionRefused, refusing, validating
from shiolplus.adminsite.changelist import log_list_action


class DrawDates(forms.CharField):
    """A possibly empty list of dates, cleaned to a sorted list."""

    def clean(self, value: Any) -> list[date]:
        text: str = super().clean(value)
        words = re.split(r"[\s,]+", text.strip()) if text.strip() else []
        dates = set()
        for word in words:
            try:
                dates.add(date.fromisoformat(word))
            except ValueError as error:
                raise forms.ValidationError(
                    f"Draw dates: {word[:40]!r} is not a date; allowed are dates such as 2026-11-25."
                ) from error
        return sorted(dates)


class DeleteForm(forms.Form):
    draw_dates = DrawDates(required=False, help_text="One or more dates, such as 2026-11-23 2026-11-25.")
    source = forms.CharField(
        required=False,
        max_length=200,
        strip=False,
        help_text="Optional. Deletes every draw first imported from this source or file.",
    )
    reason = forms.CharField(
        max_length=REASON_LENGTH,
        help_text="Stored in the log, for example: draws of another game.",
        error_messages={"required": "Reason: this field is required."},
    )

    def clean_reason(self) -> str:
        with validating("Reason"):
            return clean_reason(self.cleaned_data["reason"])

    def clean(self) -> dict[str, Any]:
        cleaned_data = self.cleaned_data
        if not self.errors and not cleaned_data["draw_dates"] and not cleaned_data["source"]:
            raise forms.ValidationError("Enter the dates or the source of the draws to delete.")
        return cleaned_data


class DeletePage(ActionPage):
    slug = "delete-draws"
    title = "Delete draws"
    permission = "predictions.delete_draw"
    form_class = DeleteForm
    template = "admin/predictions/draw/delete.html"

    def preview_context(self, cleaned_data: dict[str, Any]) -> dict[str, Any]:
        with refusing("Nothing was deleted"):
            deletion = preview_deletion(draws_to_delete(cleaned_data["draw_dates"], cleaned_data["source"]))
        dates = " ".join(str(draw.draw_date) for draw in deletion.draws)
        return {"deletion": deletion, "confirm": {"draw_dates": dates}}

    def perform_action(self, request: HttpRequest, cleaned_data: dict[str, Any]) -> None:
        if not cleaned_data["draw_dates"]:
            raise ActionRefused("Nothing was deleted: enter dates, or preview the draws of the source first.")
        with refusing("Nothing was deleted"), transaction.atomic():
            draws_to_delete(cleaned_data["draw_dates"], cleaned_data["source"])
            deletion = delete_draws(
                cleaned_data["draw_dates"], cleaned_data["reason"], request.user.get_username()
            )
            message = f"Deleted {deletion.summary()}. Reason: {cleaned_data['reason']}"
            log_list_action(request, Draw, message, action_flag=DELETION)
        self.model_admin.message_user(request, f"{message}.", messages.SUCCESS)
