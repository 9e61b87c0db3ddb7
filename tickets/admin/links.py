"""The pages that the dashboard leads to, where something is mended or seen, for those who may use them."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.http import HttpRequest
from django.urls import reverse
from django.utils.http import urlencode

from shiolplus.adminsite.action_pages import Button
from tickets.monitoring.diagnostics import Diagnostic
from tickets.monitoring.snapshot import ModeSnapshot

ROW = "row"  # the query of a way that leads to a row's own page


@dataclass(frozen=True)
class AdminLink:
    """A page, and the permissions it asks for; `query` names the parameter that says what it is about."""

    title: str
    page: str
    permissions: Sequence[str]
    query: str = ""

    def is_open_to(self, request: HttpRequest) -> bool:
        return request.user.has_perms(self.permissions)

    def address(self, about: str | int) -> str:
        name = f"admin:{self.page}"
        if self.query == ROW:
            return reverse(name, args=[about])
        return f"{reverse(name)}?{urlencode({self.query: about})}" if self.query else reverse(name)


CLUSTERS = AdminLink("Clusters", "predictions_cluster_changelist", ["predictions.view_cluster"])
IMPORT = AdminLink("Import draws", "predictions_draw_import", ["predictions.add_draw"])
RUN = AdminLink("Run the pipeline", "predictions_pipelinerun_run", ["predictions.add_pipelinerun"])
SEE_RUN = AdminLink("See the run", "predictions_pipelinerun_change", ["predictions.view_pipelinerun"], ROW)
BATCHES = AdminLink(
    "See them", "tickets_ticketbatch_changelist", ["tickets.view_ticketbatch"], "status__exact"
)
BATCH = AdminLink("See it", "tickets_ticketbatch_change", ["tickets.view_ticketbatch"], ROW)
RETRY = AdminLink("Retry", "tickets_ticketbatch_retry", ["tickets.change_ticketbatch"], "batches")
RETRY_ALL = AdminLink("Retry all that failed", "tickets_ticketbatch_retry", ["tickets.change_ticketbatch"])
CANCEL = AdminLink("Cancel", "tickets_ticketbatch_cancel", ["tickets.change_ticketbatch"], "batches")
MODELS = AdminLink(
    "See its models",
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
    "no_draws": [IMPORT],
    "missing_draws": [IMPORT],
    "no_pipeline": [RUN],
    "failed_pipeline": [SEE_RUN, RUN],
    "no_model": [RUN],
    "pinned_model": [MODELS],
    "paused_mode": [RESUME],
    "no_tickets": [GENERATE],
    "low_stock": [DEMAND],
}


def links_for_diagnostic(request: HttpRequest, trouble: Diagnostic) -> list[Button]:
    """What of a trouble's ways a person may go."""
    return _open(request, LINKS_BY_CODE.get(trouble.code, ()), trouble.subject)


def links_for_mode(request: HttpRequest, mode: ModeSnapshot) -> list[Button]:
    """What a person may do with a mode."""
    return _open(request, [RESUME] if mode.is_paused else [GENERATE, REGENERATE, PAUSE], mode.mode)


def way_to_cancel(request: HttpRequest, batch: int) -> list[Button]:
    return _open(request, [CANCEL], batch)


def _open(request: HttpRequest, ways: Sequence[AdminLink], about: str | int) -> list[Button]:
    return [(way.title, way.address(about)) for way in ways if way.is_open_to(request)]
