"""What of a picture is not as it should be, in words, with what to do about it: the worst first.

error      tickets are missing, or will be: somebody should act now
warning    it works, and something fell short
notice     it is as somebody wanted it, or will pass: good to know
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from predictions.pipeline.after_draw import wait_deadline
from predictions.workqueue import clusters
from tickets.monitoring.durations import duration
from tickets.monitoring.snapshot import ModeSnapshot, Snapshot

LONG_WAIT = timedelta(minutes=10)  # for a batch that nobody has begun
RECENT = timedelta(hours=1)  # in which a cluster that was started again is worth a line
SHOWN = 5  # failed batches that are told one by one
LEVELS = ("error", "warning", "notice")
# While one of these holds, a live cluster cannot record that it is alive.
UNRECORDABLE = ("disk_full", "disk_not_writable", "database_read_only")


@dataclass(frozen=True)
class Diagnostic:
    """`kind` is for programs, `about` the mode or the batch, `advice` the way out by a command."""

    level: str
    code: str
    message: str
    hint: str = ""
    subject: str = ""

    def as_json(self) -> dict[str, str]:
        return asdict(self)


def diagnose(picture: Snapshot) -> list[Diagnostic]:
    """All that is to be said of a picture; nothing when it is well."""
    found = [
        *_of_conditions(picture),
        *_of_workers(picture),
        *_of_work(picture),
        *_of_draws(picture),
        *_of_pipeline(picture),
        *(trouble for mode in picture.modes for trouble in _of_mode(mode, picture)),
    ]
    return sorted(found, key=lambda trouble: LEVELS.index(trouble.level))


def overall_status(troubles: list[Diagnostic]) -> str:
    """The worst level of some troubles, or "well" where there is no more than a notice."""
    worst = troubles[0].level if troubles else "notice"
    return "well" if worst == "notice" else worst


def _of_conditions(picture: Snapshot) -> Iterator[Diagnostic]:
    for found in picture.conditions:
        yield Diagnostic(found.level, found.code, found.message, found.hint, found.subject)


def _of_workers(picture: Snapshot) -> Iterator[Diagnostic]:
    workers = picture.workers
    cannot_record = any(found.code in UNRECORDABLE for found in picture.conditions)
    for queue in workers.unserved:
        does = "makes tickets" if queue == clusters.DEFAULT else "runs pipelines and fits models"
        if cannot_record:
            yield Diagnostic(
                "warning",
                "unknown_worker",
                f"It is unknown whether a cluster {does} (queue {queue}): none can record that it is alive.",
                "make the database and its disk writable first",
                queue,
            )
            continue
        seen = f"; one was last seen {_ago(workers.last_seen_at, picture.at)}" if workers.last_seen_at else ""
        yield Diagnostic(
            "error",
            "no_worker",
            f"No cluster {does} (queue {queue}){seen}.",
            "`manage.py run_cluster`, or `make serve` with the web server",
            queue,
        )
    for name in workers.unwatched:
        yield Diagnostic(
            "warning",
            "unwatched_worker",
            f"{name} is a cluster that nobody watches: one that hangs is not noticed.",
            "`manage.py run_cluster` instead of `qcluster`",
            name,
        )
    for one in workers.watched:
        if one.restarts and picture.at - one.started_at < RECENT:
            yield Diagnostic(
                "warning",
                "restarted_worker",
                f"The cluster of {one.queue} on {one.host} was started again "
                f"{_ago(one.started_at, picture.at)}: {one.trouble or 'it ended'}.",
                "`grep ERROR var/logs/shiol.log`",
                one.queue,
            )


def _of_work(picture: Snapshot) -> Iterator[Diagnostic]:
    waited = picture.workload.oldest_waiting_seconds
    if waited is not None and waited > LONG_WAIT.total_seconds():
        yield Diagnostic(
            "error",
            "waiting_batches",
            f"{_count(picture.workload.waiting, 'batch waits', 'batches wait')} to be begun, the oldest for "
            f"{duration(waited)}.",
            "see whether the cluster works on something long, or raise SHIOL_WORKERS",
            "queued",
        )
    for batch in picture.failed[:SHOWN]:
        yield Diagnostic(
            "error",
            "failed_batch",
            f"Batch {batch.id} of {batch.mode} for {batch.draw_date} failed: {batch.error}",
            f"mend that, then retry it in the admin, or `manage.py generate_batch --modes {batch.mode}`",
            str(batch.id),
        )
    if (more := len(picture.failed) - SHOWN) > 0:
        text = f"{_count(more, 'more batch', 'more batches')} for draws to come failed."
        yield Diagnostic("error", "failed_batches", text, "see the failed ones in the admin", "failed")


def _of_draws(picture: Snapshot) -> Iterator[Diagnostic]:
    draws = picture.draws
    if draws.newest is None:
        advice = "`manage.py import_draws`"
        yield Diagnostic("error", "no_draws", "No official draw is stored.", advice)
    elif draws.missing == 1 and picture.at < wait_deadline(draws.last):
        text = f"The draw of {draws.last} was held; its numbers are awaited."
        yield Diagnostic("notice", "awaited_draw", text)
    elif draws.missing:
        yield Diagnostic(
            "warning",
            "missing_draws",
            f"{_count(draws.missing, 'draw', 'draws')} since {draws.newest} "
            f"{'is' if draws.missing == 1 else 'are'} not stored: the models do not know "
            f"{'it' if draws.missing == 1 else 'them'}.",
            "`manage.py import_draws --source ny`, or texas, or a file in the admin",
        )


def _of_pipeline(picture: Snapshot) -> Iterator[Diagnostic]:
    ended = picture.pipeline
    if ended is None:
        advice = "`manage.py run_pipeline`"
        yield Diagnostic("warning", "no_pipeline", "The pipeline has never run to its end.", advice)
    elif ended.status == "failed":
        text = f"The last pipeline run, {ended.pipeline_run_id}, failed: {ended.error}"
        yield Diagnostic("error", "failed_pipeline", text, "`manage.py run_pipeline`", str(ended.id))


def _of_mode(mode: ModeSnapshot, picture: Snapshot) -> Iterator[Diagnostic]:
    yield from _of_stock(mode, picture)
    if mode.model is None:
        advice = f"`manage.py run_pipeline --modes {mode.mode}`"
        yield Diagnostic("warning", "no_model", f"{mode.mode} has no trained model.", advice, mode.mode)
    elif mode.model.pinned:
        text = f"{mode.mode} is pinned to its model of {mode.model.created_at:%Y-%m-%d}: no fit replaces it."
        yield Diagnostic("notice", "pinned_model", text, "activate its newest model in the admin", mode.mode)


def _of_stock(mode: ModeSnapshot, picture: Snapshot) -> Iterator[Diagnostic]:
    stock, name = mode.stock, mode.mode
    is_on_sale = picture.at < picture.draws.sales_close_at
    if mode.is_paused:
        advice = "resume it in the admin's mode policies"
        yield Diagnostic("notice", "paused_mode", f"{name} is paused.", advice, name)
    elif not stock.available and is_on_sale:
        if mode.is_predicted:
            advice = f"`manage.py generate_batch --modes {name}`"
        else:
            advice = f"it has no prediction for this draw: `manage.py run_pipeline --modes {name}`"
        text = f"{name} has no ticket free for the draw of {picture.draws.next}"
        text += f"; {stock.on_order:,} are coming." if stock.on_order else "."
        yield Diagnostic("warning" if stock.on_order else "error", "no_tickets", text, advice, name)
    elif stock.short_by:
        text = (
            f"{name} has {stock.available:,} tickets available, {stock.short_by:,} below its reorder point."
        )
        advice = "run_cluster orders what is lacking; if it does not, see the mode's policy"
        yield Diagnostic("warning", "low_stock", text, advice, name)


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"


def _ago(then: datetime | None, now: datetime) -> str:
    if then is None:
        return "never"
    return f"{duration((now - then).total_seconds())} ago"
