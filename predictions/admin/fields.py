"""Form fields of actions on draws and runs."""

from datetime import date
from typing import Any

from django import forms

from predictions.draws.sources import upcoming_draw
from predictions.models import RUN_ID_LENGTH, new_run_id
from predictions.models.fields import validate_name
from predictions.powerball import check_ticket_day
from shiolplus.adminsite.action_pages import DateField


class TicketDayField(DateField):
    """The day of a draw that tickets may be made for; left empty, the next one."""

    def __init__(self) -> None:
        super().__init__(
            "Draw date", initial=upcoming_draw, required=False, help_text="Left empty: the next draw."
        )

    def clean(self, value: Any) -> date:
        day: date = super().clean(value) or upcoming_draw()
        try:
            check_ticket_day(day)
        except ValueError as error:
            raise forms.ValidationError(f"Draw date: {error}.") from error
        return day


def run_id_field() -> forms.CharField:
    """Made anew for each preview, so that one preview confirmed twice is done once."""
    return forms.CharField(
        required=False,
        max_length=RUN_ID_LENGTH,
        strip=False,
        validators=[validate_name],
        initial=lambda: new_run_id("admin"),
        widget=forms.HiddenInput,
    )
