"""The admin's pages for generation runs with their batches, and the order of a new one."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet, Sum
from django.http import HttpRequest

from predictions.admin.actions import (
    ActionAdmin,
    ActionPage,
    Refused,
    day_field,
    modes_field,
    number_field,
    run_id_field,
)
from predictions.admin.browsing import NOTHING, DrawDateFilter, ReadOnly, day, minute, minute_text, shortened
from predictions.draws import upcoming_draw
from predictions.models import Prediction
from predictions.modes import MODE_NAMES
from predictions.powerball import check_ticket_day
from tickets.admin.batches import progress_bar
from tickets.batch_generator import DEFAULT_MODES, MAX_BATCH_SIZE, BatchTicketGenerator
from tickets.models import GenerationRun, TicketBatch


class GenerateForm(forms.Form):
    modes = modes_field(MODE_NAMES, DEFAULT_MODES)
    batch_size = number_field("Batch size", MAX_BATCH_SIZE, initial=100, help_text="Tickets a mode.")
    draw_date = day_field(
        "Draw date", initial=upcoming_draw, required=False, help_text="Left empty: the next draw."
    )
    run_id = run_id_field()

    def clean_draw_date(self) -> Any:
        day = self.cleaned_data["draw_date"] or upcoming_draw()
        try:
            check_ticket_day(day)
        except ValueError as error:
            raise forms.ValidationError(f"Draw date: {error}.") from error
        return day


class GeneratePage(ActionPage):
    slug = "generate"
    title = "Generate a batch"
    permission = "tickets.add_generationrun"
    form_class = GenerateForm
    template = "admin/tickets/generationrun/generate.html"
    needs_cluster = True

    def preview(self, asked: dict[str, Any]) -> dict[str, Any]:
        day, size = asked["draw_date"], asked["batch_size"]
        laws = [(mode, Prediction.objects.newest(mode, day)) for mode in asked["modes"]]
        stock = (
            TicketBatch.objects.filter(draw_date=day).order_by().values("mode").annotate(sum=Sum("stored"))
        )
        stored = {row["mode"]: row["sum"] for row in stock}
        return {
            "draw_date": day,
            "modes": [
                (mode, law, f"{stored.get(mode, 0):,}", f"{size:,}" if law else "0") for mode, law in laws
            ],
            "total": f"{size * sum(law is not None for _, law in laws):,}",
        }

    def perform(self, request: HttpRequest, asked: dict[str, Any]) -> None:
        try:
            # Whoever may generate need not be one who may delete: nothing is cleaned up.
            generator = BatchTicketGenerator(asked["batch_size"], asked["modes"], auto_cleanup=False)
            result = generator.generate_batch(asked["run_id"] or None, draw_date=asked["draw_date"])
        except ValueError as error:
            raise Refused(str(error)) from error
        run = GenerationRun.objects.get(pk=result["generation_run_id"])
        if not result["created"]:
            text = f"Run {run} exists already; nothing is made twice."
            self.model_admin.message_user(request, text, messages.WARNING)
            return
        order = f"{run.batch_size:,} tickets a mode for {run.draw_date}, modes {', '.join(run.modes)}"
        self.model_admin.log_addition(request, run, f"Ordered {order}.")
        if errors := "; ".join(f"{mode}: {error}" for mode, error in result["errors"].items()):
            self.model_admin.message_user(request, f"Run {run}: {errors}.", messages.ERROR)
        if run.status == GenerationRun.Status.RUNNING:
            self.model_admin.message_user(request, f"Run {run} is enqueued: {order}.", messages.SUCCESS)


class BatchInline(ReadOnly, admin.TabularInline):
    model = TicketBatch
    fields = ["mode", "status", "progress", "stored", "replaced", "finished", "error"]
    readonly_fields = ["progress", "finished"]
    show_change_link = True

    @admin.display(description="made")
    def progress(self, batch: TicketBatch) -> str:
        return progress_bar(batch.generated, batch.requested)

    @admin.display(description="finished (UTC)")
    def finished(self, batch: TicketBatch) -> str:
        return NOTHING if batch.finished_at is None else minute_text(batch.finished_at)


@admin.register(GenerationRun)
class GenerationRunAdmin(ReadOnly, ActionAdmin):
    list_display = [
        shortened("pipeline_run_id", 18, "run"),
        "status",
        day("draw_date"),
        "asked",
        "progress",
        minute("created_at", "created"),
        shortened("error", 40),
    ]
    list_filter = [
        "status",
        ("batches__mode", admin.AllValuesFieldListFilter),
        DrawDateFilter,
        "origin",
        ("created_at", admin.DateFieldListFilter),
    ]
    search_fields = ["pipeline_run_id"]
    search_help_text = "A run's id or a part of it"
    inlines = [BatchInline]
    action_pages = [GeneratePage]

    def get_queryset(self, request: HttpRequest) -> QuerySet[GenerationRun]:
        return GenerationRun.objects.with_progress()

    @admin.display(description="modes")
    def asked(self, run: GenerationRun) -> str:
        return ", ".join(run.modes) or NOTHING

    @admin.display(description="made")
    def progress(self, run: Any) -> str:
        return progress_bar(run.generated, run.requested)
