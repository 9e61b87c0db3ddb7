"""Management command that shows the state of the system, like the admin's dashboard."""

import json
import sys
from collections import Counter
from typing import Any, Literal

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from predictions.draws.sources import freshness_text
from predictions.powerball import EASTERN
from shiolplus.cli import configure_console_logging, write_line
from tickets.monitoring.collector import take_snapshot
from tickets.monitoring.diagnostics import LEVELS, Diagnostic, diagnose, overall_status
from tickets.monitoring.durations import duration
from tickets.monitoring.history import HOURS
from tickets.monitoring.serializers import serialize_status
from tickets.monitoring.snapshot import ModeSnapshot, Snapshot

PIPED_WIDTH = 160  # columns, if the output is not a terminal
LEVEL_STYLES = {"error": "bold red", "warning": "yellow", "notice": "cyan"}
CAPTION = "Last batch in UTC. Skill: log-loss gain over uniform in nats per draw, with its 95 % interval."
COLUMNS = (
    "Mode",
    "Available",
    "Reorder\npoint",
    "On\norder",
    "Claimed",
    "Last\nbatch",
    "Duration",
    "Tickets",
    "Draws\nthrough",
    "Skill",
)
LEFT_ALIGNED = ("Mode", "Last\nbatch", "Draws\nthrough", "Skill")


class Command(BaseCommand):
    help = (
        "Shows what the admin's dashboard shows: diagnostics with hints, clusters, running and waiting work, "
        "and the stock, last batch, model and measured skill of each mode. Exits with status 1 if there is "
        "an error; warnings do not count."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="Write one JSON document instead.")

    def handle(self, *args: Any, **options: Any) -> None:
        configure_console_logging(options["verbosity"])
        snapshot = take_snapshot(timezone.now())
        diagnostics = diagnose(snapshot)
        if options["json"]:
            self.stdout.write(json.dumps(serialize_status(snapshot, diagnostics), indent=1))
        elif options["verbosity"] > 0:
            print_snapshot(self.stdout, snapshot, diagnostics)
            write_line(self.stdout, options["verbosity"], summary(diagnostics))
        if overall_status(diagnostics) == "error":
            sys.exit(1)


def summary(diagnostics: list[Diagnostic]) -> str:
    """Return the number of diagnostics per level as one sentence."""
    counts = Counter(diagnostic.level for diagnostic in diagnostics)
    parts = [
        f"{counts[level]} {level}{'' if counts[level] == 1 else 's'}" for level in LEVELS if counts[level]
    ]
    return f"{', '.join(parts) or 'No problems'} found."


def print_snapshot(stdout: Any, snapshot: Snapshot, diagnostics: list[Diagnostic]) -> None:
    screen = Console(file=stdout, highlight=False)
    if not screen.is_terminal:
        screen = Console(file=stdout, highlight=False, width=PIPED_WIDTH)
    for diagnostic in diagnostics:
        level = Text(f"{diagnostic.level:8} ", style=LEVEL_STYLES[diagnostic.level])
        screen.print(level, diagnostic.message, sep="")
        if diagnostic.hint:
            screen.print(f"{'':8} → {diagnostic.hint}", markup=False)
    for title, lines in _lines_by_title(snapshot).items():
        for index, line in enumerate(lines):
            screen.print(f"{'' if index else title:8} {line}", markup=False)
    screen.print(_mode_table(snapshot))


def _lines_by_title(snapshot: Snapshot) -> dict[str, list[str]]:
    draws, errors = snapshot.draws, snapshot.error_rate
    drawn_at = f"{draws.drawn_at.astimezone(EASTERN):%Y-%m-%d %H:%M} New York"
    seconds_left = (draws.sales_close_at - snapshot.at).total_seconds()
    sales = f"sales close in {duration(seconds_left)}" if seconds_left > 0 else "sales are closed"
    failed = (
        f"{errors.failed:,} of {errors.finished:,} batches failed" if errors.finished else "no batch finished"
    )
    claims = sum(count.claims for count in snapshot.claims)
    refused = sum(count.refused for count in snapshot.claims)
    prizes = [_describe_prizes(mode) for mode in snapshot.modes if mode.prizes.draws]
    return {
        "draw": [f"next {drawn_at}, {sales}; {freshness_text(draws.newest)}"],
        "workers": _describe_workers(snapshot),
        "workload": _describe_workload(snapshot),
        "pipeline": [_describe_pipeline(snapshot)],
        "errors": [f"{failed} in {errors.days} days"],
        "claims": [f"{claims:,} in {HOURS} hours, {refused:,} refused (out of stock)"],
        "prizes": prizes or ["no draw scored yet"],
    }


