"""The admin's dashboard, refreshed periodically by its script."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone

from shiolplus.charts.interval import Estimate, IntervalChart
from tickets.admin.links import links_for_batch, links_for_diagnostic, links_for_mode
from tickets.monitoring.charts import build_charts
from tickets.monitoring.collector import take_snapshot
from tickets.monitoring.diagnostics import diagnose, overall_status
from tickets.monitoring.history import HOURS
from tickets.monitoring.snapshot import ModeSnapshot, Snapshot

PERMISSION = "tickets.view_ticketbatch"
BUSY_INTERVAL, IDLE_INTERVAL = 3, 15  # seconds between refreshes


def dashboard(request: HttpRequest) -> HttpResponse:
    if not request.user.has_perm(PERMISSION):
        raise PermissionDenied
    context = admin.site.each_context(request) | {"title": "Dashboard"} | dashboard_context(request)
    return TemplateResponse(request, "admin/tickets/dashboard.html", context)


def dashboard_context(request: HttpRequest) -> dict[str, Any]:
    snapshot = take_snapshot(timezone.now())
    diagnostics = diagnose(snapshot)
    return {
        "snapshot": snapshot,
        "status": overall_status(diagnostics),
        "diagnostics": [
            (diagnostic, links_for_diagnostic(request, diagnostic)) for diagnostic in diagnostics
        ],
        "batches": [(batch, links_for_batch(request, batch.id)) for batch in snapshot.workload.batches],
        "modes": [(mode, links_for_mode(request, mode)) for mode in snapshot.modes],
        "charts": build_charts(snapshot),
        "skill": _skill_charts(snapshot.modes),
        "prizes": [mode for mode in snapshot.modes if mode.prizes.draws],
        "excess": _excess_charts(snapshot.modes),
        "claims": _claim_totals(snapshot),
        "error_percent": "" if (share := snapshot.error_rate.share) is None else f"{share:.1%}",
        "refresh_seconds": IDLE_INTERVAL if snapshot.workload.is_idle else BUSY_INTERVAL,
    }


def _skill_charts(modes: list[ModeSnapshot]) -> list[IntervalChart]:
    estimates = [
        Estimate(mode.mode, mode.skill.nats, mode.skill.low, mode.skill.high) for mode in modes if mode.skill
    ]
    title = "Skill: log-loss gain over chance in nats per draw, with 95 % interval"
    return [IntervalChart("skill", title, estimates)] if estimates else []


def _excess_charts(modes: list[ModeSnapshot]) -> list[IntervalChart]:
    """Chart the modes that have enough scored draws for an interval."""
    estimates = []
    for mode in modes:
        mean, low, high = mode.prizes.excess_white, mode.prizes.excess_low, mode.prizes.excess_high
        if mean is not None and low is not None and high is not None:
            estimates.append(Estimate(mode.mode, mean, low, high))
    title = "White balls matched per ticket vs. chance, with 95 % interval over draws"
    return [IntervalChart("excess", title, estimates)] if estimates else []


def _claim_totals(snapshot: Snapshot) -> dict[str, int]:
    return {
        "hours": HOURS,
        "claims": sum(count.claims for count in snapshot.claims),
        "tickets": sum(count.tickets for count in snapshot.claims),
        "refused": sum(count.refused for count in snapshot.claims),
    }
