"""Form fields shared by the actions of both apps."""

from datetime import date
from typing import Any

from django import forms

from predictions.draws.sources import upcoming_draw
from predictions.models import RUN_ID_LENGTH, new_run_id
from predictions.models.fields import validate_name
from predictions.powerball import check_ticket_date
from shiolplus.adminsite.action_pages import DateField, validating


class TicketDateField(DateField):
    """The date of a draw that tickets can be generated for. An empty value means the next draw."""

    def __init__(self) -> None:
        super().__init__(
            "Draw date", initial=upcoming_draw, required=False, help_text="Defaults to the next draw."
        )

    def clean(self, value: Any) -> date:
        draw_date: date = super().clean(value) or upcoming_draw()
        with validating("Draw date"):
            check_ticket_date(draw_date)
        return draw_date


def run_id_field() -> forms.CharField:
    """Return a hidden field with a new ID per preview, so that confirming a preview twice runs it once."""
    return forms.CharField(
        required=False,
        max_length=RUN_ID_LENGTH,
        strip=False,
        validators=[validate_name],
        initial=lambda: new_run_id("admin"),
        widget=forms.HiddenInput,
    )
