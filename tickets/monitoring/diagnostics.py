"""Derive diagnostics from a snapshot.

error      action needed: tickets are missing or will be
warning    the service runs with restrictions
notice     requested by staff, or expected to pass
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from predictions.pipeline.after_draw import wait_deadline
from predictions.workqueue import clusters
from tickets.monitoring.durations import duration
from tickets.monitoring.snapshot import ModeSnapshot, Snapshot

MAX_WAIT = timedelta(minutes=10)  # before a queued batch starts
RECENT_RESTART = timedelta(hours=1)
MAX_LISTED_BATCHES = 5
LEVELS = ("error", "warning", "notice")
# Conditions under which a live cluster cannot store its heartbeats.
BLOCKING_HEARTBEATS = ("disk_full", "disk_not_writable", "database_read_only")


@dataclass(frozen=True)
class Diagnostic:
    """One finding, with the fields of Django's CheckMessage. `subject` is a mode, batch, queue or host."""

    level: str
    code: str
    message: str
    hint: str = ""
    subject: str = ""


def diagnose(snapshot: Snapshot) -> list[Diagnostic]:
    """Return the diagnostics of a snapshot, most severe first."""
    diagnostics = [
        *(
            Diagnostic(found.level, found.code, found.message, found.hint, found.subject)
            for found in snapshot.conditions
        ),
        *diagnose_workers(snapshot),
        *diagnose_batches(snapshot),
        *diagnose_draws(snapshot),
        *diagnose_pipeline(snapshot),
        *(diagnostic for mode in snapshot.modes for diagnostic in diagnose_mode(mode, snapshot)),
    ]
    return sorted(diagnostics, key=lambda diagnostic: LEVELS.index(diagnostic.level))


def overall_status(diagnostics: list[Diagnostic]) -> str:
    """Return the level of the most severe diagnostic, or "well" if there are only notices."""
    worst = diagnostics[0].level if diagnostics else "notice"
    return "well" if worst == "notice" else worst


def diagnose_workers(snapshot: Snapshot) -> Iterator[Diagnostic]:
    cannot_record = any(condition.code in BLOCKING_HEARTBEATS for condition in snapshot.conditions)
    last_seen = ""
    if seen_at := snapshot.workers.last_seen_at:
        last_seen = f"; last seen {duration((snapshot.at - seen_at).total_seconds())} ago"
    for queue in snapshot.workers.unserved:
        purpose = "generates tickets" if queue == clusters.DEFAULT else "runs pipelines and trains models"
        if cannot_record:
            yield Diagnostic(
                "warning",
                "unknown_worker",
                f"It is unknown whether a cluster {purpose} (queue {queue}): heartbeats cannot be stored.",
                "Make the database and its disk writable first.",
                queue,
            )
        else:
            yield Diagnostic(
                "error",
                "no_worker",
                f"No cluster {purpose} (queue {queue}){last_seen}.",
                "Run `manage.py run_cluster`, or `make serve` for clusters and web server.",
                queue,
            )
    for name in snapshot.workers.unsupervised:
        yield Diagnostic(
            "warning",
            "unwatched_worker",
            f"Cluster {name} runs without a watchdog: it is not restarted if it hangs.",
            "Run `manage.py run_cluster` instead of `qcluster`.",
            name,
        )
    for worker in snapshot.workers.supervised:
        uptime = snapshot.at - worker.started_at
        if worker.restarts and uptime < RECENT_RESTART:
            yield Diagnostic(
                "warning",
                "restarted_worker",
                f"Cluster {worker.queue} on {worker.host} was restarted "
                f"{duration(uptime.total_seconds())} ago: {worker.restart_reason or 'it exited'}.",
                "Run `grep ERROR var/logs/shiol.log`.",
                worker.queue,
            )


