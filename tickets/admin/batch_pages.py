"""Base classes of action pages that apply one action to each selected batch."""

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

from predictions.admin.cluster_pages import ClusterActionPage
from shiolplus.adminsite.action_pages import ActionRefused
from tickets.models import TicketBatch

CHANGE_BATCH_PERMISSION = "tickets.change_ticketbatch"  # to retry and to cancel
MAX_SELECTED = 200  # the ids are part of a URL
MAX_LISTED = 5  # ids shown in an error

_IDS = re.compile(r"[0-9]{1,18}([\s,]+[0-9]{1,18})*[\s,]*", re.ASCII)


class BatchIds(forms.CharField):
    """A form field that cleans to a sorted list of existing batch ids."""

    def __init__(self, when_empty: str) -> None:
        super().__init__(required=False, help_text=f"Batch ids, such as 3 5. {when_empty}")

    def clean(self, value: Any) -> list[int]:
        text: str = super().clean(value)
        if not text:
            return []
        if not _IDS.fullmatch(text):
            raise forms.ValidationError(
                f"Batches: {text[:40]!r} is not a batch id; enter ids separated by spaces, such as 3 5."
            )
        requested = {int(pk) for pk in re.findall("[0-9]+", text)}
        known = set(TicketBatch.objects.filter(pk__in=requested).values_list("pk", flat=True))
        if unknown := sorted(requested - known):
            raise forms.ValidationError(
                f"Batches: there is no batch {', '.join(map(str, unknown[:MAX_LISTED]))}."
            )
        return sorted(known)


@dataclass(frozen=True)
class PreviewRow:
    """One batch in a preview. `blocked_reason` is set if the action cannot be applied to it."""

    batch: TicketBatch
    note: str = ""
    blocked_reason: str = ""

    @property
    def progress(self) -> str:
        return f"{self.batch.generated:,} of {self.batch.requested:,}"


class BatchesPage(ClusterActionPage):
    """Apply one action to each selected batch. Without a selection, preview the default batches."""

    permission = CHANGE_BATCH_PERMISSION
    form_class: ClassVar[type[forms.Form]]
    requires_input = False

    past_participle: ClassVar[str]  # as in "2 batches queued again"

    @abstractmethod
    def default_queryset(self) -> Any:
        """Return the batches to preview without a selection."""

    @abstractmethod
    def describe(self, batch: TicketBatch) -> PreviewRow:
        """Return the preview of one batch."""

    @abstractmethod
    def apply(self, request: HttpRequest, batch: TicketBatch) -> str:
        """Apply the action in the caller's transaction and return the log message.

        Return an empty string if the batch's state no longer allows the action.
        """

    def preview_context(self, cleaned_data: dict[str, Any]) -> dict[str, Any]:
        pks = cleaned_data["batches"]
        batches = order_batches(TicketBatch.objects.filter(pk__in=pks) if pks else self.default_queryset())
        rows = [self.describe(batch) for batch in batches[:MAX_SELECTED]]
        eligible = [row.batch.pk for row in rows if not row.blocked_reason]
        return {
            "rows": rows,
            "batches": count_text(len(eligible)),
            "more": max(0, batches.count() - MAX_SELECTED),
            "nothing_to_do": not eligible,
            # Only the previewed batches, not those that match at the time of confirmation.
            "confirm": {"batches": " ".join(map(str, eligible))},
        }

    def perform_action(self, request: HttpRequest, cleaned_data: dict[str, Any]) -> None:
        if not cleaned_data["batches"]:
            raise ActionRefused("Nothing was changed: enter batch ids, or preview the action first.")
        changed, unchanged = [], []
        for batch in order_batches(TicketBatch.objects.filter(pk__in=cleaned_data["batches"])):
            if self.apply_and_log(request, batch):
                changed.append(str(batch))
            else:
                batch.refresh_from_db(fields=["status"])
                unchanged.append(f"{batch} is already {batch.status}")
        if changed:
            text = f"{count_text(len(changed))} {self.past_participle}: {', '.join(changed)}."
            self.model_admin.message_user(request, text, messages.SUCCESS)
        if unchanged:
            text = f"Not changed: {', '.join(unchanged)}."
            self.model_admin.message_user(request, text, messages.WARNING)

    def apply_and_log(self, request: HttpRequest, batch: TicketBatch) -> bool:
        with transaction.atomic():
            if text := self.apply(request, batch):
                self.model_admin.log_change(request, batch, text)
        return bool(text)


def order_batches(batches: Any) -> Any:
    return batches.select_related("run", "prediction").order_by("id")


def count_text(number: int) -> str:
    return f"{number} batch" if number == 1 else f"{number} batches"


def preview_url(page: str, batches: Sequence[object]) -> str:
    """Return the URL of an action page such as `ticketbatch_retry`, previewing these batches."""
    return reverse(f"admin:tickets_{page}", query={"batches": " ".join(map(str, batches))})
