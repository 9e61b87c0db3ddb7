"""The page that deletes draws, with a preview of what was computed from them."""

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
from shiolplus.adminsite.action_pages import ActionPage, ActionRefused
from shiolplus.adminsite.changelist import log_about


class DrawDates(forms.CharField):
    """One or more dates, cleaned to a sorted list; empty where left empty."""

    def clean(self, value: Any) -> list[date]:
        text: str = super().clean(value)
        days = set()
        for word in re.split(r"[\s,]+", text.strip()) if text.strip() else []:
            try:
                days.add(date.fromisoformat(word))
            except ValueError as error:
                raise forms.ValidationError(
                    f"Draw dates: {word[:40]!r} is not a date; allowed are dates such as 2026-11-25."
                ) from error
        return sorted(days)


class DeleteForm(forms.Form):
    draw_dates = DrawDates(required=False, help_text="One or more, such as 2026-11-23 2026-11-25.")
    source = forms.CharField(
        required=False,
        max_length=200,
        strip=False,
        help_text="Every draw that this source or file brought first, as the list shows it. Optional.",
    )
    reason = forms.CharField(
        max_length=REASON_LENGTH,
        help_text="Recorded in the log, such as: another game's draws.",
        error_messages={"required": "Reason: say why the draws are deleted."},
    )

    def clean_reason(self) -> str:
        try:
            return clean_reason(self.cleaned_data["reason"])
        except ValueError as error:
            raise forms.ValidationError(f"Reason: {error}.") from error

    def clean(self) -> dict[str, Any]:
        values = self.cleaned_data
        if not self.errors and not values["draw_dates"] and not values["source"]:
            raise forms.ValidationError("Name the dates or the source of the draws to delete.")
        return values


class DeletePage(ActionPage):
    slug = "delete-draws"
    title = "Delete draws"
    permission = "predictions.delete_draw"
    form_class = DeleteForm
    template = "admin/predictions/draw/delete.html"

    def preview(self, asked: dict[str, Any]) -> dict[str, Any]:
        try:
            deletion = preview_deletion(draws_to_delete(asked["draw_dates"], asked["source"]))
        except ValueError as error:
            raise _refused(error) from error
        days = " ".join(str(draw.draw_date) for draw in deletion.draws)
        return {"deletion": deletion, "confirm": {"draw_dates": days}}

    def perform(self, request: HttpRequest, asked: dict[str, Any]) -> None:
        if not asked["draw_dates"]:
            raise ActionRefused("Nothing was done: name the dates, or preview the draws of the source first.")
        try:
            with transaction.atomic():
                draws_to_delete(asked["draw_dates"], asked["source"])
                deletion = delete_draws(asked["draw_dates"], asked["reason"], request.user.get_username())
                said = f"Deleted {deletion.summary()}. Reason: {asked['reason']}"
                log_about(request, Draw, said, action_flag=DELETION)
        except ValueError as error:
            raise _refused(error) from error
        self.model_admin.message_user(request, f"{said}.", messages.SUCCESS)


def _refused(error: ValueError) -> ActionRefused:
    return ActionRefused(f"Nothing was done: {error}.")
