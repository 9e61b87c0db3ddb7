"""The admin's pages for trained models: where each came from, and what it was worth beside uniform."""

from django.contrib import admin

from predictions.admin.browsing import ReadOnly, day, minute, shortened
from predictions.models import TrainedModel, Training


@admin.register(TrainedModel)
class TrainedModelAdmin(ReadOnly, admin.ModelAdmin):
    list_display = [
        "mode",
        "active",
        day("draws_through"),
        "log_loss",
        "uniform",
        "gain",
        minute("created_at", "created"),
    ]
    list_filter = [
        "mode",
        "active",
        ("draws_through", admin.DateFieldListFilter),
        ("created_at", admin.DateFieldListFilter),
    ]
    fields = [
        "mode",
        ("active", "file_kept"),
        "draws_used",
        "draws_through",
        ("log_loss", "uniform"),
        ("gain", "verdict"),
        "draws_tested",
        "parameters",
        "code_version",
        "seed",
        "versions",
        "file",
        "size_bytes",
        "sha256",
        "draws_fingerprint",
        "fit_seconds",
        "peak_memory_kb",
        "created_at",
    ]
    readonly_fields = ["log_loss", "uniform", "gain", "verdict", "draws_tested", "fit_seconds"]

    @admin.display(description="held-out log-loss")
    def log_loss(self, model: TrainedModel) -> str:
        loss = model.skill.get("log_loss")
        return "not measured" if loss is None else f"{loss:.4f} ± {model.skill['skill_se']:.4f}"

    @admin.display(description="uniform's")
    def uniform(self, model: TrainedModel) -> str:
        loss = model.skill.get("uniform_log_loss")
        return "" if loss is None else f"{loss:.4f}"

    @admin.display(description="better by ± s.e.")
    def gain(self, model: TrainedModel) -> str:
        """In nats a draw: above zero is better than uniform."""
        gain = model.skill_nats
        return (
            ""
            if gain is None
            else f"{gain:+.4f} ± {model.skill['skill_se']:.4f}".replace(" ", "\N{NO-BREAK SPACE}")
        )

    @admin.display(description="that is")
    def verdict(self, model: TrainedModel) -> str:
        gain = model.skill_nats
        if gain is None:
            return "not measured"
        if abs(gain) <= 2 * model.skill["skill_se"]:
            return "not to be told from uniform: within two standard errors"
        return "better than uniform" if gain > 0 else "worse than uniform"

    @admin.display(description="draws tested")
    def draws_tested(self, model: TrainedModel) -> str:
        return str(model.skill.get("draws_tested", "not known"))

    @admin.display(description="fit, seconds", ordering="seconds")
    def fit_seconds(self, model: TrainedModel) -> str:
        return f"{model.seconds:.1f}"


@admin.register(Training)
class TrainingAdmin(ReadOnly, admin.ModelAdmin):
    list_display = [
        "mode",
        "status",
        "attempts",
        "holder",
        minute("started_at", "started"),
        minute("finished_at", "finished"),
        shortened("error", 60),
    ]
    list_filter = ["mode", "status", ("created_at", admin.DateFieldListFilter)]
