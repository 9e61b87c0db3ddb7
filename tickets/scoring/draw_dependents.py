"""Handling of scores and claims when draws are deleted."""

from predictions.draws.deletion import DependentKind, register_dependents
from tickets.models import Claim
from tickets.models.scores import BatchScore


def register() -> None:
    register_dependents(
        DependentKind(
            "ticket batch scores",
            "deleted; batches are scored again from their stored tickets when the draws are stored again",
            lambda days: BatchScore.objects.filter(draw_date__in=days).select_related("batch__run"),
            lambda rows: rows.delete(),
        )
    )
    register_dependents(
        DependentKind(
            "claims",
            "kept with their numbers; their tickets are not deleted until they are scored again",
            lambda days: Claim.objects.filter(draw_date__in=days),
        )
    )
