"""Admin pages for trained models and trainings, and the action that activates a model."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from predictions.models import TrainedModel, Training
from predictions.training.trainer import activate_by_hand, check_usable
from shiolplus.adminsite.action_pages import ActionAdmin, ActionPage, Button, refusing
from shiolplus.adminsite.changelist import RememberedFiltersAdmin
from shiolplus.adminsite.columns import (
    EMPTY,
    ReadOnlyAdminMixin,
    date_column,
    datetime_column,
    truncated_column,
)


class ActivateForm(forms.Form):
    model = forms.ModelChoiceField(
        TrainedModel.objects.all(),
        widget=forms.NumberInput(attrs={"min": 1}),
        help_text="ID of the model, as shown in the list.",
        error_messages={
            "required": "Model: enter the ID of a model.",
            "invalid_choice": "Model: there is no model with this ID.",
        },
    )


class ActivatePage(ActionPage):
    """Activate an older model and pin it, or activate the newest one and unpin the mode."""

    slug = "activate"
    title = "Activate a model"
    permission = "predictions.change_trainedmodel"
    form_class = ActivateForm
    template = "admin/predictions/trainedmodel/activate.html"
    model_admin: "TrainedModelAdmin"

    def preview_context(self, cleaned_data: dict[str, Any]) -> dict[str, Any]:
        model: TrainedModel = cleaned_data["model"]
        active = TrainedModel.objects.active(model.mode)
        if not is_in_effect(model):
            with refusing(f"Model {model.pk}, {model}, cannot be activated"):
                check_usable(model)
        return {
            "model": model,
            "pins": not is_newest(model),
            "unpins": active is not None and active.pinned and is_newest(model),
            "rows": self.comparison_rows(active, model),
            "nothing_to_do": is_in_effect(model),
        }

    def comparison_rows(
        self, active: TrainedModel | None, model: TrainedModel
    ) -> list[tuple[str, list[str]]]:
        """Return the properties of the active model, if there is another one, and of the selected model."""
        models = [model] if active in (None, model) else [active, model]
        model_admin = self.model_admin
        return [
            ("Model", [str(model.pk) for model in models]),
            ("Trained (UTC)", [f"{model.created_at:%Y-%m-%d %H:%M}" for model in models]),
            ("Draws through", [str(model.draws_through) for model in models]),
            ("Draws used", [f"{model.draws_used:,}" for model in models]),
            ("Held-out log-loss", [model_admin.log_loss(model) for model in models]),
            ("Gain over uniform ± s.e.", [model_admin.gain(model) or EMPTY for model in models]),
            ("Verdict", [model_admin.verdict(model) for model in models]),
            ("Parameters", [parameters_text(model) for model in models]),
            ("Seed", [str(model.seed) for model in models]),
        ]

    def perform_action(self, request: HttpRequest, cleaned_data: dict[str, Any]) -> None:
        model: TrainedModel = cleaned_data["model"]
        if is_in_effect(model):
            text = f"Model {model.pk}, {model}, is already active; nothing was changed."
            self.model_admin.message_user(request, text, messages.WARNING)
            return
        with transaction.atomic():
            with refusing(f"Model {model.pk}, {model}, cannot be activated"):
                activate_by_hand(model)
            effect = (
                "pinned until another model is activated" if model.pinned else "the next training replaces it"
            )
            self.model_admin.log_change(request, model, f"Activated; {effect}.")
        text = f"Model {model.pk}, {model}, is now active; {effect}."
        self.model_admin.message_user(request, text, messages.SUCCESS)


def is_newest(model: TrainedModel) -> bool:
    return not TrainedModel.objects.filter(mode=model.mode, pk__gt=model.pk).exists()


def is_in_effect(model: TrainedModel) -> bool:
    """Return True if activating the model would change neither the active model nor the pin."""
    return model.active and model.pinned != is_newest(model)


def parameters_text(model: TrainedModel) -> str:
    return ", ".join(f"{name} {value}" for name, value in model.parameters.items()) or "none"


@admin.register(TrainedModel)
class TrainedModelAdmin(ReadOnlyAdminMixin, ActionAdmin):
    list_display = [
        "id",
        "mode",
        "predicts",
        date_column("draws_through"),
        "log_loss",
        "uniform",
        "gain",
        datetime_column("created_at", "created"),
    ]
    list_filter = [
        "mode",
        "active",
        "pinned",
        ("draws_through", admin.DateFieldListFilter),
        ("created_at", admin.DateFieldListFilter),
    ]
    fields = [
        "mode",
        ("active", "pinned", "file_retained"),
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
    actions = ["activate_selected"]
    action_pages = [ActivatePage]

    def has_activate_permission(self, request: HttpRequest) -> bool:
        """Called by Django before it offers an action with `permissions=["activate"]`."""
        return request.user.has_perm(ActivatePage.permission)

    @admin.action(description="Activate the selected model", permissions=["activate"])
    def activate_selected(self, request: HttpRequest, models: QuerySet[TrainedModel]) -> HttpResponse | None:
        pks = list(models.values_list("pk", flat=True)[:2])
        if len(pks) != 1:
            self.message_user(request, "Select exactly one model to activate.", messages.ERROR)
            return None
        return HttpResponseRedirect(ActivatePage(self).url(model=pks[0]))

    def row_actions(self, request: HttpRequest, model: TrainedModel) -> list[Button]:
        return (
            [("Activate", ActivatePage(self).url(model=model.pk))]
            if self.has_activate_permission(request)
            else []
        )

    @admin.display(ordering="active")
    def predicts(self, model: TrainedModel) -> str:
        # A boolean icon would show a red cross, as if an unpinned model were an error.
        if model.pinned:
            return "yes, pinned"
        return "yes" if model.active else "no"

    @admin.display(description="held-out log-loss")
    def log_loss(self, model: TrainedModel) -> str:
        loss = model.skill.get("log_loss")
        return "not measured" if loss is None else f"{loss:.4f} ± {model.skill['skill_se']:.4f}"

    @admin.display(description="uniform log-loss")
    def uniform(self, model: TrainedModel) -> str:
        loss = model.skill.get("uniform_log_loss")
        return "" if loss is None else f"{loss:.4f}"

    @admin.display(description="gain ± s.e.")
    def gain(self, model: TrainedModel) -> str:
        """Return the log-loss gain over uniform in nats per draw, with its standard error."""
        gain = model.skill_nats
        if gain is None:
            return ""
        return f"{gain:+.4f} ± {model.skill['skill_se']:.4f}".replace(" ", "\N{NO-BREAK SPACE}")

    @admin.display
    def verdict(self, model: TrainedModel) -> str:
        gain = model.skill_nats
        if gain is None:
            return "not measured"
        if abs(gain) <= 2 * model.skill["skill_se"]:
            return "indistinguishable from chance: within two standard errors"
        return "better than chance" if gain > 0 else "worse than chance"

    @admin.display
    def draws_tested(self, model: TrainedModel) -> str:
        return str(model.skill.get("draws_tested", "unknown"))

    @admin.display(ordering="seconds")
    def fit_seconds(self, model: TrainedModel) -> str:
        return f"{model.seconds:.1f}"


@admin.register(Training)
class TrainingAdmin(ReadOnlyAdminMixin, RememberedFiltersAdmin):
    list_display = [
        "mode",
        "status",
        "attempts",
        truncated_column("holder", 60, "worker"),
        datetime_column("started_at", "started"),
        datetime_column("finished_at", "finished"),
        truncated_column("error", 60),
    ]
    list_filter = ["mode", "status", ("created_at", admin.DateFieldListFilter)]
