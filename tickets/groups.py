"""The groups that staff are put in: `viewer`, who looks, and `operator`, who also acts on what goes on.

Made when they are absent, at each migrate, and left alone afterwards: whoever manages users may change them.
"""

from typing import Any

from django.apps import AppConfig, apps
from django.db import transaction
from django.db.models import Q
from django.db.models.signals import post_migrate

APPS = ("predictions", "tickets")
HIDDEN = ("tickets.view_apikey",)  # who may open the door is for those who manage clients
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


def permissions_of_groups() -> dict[str, set[str]]:
    """What each group may: `app.codename`, as `has_perm` takes it."""
    models = [model._meta for name in APPS for model in apps.get_app_config(name).get_models()]
    views = {f"{model.app_label}.view_{model.model_name}" for model in models} - set(HIDDEN)
    return {"viewer": views, "operator": views | set(ACTIONS)}


def make_groups(sender: AppConfig, using: str = "default", apps: Any = apps, **kwargs: Any) -> None:
    """Make the groups that are absent, once the permissions they have are all there."""
    try:
        group_model, permission_model = apps.get_model("auth", "Group"), apps.get_model("auth", "Permission")
    except LookupError:  # migrated back so far that nobody can log in
        return
    for name, wanted in permissions_of_groups().items():
        permissions = list(permission_model.objects.using(using).filter(_any_of(wanted)))
        if len(permissions) < len(wanted):
            continue
        with transaction.atomic(using=using):
            group, is_new = group_model.objects.using(using).get_or_create(name=name)
            if is_new:
                group.permissions.set(permissions)


def _any_of(names: set[str]) -> Q:
    found = Q(pk=None)
    for name in sorted(names):
        app, codename = name.split(".")
        found |= Q(content_type__app_label=app, codename=codename)
    return found


def connect(sender: AppConfig) -> None:
    """After each migrate. The last of our apps sends last, so by then all have their permissions."""
    post_migrate.connect(make_groups, sender=sender, dispatch_uid="tickets.make_groups")
