"""The admin's pages for trained models: where each came from, and what it was worth beside uniform."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from predictions.models import TrainedModel, Training
from predictions.training.trainer import activate_by_hand, check_usable
from shiolplus.adminsite.action_pages import ActionAdmin, ActionPage, ActionRefused, Button
from shiolplus.adminsite.changelist import RememberedFiltersAdmin
from shiolplus.adminsite.columns import ReadOnlyAdminMixin, date_column, datetime_column, truncated_column


class ActivateForm(forms.Form):
    model = forms.ModelChoiceField(
        TrainedModel.objects.all(),
        widget=forms.NumberInput(attrs={"min": 1}),
        help_text="Its id, as the list of models shows it.",
        error_messages={
            "required": "Model: name one by its id.",
            "invalid_choice": "Model: there is no model of that id.",
        },
    )


class ActivatePage(ActionPage):
    """Goes back to an older model, or on to the newest: the one chosen predicts from now on."""

    slug = "activate"
    title = "Activate a model"
    permission = "predictions.change_trainedmodel"
    form_class = ActivateForm
    template = "admin/predictions/trainedmodel/activate.html"
    model_admin: "TrainedModelAdmin"

    def preview(self, asked: dict[str, Any]) -> dict[str, Any]:
        chosen: TrainedModel = asked["model"]
        active = TrainedModel.objects.active(chosen.mode)
        if not _is_so_already(chosen):
            _check(chosen)
        return {
            "chosen": chosen,
            "pinned": not _is_newest(chosen),
            "releases": active is not None and active.pinned and _is_newest(chosen),
            "rows": self._side_by_side(active, chosen),
            "nothing_to_do": _is_so_already(chosen),
        }

    def _side_by_side(self, active: TrainedModel | None, chosen: TrainedModel) -> list[tuple[str, list[str]]]:
        """What is known of the one that predicts now, if any, and of the one chosen."""
        models = [chosen] if active in (None, chosen) else [active, chosen]
        of = self.model_admin
        return [
            ("Model", [str(one.pk) for one in models]),
            ("Fitted (UTC)", [f"{one.created_at:%Y-%m-%d %H:%M}" for one in models]),
            ("Draws through", [str(one.draws_through) for one in models]),
            ("Draws used", [f"{one.draws_used:,}" for one in models]),
            ("Held-out log-loss", [of.log_loss(one) for one in models]),
            ("Better than uniform by ± s.e.", [of.gain(one) or "-" for one in models]),
            ("That is", [of.verdict(one) for one in models]),
            ("Parameters", [_parameters(one) for one in models]),
            ("Seed", [str(one.seed) for one in models]),
        ]

    def perform(self, request: HttpRequest, asked: dict[str, Any]) -> None:
        chosen: TrainedModel = asked["model"]
        if _is_so_already(chosen):
            text = f"Model {chosen.pk}, {chosen}, predicts already; nothing was changed."
            self.model_admin.message_user(request, text, messages.WARNING)
            return
        with transaction.atomic():
            try:
                activate_by_hand(chosen)
            except ValueError as error:
                raise _refused(chosen, error) from error
            pinned = "; pinned until another is activated" if chosen.pinned else "; the next fit replaces it"
            self.model_admin.log_change(request, chosen, f"Activated{pinned}.")
        text = f"Model {chosen.pk}, {chosen}, predicts from now on{pinned}."
        self.model_admin.message_user(request, text, messages.SUCCESS)


def _is_newest(model: TrainedModel) -> bool:
    return not TrainedModel.objects.filter(mode=model.mode, pk__gt=model.pk).exists()


def _is_so_already(model: TrainedModel) -> bool:
    return model.active and model.pinned != _is_newest(model)


def _check(model: TrainedModel) -> None:
    try:
        check_usable(model)
    except ValueError as error:
        raise _refused(model, error) from error


def _refused(model: TrainedModel, reason: ValueError) -> ActionRefused:
    return ActionRefused(f"Model {model.pk}, {model}, cannot be activated: {reason}.")


def _parameters(model: TrainedModel) -> str:
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
        """Who may say which model predicts; Django asks this before it offers the action."""
        return request.user.has_perm(ActivatePage.permission)

    @admin.action(description="Activate the selected model", permissions=["activate"])
    def activate_selected(self, request: HttpRequest, models: QuerySet[TrainedModel]) -> HttpResponse | None:
        pks = list(models.values_list("pk", flat=True)[:2])
        if len(pks) != 1:
            self.message_user(request, "Select one model: the one that shall predict.", messages.ERROR)
            return None
        return HttpResponseRedirect(_address(pks[0]))

    def row_actions(self, request: HttpRequest, model: TrainedModel) -> list[Button]:
        return [("Activate", _address(model.pk))] if self.has_activate_permission(request) else []

    @admin.display(ordering="active")
    def predicts(self, model: TrainedModel) -> str:
        """In words: a red cross for "not pinned" reads as trouble."""
        if model.pinned:
            return "yes, pinned"
        return "yes" if model.active else "no"

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


def _address(pk: int) -> str:
    """Of the page that shows what activating a model would change."""
    return f"{reverse('admin:predictions_trainedmodel_activate')}?model={pk}"


@admin.register(Training)
class TrainingAdmin(ReadOnlyAdminMixin, RememberedFiltersAdmin):
    list_display = [
        "mode",
        "status",
        "attempts",
        "holder",
        datetime_column("started_at", "started"),
        datetime_column("finished_at", "finished"),
        truncated_column("error", 60),
    ]
    list_filter = ["mode", "status", ("created_at", admin.DateFieldListFilter)]