def _describe_workers(snapshot: Snapshot) -> list[str]:
    supervised = []
    for worker in snapshot.workers.supervised:
        seconds = worker.last_heartbeat_seconds
        heartbeat = "no heartbeat yet" if seconds is None else f"last heartbeat {duration(seconds)} ago"
        supervised.append(f"{worker.queue} on {worker.host}: {worker.state}, {heartbeat}")
    return [*supervised, *snapshot.workers.unsupervised] or ["none"]


def _describe_workload(snapshot: Snapshot) -> list[str]:
    workload = snapshot.workload
    pipelines = [
        f"pipeline {run.pipeline_run_id}: "
        + (f"{run.step}, step {run.number} of {run.steps}" if run.step else "waiting")
        for run in workload.pipelines
    ]
    batches = [
        f"batch {batch.id} of {batch.mode}: {batch.generated:,} of {batch.requested:,} tickets"
        + (f", {batch.rate:,.0f}/s" if batch.rate else "")
        + (f", {duration(batch.seconds_left)} left" if batch.seconds_left is not None else "")
        for batch in workload.batches
    ]
    oldest = workload.oldest_waiting_seconds
    queued = [] if oldest is None else [f"{workload.waiting:,} queued, the oldest for {duration(oldest)}"]
    return pipelines + batches + queued or ["Idle"]


def _describe_pipeline(snapshot: Snapshot) -> str:
    last, completed = snapshot.pipeline, snapshot.pipeline_completed
    if last is None or last.finished_at is None:
        return "no run finished yet"
    ago = duration((snapshot.at - last.finished_at).total_seconds())
    text = f"{last.status} {ago} ago" + (f" after {duration(last.seconds)}" if last.seconds else "")
    if completed and completed != last and completed.finished_at:
        text += f"; last completed {completed.finished_at:%Y-%m-%d %H:%M} UTC"
    return text


def _describe_prizes(mode: ModeSnapshot) -> str:
    prizes = mode.prizes
    return (
        f"{mode.mode}: ${prizes.won_usd:,} won vs. ${prizes.expected_usd:,.2f} expected with "
        f"{prizes.tickets:,} tickets in {prizes.draws:,} draws: {prizes.verdict}"
    )


def _mode_table(snapshot: Snapshot) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, caption=CAPTION)
    for title in COLUMNS:
        justify: Literal["left", "right"] = "left" if title in LEFT_ALIGNED else "right"
        table.add_column(title, justify=justify, no_wrap=title != "Skill")
    for mode in snapshot.modes:
        table.add_row(*_mode_cells(mode))
    return table


def _mode_cells(mode: ModeSnapshot) -> list[str]:
    stock, batch, model, skill = mode.stock, mode.last_success, mode.model, mode.skill
    batch_cells = ["-", "", ""]
    if batch is not None:
        finished_at = f"{batch.finished_at:%m-%d %H:%M}"
        batch_cells = [finished_at, duration(batch.seconds or 0), f"{batch.generated:,}"]
    return [
        mode.mode + (" (paused)" if mode.is_paused else ""),
        *(f"{count:,}" for count in (stock.available, stock.reorder_point, stock.on_order, stock.claimed)),
        *batch_cells,
        f"{model.draws_through}{' (pinned)' if model.pinned else ''}" if model else "no model",
        f"{skill.nats:+.4f} ({skill.low:+.4f} to {skill.high:+.4f})" if skill else "not measured yet",
    ]
