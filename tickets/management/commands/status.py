"""`manage.py status`: is it well, and if not, why? The admin's dashboard on a terminal."""

import json
import sys
from typing import Any

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
from tickets.monitoring.snapshot import ModeSnapshot, Snapshot

UNTIL_PIPED = 160  # columns where no terminal says how many there are
COLOURS = {"error": "bold red", "warning": "yellow", "notice": "cyan"}
CAPTION = "Last made in UTC. Better than uniform: in nats a draw, with the 95 % interval."
NUMBERS = ("Free", "Floor", "Coming", "Claimed", "Took", "Tickets")


class Command(BaseCommand):
    help = (
        "Show what the admin's dashboard shows: what is wrong and what to do about it, who works, what runs "
        "and what waits, and each mode's stock, last batch, model and measured skill. Exits "
        "1 when something is wrong that somebody should act on (an error; warnings are not)."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--json", action="store_true", help="all of it as one JSON document, for programs"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        configure_console_logging(options["verbosity"])
        picture = take_snapshot(timezone.now())
        troubles = diagnose(picture)
        if options["json"]:
            self.stdout.write(json.dumps(as_json(picture, troubles), indent=1))
        elif options["verbosity"] > 0:
            _print(self.stdout, picture, troubles)
            write_line(self.stdout, options["verbosity"], summary(troubles))
        if overall_status(troubles) == "error":
            sys.exit(1)


def as_json(picture: Snapshot, troubles: list[Diagnostic]) -> dict[str, Any]:
    """The picture with what is wrong of it; `state` is well, warning or error."""
    told = [trouble.as_json() for trouble in troubles]
    return {"state": overall_status(troubles), "diagnostics": told} | picture.as_json()


def summary(troubles: list[Diagnostic]) -> str:
    """One line: well, or 2 errors, 1 warning."""
    counts = {level: sum(one.level == level for one in troubles) for level in LEVELS}
    told = [f"{count} {level}{'' if count == 1 else 's'}" for level, count in counts.items() if count]
    return ("well; " if overall_status(troubles) == "well" and told else "") + (", ".join(told) or "well")


def _print(stdout: Any, picture: Snapshot, troubles: list[Diagnostic]) -> None:
    screen = Console(file=stdout, highlight=False)
    if not screen.is_terminal:
        screen = Console(file=stdout, highlight=False, width=UNTIL_PIPED)
    for trouble in troubles:
        screen.print(Text(f"{trouble.level:8} ", style=COLOURS[trouble.level]), trouble.message, sep="")
        if trouble.hint:
            screen.print(f"{'':8} → {trouble.hint}", markup=False)
    for name, lines in _lines(picture).items():
        for place, line in enumerate(lines):
            screen.print(f"{'' if place else name:8} {line}", markup=False)
    screen.print(_table(picture))


def _lines(picture: Snapshot) -> dict[str, list[str]]:
    draws, errors = picture.draws, picture.error_rate
    held = f"{draws.drawn_at.astimezone(EASTERN):%Y-%m-%d %H:%M} New York"
    left = (draws.sales_close_at - picture.at).total_seconds()
    sales = f"sales close in {duration(left)}" if left > 0 else "sales are closed"
    failed = f"{errors.failed:,} of {errors.ended:,} batches failed" if errors.ended else "no batch ended"
    return {
        "draw": [f"next {held}, {sales}; {freshness_text(draws.newest)}"],
        "workers": _workers(picture),
        "now": _work(picture),
        "pipeline": [_pipeline(picture)],
        "errors": [f"{failed} in {errors.days} days"],
        "claims": [_claims(picture)],
        "prizes": [_prizes(mode) for mode in picture.modes if mode.prizes.draws] or ["no draw was scored"],
    }


def _workers(picture: Snapshot) -> list[str]:
    watched = [
        f"{one.queue} on {one.host}: {one.state}, last sign "
        + ("not yet" if one.last_heartbeat_seconds is None else f"{duration(one.last_heartbeat_seconds)} ago")
        for one in picture.workers.watched
    ]
    return [*watched, *picture.workers.unwatched] or ["none"]


def _work(picture: Snapshot) -> list[str]:
    work = picture.workload
    batches = [
        f"batch {one.id} of {one.mode}: {one.generated:,} of {one.requested:,} tickets"
        + (f", {one.rate:,.0f}/s" if one.rate else "")
        + (f", {duration(one.seconds_left)} left" if one.seconds_left is not None else "")
        for one in work.batches
    ]
    pipelines = [
        f"pipeline {one.pipeline_run_id}: "
        + (f"{one.step}, step {one.number} of {one.steps}" if one.step else "waits")
        for one in work.pipelines
    ]
    waits = work.oldest_waiting_seconds
    waiting = [] if waits is None else [f"{work.waiting:,} waiting, the oldest for {duration(waits)}"]
    return pipelines + batches + waiting or ["nothing to do"]


def _pipeline(picture: Snapshot) -> str:
    last, completed = picture.pipeline, picture.pipeline_completed
    if last is None or last.finished_at is None:
        return "never ended"
    ago = duration((picture.at - last.finished_at).total_seconds())
    text = f"{last.status} {ago} ago" + (f", took {duration(last.seconds)}" if last.seconds else "")
    if completed and completed != last and completed.finished_at:
        text += f"; last completed {completed.finished_at:%Y-%m-%d %H:%M} UTC"
    return text


def _claims(picture: Snapshot) -> str:
    granted, refused = (sum(getattr(one, name) for one in picture.claims) for name in ("claims", "refused"))
    return f"{granted:,} in {HOURS} hours, {refused:,} refused for want of stock"


def _prizes(mode: ModeSnapshot) -> str:
    one = mode.prizes
    return (
        f"{mode.mode}: ${one.won_usd:,} won, ${one.expected_usd:,.2f} expected of {one.tickets:,} tickets in "
        f"{one.draws:,} draws: {one.verdict}"
    )


def _table(picture: Snapshot) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, caption=CAPTION)
    titles = ("Mode", "Free", "Floor", "Coming", "Claimed", "Last made", "Took", "Tickets", "Draws through")
    for title in titles:
        table.add_column(title, justify="right" if title in NUMBERS else "left", no_wrap=True)
    table.add_column("Better than uniform")
    for mode in picture.modes:
        table.add_row(*_row(mode))
    return table


def _row(mode: ModeSnapshot) -> list[str]:
    stock, made, skill = mode.stock, mode.last_success, mode.skill
    figures = [
        f"{number:,}" for number in (stock.available, stock.reorder_point, stock.on_order, stock.claimed)
    ]
    batch = ["-", "", ""]
    if made is not None:
        batch = [f"{made.finished_at:%m-%d %H:%M}", duration(made.seconds or 0), f"{made.tickets:,}"]
    return [
        mode.mode + (" (paused)" if mode.is_paused else ""),
        *figures,
        *batch,
        f"{mode.model.draws_through}{' (pinned)' if mode.model.pinned else ''}" if mode.model else "no model",
        f"{skill.nats:+.4f} ({skill.low:+.4f} to {skill.high:+.4f})" if skill else "not measured",
    ]
