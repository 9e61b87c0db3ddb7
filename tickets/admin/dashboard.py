"""The admin's dashboard: is it well, and if not, why? One view, which a browser asks again and again."""

from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode

from predictions.whiskers import Mean, WhiskerChart, whisker_chart
from tickets.dashboard import picture_at
from tickets.history import HOURS
from tickets.picture import ModePicture, Picture
from tickets.plots import plots_of
from tickets.troubles import Trouble, state_of, troubles_of

PERMISSION = "tickets.view_ticketbatch"
BUSY_EVERY, IDLE_EVERY = 3, 15  # seconds from one look to the next, while something is made and otherwise


@dataclass(frozen=True)
class Way:
    """Where in the admin something is mended, or seen; the permission that it asks for."""

    title: str
    page: str
    permission: str
    query: str = ""  # the parameter that says what it is about; "row" is the row's own page

    def address(self, about: str) -> str:
        if self.query == "row":
            return reverse(f"admin:{self.page}", args=[about])
        path = reverse(f"admin:{self.page}")
        return f"{path}?{urlencode({self.query: about})}" if self.query else path


WAYS = {
    "no_worker": Way("Clusters", "predictions_cluster_changelist", "predictions.view_cluster"),
    "unwatched_worker": Way("Clusters", "predictions_cluster_changelist", "predictions.view_cluster"),
    "restarted_worker": Way("Clusters", "predictions_cluster_changelist", "predictions.view_cluster"),
    "waiting_batches": Way(
        "Queued batches", "tickets_ticketbatch_changelist", "tickets.view_ticketbatch", "status__exact"
    ),
    "failed_batch": Way("The batch", "tickets_ticketbatch_change", "tickets.view_ticketbatch", "row"),
    "failed_batches": Way(
        "Failed batches", "tickets_ticketbatch_changelist", "tickets.view_ticketbatch", "status__exact"
    ),
    "no_draws": Way("Import draws", "predictions_draw_import", "predictions.add_draw"),
    "missing_draws": Way("Import draws", "predictions_draw_import", "predictions.add_draw"),
    "no_pipeline": Way("Run the pipeline", "predictions_pipelinerun_run", "predictions.add_pipelinerun"),
    "failed_pipeline": Way(
        "The run", "predictions_pipelinerun_change", "predictions.view_pipelinerun", "row"
    ),
    "no_model": Way("Run the pipeline", "predictions_pipelinerun_run", "predictions.add_pipelinerun"),
    "held_model": Way(
        "Trained models",
        "predictions_trainedmodel_changelist",
        "predictions.view_trainedmodel",
        "mode__exact",
    ),
    "paused_mode": Way("Mode policies", "tickets_modepolicy_changelist", "tickets.view_modepolicy"),
    "no_tickets": Way("Generate", "tickets_generationrun_generate", "tickets.add_generationrun", "modes"),
    "low_stock": Way("Demand", "tickets_claimhour_changelist", "tickets.view_claimhour"),
}


@dataclass(frozen=True)
class Told:
    """A trouble, and the page that mends it, where the person may use it."""

    trouble: Trouble
    title: str = ""
    address: str = ""

    @classmethod
    def to(cls, request: HttpRequest, trouble: Trouble) -> "Told":
        way = WAYS.get(trouble.kind)
        if way is None or not request.user.has_perm(way.permission):
            return cls(trouble)
        return cls(trouble, way.title, way.address(trouble.about))


def dashboard(request: HttpRequest) -> HttpResponse:
    """The page; its script asks for it again and takes over what has changed."""
    if not request.user.has_perm(PERMISSION):
        raise PermissionDenied
    context = admin.site.each_context(request) | {"title": "Dashboard"} | page_of(request)
    return TemplateResponse(request, "admin/tickets/dashboard.html", context)


def page_of(request: HttpRequest) -> dict[str, Any]:
    """What the page shows at this moment."""
    picture = picture_at(timezone.now())
    troubles, plots = troubles_of(picture), plots_of(picture)
    return {
        "picture": picture,
        "state": state_of(troubles),
        "troubles": [Told.to(request, trouble) for trouble in troubles],
        "plots": plots,
        "plots_json": [plot.as_json() for plot in plots],
        "skill": _skill(picture.modes),
        "prizes": [mode for mode in picture.modes if mode.prizes.draws],
        "excess": _excess(picture.modes),
        "claimed": _claimed(picture),
        "error_percent": "" if (share := picture.error_rate.share) is None else f"{share:.1%}",
        "every": IDLE_EVERY if picture.work.is_idle else BUSY_EVERY,
    }


def _skill(modes: list[ModePicture]) -> list[WhiskerChart]:
    means = [
        Mean(mode.mode, one.nats, one.low, one.high, f"{one.nats:+.4f} ({one.low:+.4f} to {one.high:+.4f})")
        for mode in modes
        if (one := mode.skill)
    ]
    title = "Better than chance by, in nats a draw, with the 95 % interval"
    return [whisker_chart(title, "skill", means)] if means else []


def _excess(modes: list[ModePicture]) -> list[WhiskerChart]:
    """Only of modes with so many scored draws that something may be said."""
    means = []
    for mode in modes:
        mean, low, high = mode.prizes.excess_white, mode.prizes.excess_low, mode.prizes.excess_high
        if mean is not None and low is not None and high is not None:
            means.append(Mean(mode.mode, mean, low, high, f"{mean:+.4f} ({low:+.4f} to {high:+.4f})"))
    title = "White balls a ticket hit beyond chance, with the 95 % interval between draws"
    return [whisker_chart(title, "excess", means)] if means else []


def _claimed(picture: Picture) -> dict[str, int]:
    """Over the hours that are told."""
    return {
        "hours": HOURS,
        "claims": sum(one.claims for one in picture.claims),
        "tickets": sum(one.tickets for one in picture.claims),
        "refused": sum(one.refused for one in picture.claims),
    }