def diagnose_batches(snapshot: Snapshot) -> Iterator[Diagnostic]:
    workload = snapshot.workload
    waited = workload.oldest_waiting_seconds
    if waited is not None and waited > MAX_WAIT.total_seconds():
        waiting = count_text(workload.waiting, "batch is", "batches are")
        yield Diagnostic(
            "error",
            "waiting_batches",
            f"{waiting} waiting to start, the oldest for {duration(waited)}.",
            "See whether the cluster is busy with a long task, or raise SHIOL_WORKERS.",
            "queued",
        )
    for batch in snapshot.failed[:MAX_LISTED_BATCHES]:
        yield Diagnostic(
            "error",
            "failed_batch",
            f"Batch {batch.id} of {batch.mode} for {batch.draw_date} failed: {batch.error}",
            "Fix the cause, then retry the batch in the admin, or run "
            f"`manage.py generate_batch --modes {batch.mode}`.",
            str(batch.id),
        )
    if (unlisted := len(snapshot.failed) - MAX_LISTED_BATCHES) > 0:
        yield Diagnostic(
            "error",
            "failed_batches",
            f"{count_text(unlisted, 'more batch', 'more batches')} for upcoming draws failed.",
            "See the failed batches in the admin.",
            "failed",
        )


def diagnose_draws(snapshot: Snapshot) -> Iterator[Diagnostic]:
    draws = snapshot.draws
    if draws.newest is None:
        yield Diagnostic(
            "error", "no_draws", "No official draws are stored.", "Run `manage.py import_draws`."
        )
    elif draws.missing == 1 and snapshot.at < wait_deadline(draws.last):
        message = f"The numbers of the draw of {draws.last} are not published yet."
        yield Diagnostic("notice", "awaited_draw", message)
    elif draws.missing:
        yield Diagnostic(
            "warning",
            "missing_draws",
            f"{count_text(draws.missing, 'draw', 'draws')} missing since {draws.newest}: "
            f"models cannot learn from {'it' if draws.missing == 1 else 'them'}.",
            "Run `manage.py import_draws --source ny` (or texas), or upload a file in the admin.",
        )


def diagnose_pipeline(snapshot: Snapshot) -> Iterator[Diagnostic]:
    run, hint = snapshot.pipeline, "Run `manage.py run_pipeline`."
    if run is None:
        yield Diagnostic("warning", "no_pipeline", "No pipeline run has finished yet.", hint)
    elif run.status == "failed":
        message = f"The last pipeline run, {run.pipeline_run_id}, failed: {run.error}"
        yield Diagnostic("error", "failed_pipeline", message, hint, str(run.id))


def diagnose_mode(mode: ModeSnapshot, snapshot: Snapshot) -> Iterator[Diagnostic]:
    name, model = mode.mode, mode.model
    yield from diagnose_stock(mode, snapshot)
    if model is None:
        hint = f"Run `manage.py run_pipeline --modes {name}`."
        yield Diagnostic("warning", "no_model", f"{name} has no trained model.", hint, name)
    elif model.pinned:
        message = f"{name} is pinned to its model of {model.created_at:%Y-%m-%d}: no training replaces it."
        yield Diagnostic(
            "notice", "pinned_model", message, "Activate its newest model in the admin to unpin it.", name
        )


def diagnose_stock(mode: ModeSnapshot, snapshot: Snapshot) -> Iterator[Diagnostic]:
    stock, name = mode.stock, mode.mode
    is_on_sale = snapshot.at < snapshot.draws.sales_close_at
    if mode.is_paused:
        hint = "Resume it under mode policies in the admin."
        yield Diagnostic("notice", "paused_mode", f"{name} is paused.", hint, name)
    elif not stock.available and is_on_sale:
        if mode.is_predicted:
            hint = f"Run `manage.py generate_batch --modes {name}`."
        else:
            hint = f"No prediction for this draw yet: run `manage.py run_pipeline --modes {name}`."
        on_order = f"; {stock.on_order:,} on order" if stock.on_order else ""
        message = f"{name} has no tickets available for the draw of {snapshot.draws.next}{on_order}."
        yield Diagnostic("warning" if stock.on_order else "error", "no_tickets", message, hint, name)
    elif stock.short_by:
        message = (
            f"{name} has {stock.available:,} tickets available, {stock.short_by:,} below its reorder point."
        )
        hint = "`manage.py run_cluster` orders the difference; if it does not, check the mode's policy."
        yield Diagnostic("warning", "low_stock", message, hint, name)


def count_text(number: int, singular: str, plural: str) -> str:
    return f"{number:,} {singular if number == 1 else plural}"
