"""The admin's pages for draws and what was learned from them: to browse, never to edit."""

from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest

from predictions.models import Draw, PipelineRun, PipelineStep, Prediction, TrainedModel


class ReadOnly:
    """What a machine writes, people read."""

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


@admin.register(Draw)
class DrawAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ["draw_date", "numbers", "powerball", "multiplier", "source"]
    list_filter = ["source", "multiplier"]
    date_hierarchy = "draw_date"
    search_fields = ["draw_date"]

    @admin.display(description="white balls", ordering="n1")
    def numbers(self, draw: Draw) -> str:
        return " ".join(f"{ball:2d}" for ball in draw.white_balls)


class StepInline(ReadOnly, admin.TabularInline):
    model = PipelineStep
    fields = ["number", "name", "status", "summary", "error", "started_at", "finished_at"]


@admin.register(PipelineRun)
class PipelineRunAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ["pipeline_run_id", "status", "draw_date", "source", "created_at", "finished_at", "error"]
    list_filter = ["status", "source", "draw_date"]
    search_fields = ["pipeline_run_id"]
    inlines = [StepInline]


@admin.register(TrainedModel)
class TrainedModelAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ["mode", "draws_through", "draws_used", "log_loss", "uniform", "fit_seconds", "created_at"]
    list_filter = ["mode"]

    @admin.display(description="held-out log-loss")
    def log_loss(self, model: TrainedModel) -> str:
        loss = model.skill.get("log_loss")
        return "not measured" if loss is None else f"{loss:.4f} ± {model.skill['skill_se']:.4f}"

    @admin.display(description="fit, seconds", ordering="seconds")
    def fit_seconds(self, model: TrainedModel) -> str:
        return f"{model.seconds:.1f}"

    @admin.display(description="uniform's")
    def uniform(self, model: TrainedModel) -> str:
        loss = model.skill.get("uniform_log_loss")
        return "" if loss is None else f"{loss:.4f}"


@admin.register(Prediction)
class PredictionAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ["mode", "draw_date", "draws_through", "log_loss", "evaluated_at", "created_at"]
    list_filter = ["mode", "draw_date"]
    list_select_related = ["model", "run"]
