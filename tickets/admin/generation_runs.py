"""Admin pages for generation runs, and the action page that starts one."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet, Sum
from django.http import HttpRequest

from predictions.admin.cluster_pages import ClusterActionPage
from predictions.admin.fields import TicketDateField, run_id_field
from predictions.models import Prediction
from predictions.modes.registry import MODE_NAMES
from shiolplus.adminsite.action_pages import ActionAdmin, modes_field, number_field, refusing
from shiolplus.adminsite.columns import (
    EMPTY,
    DrawDateFilter,
    ReadOnlyAdminMixin,
    date_column,
    datetime_column,
    format_minute,
    truncated_column,
)
from tickets.admin.batches import PROGRESS_CSS, progress_bar
from tickets.admin.regenerate import RegeneratePage
from tickets.generation.generator import DEFAULT_MODES, BatchTicketGenerator
from tickets.models import GenerationRun, TicketBatch
from tickets.models.policies import MAX_BATCH_SIZE, get_policy


class GenerateForm(forms.Form):
    modes = modes_field(MODE_NAMES, DEFAULT_MODES)
    batch_size = number_field(
        "Batch size",
        MAX_BATCH_SIZE,
        required=False,
        help_text="Tickets per mode. Leave empty for the batch size of each mode's policy.",
    )
    draw_date = TicketDateField()
    run_id = run_id_field()


@dataclass(frozen=True)
class _ModePreview:
    """The batch of a mode; it has no tickets if the mode is paused or has no prediction."""

    mode: str
    prediction: Prediction | None
    paused: bool
    tickets: int
    stored: int

    @classmethod
    def of(cls, mode: str, day: date, batch_size: int | None, stored: int) -> "_ModePreview":
        policy, prediction = get_policy(mode), Prediction.objects.newest(mode, day)
        has_batch = prediction is not None and not policy.paused
        tickets = policy.effective(batch_size)["batch_size"] if has_batch else 0
        return cls(mode, prediction, policy.paused, tickets, stored)


class GeneratePage(ClusterActionPage):
    slug = "generate"
    title = "Generate batches"
    permission = "tickets.add_generationrun"
    form_class = GenerateForm
    template = "admin/tickets/generationrun/generate.html"
    needs_cluster = True

    def preview_context(self, cleaned_data: dict[str, Any]) -> dict[str, Any]:
        day, batch_size = cleaned_data["draw_date"], cleaned_data["batch_size"]
        rows = TicketBatch.objects.filter(draw_date=day).order_by().values("mode").annotate(sum=Sum("stored"))
        stored = {row["mode"]: row["sum"] for row in rows}
        modes = [
            _ModePreview.of(mode, day, batch_size, stored.get(mode, 0)) for mode in cleaned_data["modes"]
        ]
        return {
            "draw_date": day,
            "modes": modes,
            "total": f"{sum(mode.tickets for mode in modes):,}",
            "nothing_to_do": all(mode.paused for mode in modes),
        }

    def perform_action(self, request: HttpRequest, cleaned_data: dict[str, Any]) -> None:
        with refusing():
            # The permission to generate does not include deletion, so no cleanup.
            generator = BatchTicketGenerator(
                cleaned_data["batch_size"], cleaned_data["modes"], auto_cleanup=False
            )
            result = generator.generate_batch(
                cleaned_data["run_id"] or None, draw_date=cleaned_data["draw_date"]
            )
        run = GenerationRun.objects.get(pk=result["generation_run_id"])
        if not result["created"]:
            text = f"Run {run} already exists; no new batch was created."
            self.model_admin.message_user(request, text, messages.WARNING)
            return
        sizes = [f"{run.policy[mode]['batch_size']:,} tickets of {mode}" for mode in run.modes]
        summary = f"{', '.join(sizes) or 'no tickets'} for {run.draw_date}"
        self.model_admin.log_addition(request, run, f"Requested {summary}.")
        if errors := "; ".join(f"{mode}: {error}" for mode, error in result["errors"].items()):
            self.model_admin.message_user(request, f"Run {run}: {errors}.", messages.ERROR)
        if run.status == GenerationRun.Status.RUNNING:
            self.model_admin.message_user(request, f"Run {run} enqueued: {summary}.", messages.SUCCESS)


class BatchInline(ReadOnlyAdminMixin, admin.TabularInline):
    model = TicketBatch
    fields = ["mode", "status", "progress", "stored", "replaced", "finished", "error"]
    readonly_fields = ["progress", "finished"]
    show_change_link = True

    @admin.display(description="generated")
    def progress(self, batch: TicketBatch) -> str:
        return progress_bar(batch.generated, batch.requested)

    @admin.display(description="finished (UTC)")
    def finished(self, batch: TicketBatch) -> str:
        return EMPTY if batch.finished_at is None else format_minute(batch.finished_at)


@admin.register(GenerationRun)
class GenerationRunAdmin(ReadOnlyAdminMixin, ActionAdmin):
    list_display = [
        truncated_column("pipeline_run_id", 18, "run"),
        "status",
        date_column("draw_date"),
        "mode_names",
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
    search_help_text = "Run id, request id or part of one"
    inlines = [BatchInline]
    action_pages = [GeneratePage, RegeneratePage]

    class Media:
        css = PROGRESS_CSS

    def get_queryset(self, request: HttpRequest) -> QuerySet[GenerationRun]:
        return GenerationRun.objects.with_progress()

    @admin.display(description="modes")
    def mode_names(self, run: GenerationRun) -> str:
        return ", ".join(run.modes) or EMPTY

    @admin.display(description="generated")
    def progress(self, run: Any) -> str:
        return progress_bar(run.generated, run.requested)
