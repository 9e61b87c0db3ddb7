"""Default groups: `viewer` may view everything, `operator` may also run and change things.

`migrate` creates them if they do not exist and never changes them, so administrators may edit them.
"""

from typing import Any

from django.apps import AppConfig, apps
from django.db import transaction
from django.db.models import Q
from django.db.models.signals import post_migrate

APPS = ("predictions", "tickets")
HIDDEN = ("tickets.view_apikey",)  # only for administrators of API clients
ACTIONS = (
    "predictions.add_draw",
    "predictions.delete_draw",
    "predictions.add_pipelinerun",
    "predictions.change_trainedmodel",
    "tickets.add_generationrun",
    "tickets.change_modepolicy",
    "tickets.change_ticketbatch",
    "tickets.delete_pregeneratedticket",
)


def permissions_by_group() -> dict[str, set[str]]:
    """Return {group: {"app.codename", ...}}."""
    models = [model._meta for name in APPS for model in apps.get_app_config(name).get_models()]
    views = {f"{model.app_label}.view_{model.model_name}" for model in models} - set(HIDDEN)
    return {"viewer": views, "operator": views | set(ACTIONS)}


def create_groups(sender: AppConfig, using: str = "default", apps: Any = apps, **kwargs: Any) -> None:
    try:
        group_model, permission_model = apps.get_model("auth", "Group"), apps.get_model("auth", "Permission")
    except LookupError:  # migrated back beyond the auth app
        return
    for group_name, permission_names in permissions_by_group().items():
        permissions = list(permission_model.objects.using(using).filter(_named(permission_names)))
        if len(permissions) < len(permission_names):
            continue
        with transaction.atomic(using=using):
            group, created = group_model.objects.using(using).get_or_create(name=group_name)
            if created:
                group.permissions.set(permissions)


def _named(names: set[str]) -> Q:
    condition = Q(pk=None)
    for name in sorted(names):
        app, codename = name.split(".")
        condition |= Q(content_type__app_label=app, codename=codename)
    return condition


def connect(sender: AppConfig) -> None:
    # post_migrate is sent per app; all permissions exist when the last of our apps sends it.
    post_migrate.connect(create_groups, sender=sender, dispatch_uid="tickets.create_groups")
