"""Admin pages for pipeline runs and their steps, and the action that starts a run."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from predictions.admin.cluster_pages import ClusterActionPage
from predictions.admin.fields import run_id_field
from predictions.draws.sources import freshness_text, load_draw_history, upcoming_draw
from predictions.models import PipelineRun, PipelineStep, TrainedModel
from predictions.modes.registry import MODE_NAMES
from predictions.pipeline.runner import SOURCES, accept_run
from predictions.pipeline.steps import STEPS
from shiolplus.adminsite.action_pages import ActionAdmin, choice_field, modes_field, refusing
from shiolplus.adminsite.columns import (
    EMPTY,
    DrawDateFilter,
    ReadOnlyAdminMixin,
    date_column,
    datetime_column,
    truncated_column,
)

SOURCE_LABELS = {
    "ny": "ny: New York Open Data, downloaded",
    "texas": "texas: Texas Lottery, downloaded",
    "bundled": "bundled: the draws bundled with the project",
    "none": "none: only the stored draws",
}


class RunForm(forms.Form):
    source = choice_field("Source", {name: SOURCE_LABELS[name] for name in SOURCES})
    modes = modes_field(list(MODE_NAMES), list(MODE_NAMES))
    run_id = run_id_field()


class RunPage(ClusterActionPage):
    slug = "run"
    title = "Run the pipeline"
    permission = "predictions.add_pipelinerun"
    form_class = RunForm
    template = "admin/predictions/pipelinerun/run.html"
    needs_cluster = True

    def preview_context(self, cleaned_data: dict[str, Any]) -> dict[str, Any]:
        return cleaned_data | {
            "draw_date": upcoming_draw(),
            "steps": list(STEPS),
            "stored_draws": freshness_text(load_draw_history().through),
            "unfinished": PipelineRun.objects.unfinished().count(),
            "fits": [(mode, pinned_or_newest_model(mode)) for mode in cleaned_data["modes"]],
        }

    def perform_action(self, request: HttpRequest, cleaned_data: dict[str, Any]) -> None:
        with refusing():
            run, created = accept_run(
                source=cleaned_data["source"],
                modes=cleaned_data["modes"],
                pipeline_run_id=cleaned_data["run_id"] or None,
            )
        if not created:
            text = f"Run {run} already exists; nothing was enqueued."
            self.model_admin.message_user(request, text, messages.WARNING)
            return
        self.model_admin.log_addition(
            request, run, f"Enqueued with source {run.source} and modes {', '.join(run.modes)}."
        )
        text = f"Run {run} for the draw of {run.draw_date} was enqueued."
        self.model_admin.message_user(request, text, messages.SUCCESS)


def pinned_or_newest_model(mode: str) -> TrainedModel | None:
    return TrainedModel.objects.filter(mode=mode).order_by("-pinned", "-id").first()


class StepInline(ReadOnlyAdminMixin, admin.TabularInline):
    model = PipelineStep
    fields = readonly_fields = ("status", "started", "duration", "result", "figures")

    @admin.display(description="started (UTC)")
    def started(self, step: PipelineStep) -> str:
        return EMPTY if step.started_at is None else f"{step.started_at:%H:%M:%S}"

    @admin.display
    def duration(self, step: PipelineStep) -> str:
        return EMPTY if step.seconds is None else f"{step.seconds:.1f}\N{NO-BREAK SPACE}s"

    @admin.display
    def result(self, step: PipelineStep) -> str:
        text = step.error or step.summary or EMPTY
        report = step.detail.get("report")
        if report is None:
            return text
        url = reverse("admin:predictions_randomnessreport_change", args=[report])
        return format_html('{} <a href="{}">All figures</a>', text, url)

    @admin.display
    def figures(self, step: PipelineStep) -> str:
        if not step.detail:
            return EMPTY
        return format_html("<details><summary>show</summary>{}</details>", render_nested(step.detail))


def render_nested(value: Any) -> str | SafeString:
    """Render JSON data as nested HTML lists."""
    if isinstance(value, dict):
        items = [(name.replace("_", " "), render_nested(item)) for name, item in value.items()]
        return format_html("<ul>{}</ul>", format_html_join("", "<li>{}: {}</li>", items)) if items else "none"
    if isinstance(value, list):
        if any(isinstance(item, dict) for item in value):
            rows = [[render_nested(item)] for item in value]
            return format_html("<ul>{}</ul>", format_html_join("", "<li>{}</li>", rows))
        return ", ".join(str(render_nested(item)) for item in value) or "none"
    if isinstance(value, float):
        return f"{value:.6g}"
    return EMPTY if value is None else str(value)


@admin.register(PipelineRun)
class PipelineRunAdmin(ReadOnlyAdminMixin, ActionAdmin):
    list_display = [
        truncated_column("pipeline_run_id", 18, "run"),
        "status",
        date_column("draw_date"),
        "source",
        "mode_list",
        datetime_column("created_at", "created"),
        datetime_column("finished_at", "finished"),
        truncated_column("error", 40),
    ]
    date_hierarchy = "draw_date"
    list_filter = ["status", "source", DrawDateFilter, ("created_at", admin.DateFieldListFilter)]
    search_fields = ["pipeline_run_id", "request_id"]
    search_help_text = "Run ID or request ID, or part of it"
    inlines = [StepInline]
    action_pages = [RunPage]

    @admin.display(description="modes")
    def mode_list(self, run: PipelineRun) -> str:
        return ", ".join(run.modes)
