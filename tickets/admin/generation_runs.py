"""The admin's pages for generation runs with their batches, and the order of a new one."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet, Sum
from django.http import HttpRequest

from predictions.admin.cluster_pages import ClusterActionPage
from predictions.admin.fields import TicketDayField, run_id_field
from predictions.models import Prediction
from predictions.modes.registry import MODE_NAMES
from shiolplus.adminsite.action_pages import ActionAdmin, ActionRefused, modes_field, number_field
from shiolplus.adminsite.columns import (
    EMPTY,
    DrawDateFilter,
    ReadOnlyAdminMixin,
    date_column,
    datetime_column,
    minute_text,
    truncated_column,
)
from tickets.admin.batches import PROGRESS_CSS, progress_bar
from tickets.admin.regenerate import RegeneratePage
from tickets.generation.generator import DEFAULT_MODES, BatchTicketGenerator
from tickets.models import GenerationRun, TicketBatch
from tickets.models.policies import MAX_BATCH_SIZE, policy_of


class GenerateForm(forms.Form):
    modes = modes_field(MODE_NAMES, DEFAULT_MODES)
    batch_size = number_field(
        "Batch size",
        MAX_BATCH_SIZE,
        required=False,
        help_text="Tickets a mode. Left empty: as each mode's policy says.",
    )
    draw_date = TicketDayField()
    run_id = run_id_field()


@dataclass(frozen=True)
class _Order:
    """What of one mode would be made: so many tickets from its law, if it has one and is not paused."""

    mode: str
    law: Prediction | None
    paused: bool
    tickets: int
    stored: str

    @classmethod
    def of(cls, mode: str, day: date, batch_size: int | None, stored: int) -> "_Order":
        policy, law = policy_of(mode), Prediction.objects.newest(mode, day)
        tickets = 0 if law is None or policy.paused else policy.effective(batch_size)["batch_size"]
        return cls(mode, law, policy.paused, tickets, f"{stored:,}")

    @property
    def size(self) -> str:
        return f"{self.tickets:,}"


class GeneratePage(ClusterActionPage):
    slug = "generate"
    title = "Generate a batch"
    permission = "tickets.add_generationrun"
    form_class = GenerateForm
    template = "admin/tickets/generationrun/generate.html"
    needs_cluster = True

    def preview(self, asked: dict[str, Any]) -> dict[str, Any]:
        day = asked["draw_date"]
        stock = (
            TicketBatch.objects.filter(draw_date=day).order_by().values("mode").annotate(sum=Sum("stored"))
        )
        stored = {row["mode"]: row["sum"] for row in stock}
        modes = [_Order.of(mode, day, asked["batch_size"], stored.get(mode, 0)) for mode in asked["modes"]]
        return {
            "draw_date": day,
            "modes": modes,
            "total": f"{sum(one.tickets for one in modes):,}",
            "nothing_to_do": all(one.paused for one in modes),
        }

    def perform(self, request: HttpRequest, asked: dict[str, Any]) -> None:
        try:
            # Whoever may generate need not be one who may delete: nothing is cleaned up.
            generator = BatchTicketGenerator(asked["batch_size"], asked["modes"], auto_cleanup=False)
            result = generator.generate_batch(asked["run_id"] or None, draw_date=asked["draw_date"])
        except ValueError as error:
            raise ActionRefused(str(error)) from error
        run = GenerationRun.objects.get(pk=result["generation_run_id"])
        if not result["created"]:
            text = f"Run {run} exists already; nothing is made twice."
            self.model_admin.message_user(request, text, messages.WARNING)
            return
        sizes = [f"{run.policy[mode]['batch_size']:,} tickets of {mode}" for mode in run.modes]
        order = f"{', '.join(sizes) or 'no tickets'} for {run.draw_date}"
        self.model_admin.log_addition(request, run, f"Ordered {order}.")
        if errors := "; ".join(f"{mode}: {error}" for mode, error in result["errors"].items()):
            self.model_admin.message_user(request, f"Run {run}: {errors}.", messages.ERROR)
        if run.status == GenerationRun.Status.RUNNING:
            self.model_admin.message_user(request, f"Run {run} is enqueued: {order}.", messages.SUCCESS)


class BatchInline(ReadOnlyAdminMixin, admin.TabularInline):
    model = TicketBatch
    fields = ["mode", "status", "progress", "stored", "replaced", "finished", "error"]
    readonly_fields = ["progress", "finished"]
    show_change_link = True

    @admin.display(description="made")
    def progress(self, batch: TicketBatch) -> str:
        return progress_bar(batch.generated, batch.requested)

    @admin.display(description="finished (UTC)")
    def finished(self, batch: TicketBatch) -> str:
        return EMPTY if batch.finished_at is None else minute_text(batch.finished_at)


@admin.register(GenerationRun)
class GenerationRunAdmin(ReadOnlyAdminMixin, ActionAdmin):
    list_display = [
        truncated_column("pipeline_run_id", 18, "run"),
        "status",
        date_column("draw_date"),
        "asked",
        "progress",
        datetime_column("created_at", "created"),
        truncated_column("error", 40),
    ]
    date_hierarchy = "draw_date"
    list_filter = [
        "status",
        ("batches__mode", admin.AllValuesFieldListFilter),
        DrawDateFilter,
        "origin",
        ("created_at", admin.DateFieldListFilter),
    ]
    search_fields = ["pipeline_run_id", "request_id"]
    search_help_text = "A run's id, a request's, or a part of it"
    inlines = [BatchInline]
    action_pages = [GeneratePage, RegeneratePage]

    class Media:
        css = PROGRESS_CSS

    def get_queryset(self, request: HttpRequest) -> QuerySet[GenerationRun]:
        return GenerationRun.objects.with_progress()

    @admin.display(description="modes")
    def asked(self, run: GenerationRun) -> str:
        return ", ".join(run.modes) or EMPTY

    @admin.display(description="made")
    def progress(self, run: Any) -> str:
        return progress_bar(run.generated, run.requested)
