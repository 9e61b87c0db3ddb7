"""The admin's dashboard: is it well, and if not, why? One view, which a browser asks again and again."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone

from shiolplus.charts.interval import Estimate, IntervalChart, interval_chart
from tickets.admin.links import links_for_diagnostic, links_for_mode, way_to_cancel
from tickets.monitoring.charts import plots_of
from tickets.monitoring.collector import take_snapshot
from tickets.monitoring.diagnostics import diagnose, overall_status
from tickets.monitoring.history import HOURS
from tickets.monitoring.snapshot import ModeSnapshot, Snapshot

PERMISSION = "tickets.view_ticketbatch"
BUSY_EVERY, IDLE_EVERY = 3, 15  # seconds from one look to the next, while something is made and otherwise


def dashboard(request: HttpRequest) -> HttpResponse:
    """The page; its script asks for it again and takes over what has changed."""
    if not request.user.has_perm(PERMISSION):
        raise PermissionDenied
    context = admin.site.each_context(request) | {"title": "Dashboard"} | page_of(request)
    return TemplateResponse(request, "admin/tickets/dashboard.html", context)


def page_of(request: HttpRequest) -> dict[str, Any]:
    """What the page shows at this moment."""
    picture = take_snapshot(timezone.now())
    troubles, plots = diagnose(picture), plots_of(picture)
    return {
        "picture": picture,
        "state": overall_status(troubles),
        "troubles": [(trouble, links_for_diagnostic(request, trouble)) for trouble in troubles],
        "batches": [(batch, way_to_cancel(request, batch.id)) for batch in picture.workload.batches],
        "modes": [(mode, links_for_mode(request, mode)) for mode in picture.modes],
        "plots": plots,
        "plots_json": [plot.as_json() for plot in plots],
        "skill": _skill(picture.modes),
        "prizes": [mode for mode in picture.modes if mode.prizes.draws],
        "excess": _excess(picture.modes),
        "claimed": _claimed(picture),
        "error_percent": "" if (share := picture.error_rate.share) is None else f"{share:.1%}",
        "every": IDLE_EVERY if picture.workload.is_idle else BUSY_EVERY,
    }


def _skill(modes: list[ModeSnapshot]) -> list[IntervalChart]:
    means = [
        Estimate(
            mode.mode, one.nats, one.low, one.high, f"{one.nats:+.4f} ({one.low:+.4f} to {one.high:+.4f})"
        )
        for mode in modes
        if (one := mode.skill)
    ]
    title = "Better than chance by, in nats a draw, with the 95 % interval"
    return [interval_chart(title, "skill", means)] if means else []


def _excess(modes: list[ModeSnapshot]) -> list[IntervalChart]:
    """Only of modes with so many scored draws that something may be said."""
    means = []
    for mode in modes:
        mean, low, high = mode.prizes.excess_white, mode.prizes.excess_low, mode.prizes.excess_high
        if mean is not None and low is not None and high is not None:
            means.append(Estimate(mode.mode, mean, low, high, f"{mean:+.4f} ({low:+.4f} to {high:+.4f})"))
    title = "White balls a ticket hit beyond chance, with the 95 % interval between draws"
    return [interval_chart(title, "excess", means)] if means else []


def _claimed(picture: Snapshot) -> dict[str, int]:
    """Over the hours that are told."""
    return {
        "hours": HOURS,
        "claims": sum(one.claims for one in picture.claims),
        "tickets": sum(one.tickets for one in picture.claims),
        "refused": sum(one.refused for one in picture.claims),
    }
