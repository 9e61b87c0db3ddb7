"""Batches that are named by their ids, and the pages that do something with each of them."""

import re
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest
from django.urls import reverse
from django.utils.http import urlencode

from predictions.admin.cluster_pages import ClusterActionPage
from predictions.draws.sources import upcoming_draw
from shiolplus.adminsite.action_pages import ActionRefused
from tickets.models import TicketBatch

CHANGE_BATCH_PERMISSION = "tickets.change_ticketbatch"  # to have batches tried again, or cancelled
MAX_SELECTED = 200  # their ids travel in an address
MAX_LISTED = 5  # ids repeated in an error

_IDS = re.compile(r"[0-9]{1,18}([\s,]+[0-9]{1,18})*[\s,]*", re.ASCII)


class BatchIds(forms.CharField):
    """Ids of batches, cleaned to those of rows that are there, ascending; none at all where left empty."""

    def __init__(self, when_empty: str) -> None:
        super().__init__(required=False, help_text=f"Their ids, such as 3 5. {when_empty}")

    def clean(self, value: Any) -> list[int]:
        text: str = super().clean(value)
        if not text:
            return []
        if not _IDS.fullmatch(text):
            raise forms.ValidationError(f"Batches: {text[:40]!r} are no ids; allowed are ids such as 3 5.")
        asked = {int(pk) for pk in re.findall("[0-9]+", text)}
        known = set(TicketBatch.objects.filter(pk__in=asked).values_list("pk", flat=True))
        if unknown := sorted(asked - known):
            raise forms.ValidationError(
                f"Batches: there is no batch {', '.join(map(str, unknown[:MAX_LISTED]))}."
            )
        return sorted(known)


@dataclass(frozen=True)
class PreviewRow:
    """A batch in a preview: what is to be known of it beside its row, and what holds it back, if anything."""

    batch: TicketBatch
    note: str = ""
    blocked_reason: str = ""

    @property
    def made(self) -> str:
        return f"{self.batch.generated:,} of {self.batch.requested:,}"


class BatchesPage(ClusterActionPage):
    """Does one thing to each batch named; without any, it offers all that it is for."""

    permission = CHANGE_BATCH_PERMISSION
    form_class: ClassVar[type[forms.Form]]
    requires_input = False

    past_participle: ClassVar[str]  # what has become of a batch, as in "2 batches are queued again"

    @abstractmethod
    def default_queryset(self) -> Any:
        """The batches that are meant where none is named."""

    @abstractmethod
    def describe(self, batch: TicketBatch) -> PreviewRow:
        """What the preview says of a batch."""

    @abstractmethod
    def apply(self, request: HttpRequest, batch: TicketBatch) -> str:
        """Do it in the caller's transaction; what the log says of it, empty where it is too late."""

    def preview(self, asked: dict[str, Any]) -> dict[str, Any]:
        named = asked["batches"]
        rows = _with_all(TicketBatch.objects.filter(pk__in=named) if named else self.default_queryset())
        shown = [self.describe(batch) for batch in rows[:MAX_SELECTED]]
        able = [one.batch.pk for one in shown if not one.blocked_reason]
        return {
            "shown": shown,
            "batches": _counted(len(able)),
            "more": max(0, rows.count() - MAX_SELECTED),
            "nothing_to_do": not able,
            "confirm": {"batches": " ".join(map(str, able))},  # and no other, whatever else comes meanwhile
        }

    def perform(self, request: HttpRequest, asked: dict[str, Any]) -> None:
        if not asked["batches"]:
            raise ActionRefused("Nothing was done: name the batches, or have them shown first.")
        acted, late = [], []
        for batch in _with_all(TicketBatch.objects.filter(pk__in=asked["batches"])):
            if self._act_and_log(request, batch):
                acted.append(str(batch))
            else:
                batch.refresh_from_db(fields=["status"])
                late.append(f"{batch} is {batch.status} already")
        if acted:
            verb = "is" if len(acted) == 1 else "are"
            text = f"{_counted(len(acted))} {verb} {self.past_participle}: {', '.join(acted)}."
            self.model_admin.message_user(request, text, messages.SUCCESS)
        if late:
            text = f"Left as they were: {', '.join(late)}."
            self.model_admin.message_user(request, text, messages.WARNING)

    def _act_and_log(self, request: HttpRequest, batch: TicketBatch) -> bool:
        with transaction.atomic():
            if text := self.apply(request, batch):
                self.model_admin.log_change(request, batch, text)
        return bool(text)


def _with_all(batches: Any) -> Any:
    return batches.select_related("run", "prediction").order_by("id")


def _counted(number: int) -> str:
    return f"{number} batch" if number == 1 else f"{number} batches"


def is_over(batch: TicketBatch) -> bool:
    """Whether its draw has been held, so that nobody can claim its tickets."""
    return batch.draw_date < upcoming_draw()


def address_of(page: str, batches: Sequence[object]) -> str:
    """Of a page, `ticketbatch_retry`, that shows what would become of these batches."""
    return f"{reverse(f'admin:tickets_{page}')}?{urlencode({'batches': ' '.join(map(str, batches))})}"
