"""Links from the dashboard to admin pages, shown to users with the required permissions."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.http import HttpRequest
from django.urls import reverse

from shiolplus.adminsite.action_pages import Button
from tickets.monitoring.diagnostics import Diagnostic
from tickets.monitoring.snapshot import ModeSnapshot

ROW = "row"  # AdminLink.param of links to an object's change page


@dataclass(frozen=True)
class AdminLink:
    """A page and its permissions. `param` is the query parameter for the subject."""

    title: str
    page: str
    permissions: Sequence[str]
    param: str = ""

    def is_allowed(self, request: HttpRequest) -> bool:
        return request.user.has_perms(self.permissions)

    def url(self, subject: str | int) -> str:
        name = f"admin:{self.page}"
        if self.param == ROW:
            return reverse(name, args=[subject])
        return reverse(name, query={self.param: subject} if self.param else None)


CLUSTERS = AdminLink("Clusters", "predictions_cluster_changelist", ["predictions.view_cluster"])
IMPORT_DRAWS = AdminLink("Import draws", "predictions_draw_import", ["predictions.add_draw"])
RUN_PIPELINE = AdminLink("Run pipeline", "predictions_pipelinerun_run", ["predictions.add_pipelinerun"])
PIPELINE_RUN = AdminLink("View run", "predictions_pipelinerun_change", ["predictions.view_pipelinerun"], ROW)
BATCHES = AdminLink(
    "View batches", "tickets_ticketbatch_changelist", ["tickets.view_ticketbatch"], "status__exact"
)
BATCH = AdminLink("View batch", "tickets_ticketbatch_change", ["tickets.view_ticketbatch"], ROW)
RETRY = AdminLink("Retry", "tickets_ticketbatch_retry", ["tickets.change_ticketbatch"], "batches")
RETRY_ALL = AdminLink("Retry all failed", "tickets_ticketbatch_retry", ["tickets.change_ticketbatch"])
CANCEL = AdminLink("Cancel", "tickets_ticketbatch_cancel", ["tickets.change_ticketbatch"], "batches")
MODELS = AdminLink(
    "View models",
    "predictions_trainedmodel_changelist",
    ["predictions.view_trainedmodel"],
    "mode__exact",
)
DEMAND = AdminLink("Demand", "tickets_claimhour_changelist", ["tickets.view_claimhour"])
GENERATE = AdminLink("Generate", "tickets_generationrun_generate", ["tickets.add_generationrun"], "modes")
REGENERATE = AdminLink(
    "Regenerate",
    "tickets_generationrun_regenerate",
    ["tickets.add_generationrun", "tickets.delete_pregeneratedticket"],
    "mode",
)
PAUSE = AdminLink("Pause", "tickets_modepolicy_pause", ["tickets.change_modepolicy"], "modes")
RESUME = AdminLink("Resume", "tickets_modepolicy_resume", ["tickets.change_modepolicy"], "modes")

LINKS_BY_CODE: dict[str, Sequence[AdminLink]] = {
    "no_worker": [CLUSTERS],
    "unwatched_worker": [CLUSTERS],
    "restarted_worker": [CLUSTERS],
    "waiting_batches": [BATCHES],
    "failed_batch": [BATCH, RETRY],
    "failed_batches": [BATCHES, RETRY_ALL],
    "no_draws": [IMPORT_DRAWS],
    "missing_draws": [IMPORT_DRAWS],
    "no_pipeline": [RUN_PIPELINE],
    "failed_pipeline": [PIPELINE_RUN, RUN_PIPELINE],
    "no_model": [RUN_PIPELINE],
    "pinned_model": [MODELS],
    "paused_mode": [RESUME],
    "no_tickets": [GENERATE],
    "low_stock": [DEMAND],
}


def links_for_diagnostic(request: HttpRequest, diagnostic: Diagnostic) -> list[Button]:
    return allowed_buttons(request, LINKS_BY_CODE.get(diagnostic.code, ()), diagnostic.subject)


def links_for_mode(request: HttpRequest, mode: ModeSnapshot) -> list[Button]:
    return allowed_buttons(request, [RESUME] if mode.is_paused else [GENERATE, REGENERATE, PAUSE], mode.mode)


def links_for_batch(request: HttpRequest, batch_id: int) -> list[Button]:
    return allowed_buttons(request, [CANCEL], batch_id)


def allowed_buttons(request: HttpRequest, links: Sequence[AdminLink], subject: str | int) -> list[Button]:
    return [(link.title, link.url(subject)) for link in links if link.is_allowed(request)]
