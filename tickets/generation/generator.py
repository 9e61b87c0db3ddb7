"""Start generation runs, in the background or inline, and report their results."""

import logging
import math
import time
from collections.abc import Sequence
from datetime import date
from typing import Any

from django.db import transaction
from django.utils import timezone

from predictions.draws.sources import upcoming_draw
from predictions.models import check_run_id, new_run_id
from predictions.modes.registry import MODE_NAMES
from predictions.powerball import check_ticket_date
from predictions.workqueue.leases import DATABASE_OUTAGES
from shiolplus.logs.context import current_request, log_ids
from tickets.generation import statistics
from tickets.generation.lifecycle import enqueue_batches, finish_run_if_done
from tickets.generation.planning import freeze_recipe
from tickets.generation.worker import Watcher, run_batch
from tickets.models import GenerationRun, Origin, TicketBatch
from tickets.models.policies import MAX_BATCH_SIZE, MAX_DAYS, PAUSED_REASON, policies_by_mode
from tickets.scoring.scorer import score_if_drawn
from tickets.store import get_batch_ticket_stats

logger = logging.getLogger(__name__)

DEFAULT_MODES = ("random_forest", "lstm")
DEFAULT_BATCH_SIZE, DEFAULT_CLEANUP_DAYS = 100, 7
POLL_SECONDS = 0.2


class BatchTicketGenerator:
    """Generate one batch of tickets per mode from the stored predictions.

    Each mode's policy applies where `batch_size`, `cleanup_days` or `priority` is None; the attributes then
    hold the defaults, 100 and 7. Unknown and paused modes are skipped and reported by `generate_batch`.
    Raise ValueError if a number is out of range or no mode is known.
    """

    def __init__(
        self,
        batch_size: int | None = None,
        modes: Sequence[str] = DEFAULT_MODES,
        auto_cleanup: bool = True,
        cleanup_days: int | None = None,
        priority: int | None = None,
    ) -> None:
        self._requested_size = _check_integer("batch_size", batch_size, MAX_BATCH_SIZE)
        self._requested_days = _check_integer("cleanup_days", cleanup_days, MAX_DAYS)
        self._priority = priority
        self.batch_size = self._requested_size or DEFAULT_BATCH_SIZE
        self.cleanup_days = self._requested_days or DEFAULT_CLEANUP_DAYS
        self.auto_cleanup = bool(auto_cleanup)
        requested = list(dict.fromkeys([modes] if isinstance(modes, str) else modes))
        self.modes = [mode for mode in requested if mode in MODE_NAMES]
        self.skipped = {
            str(mode): f"unknown mode; allowed are {', '.join(MODE_NAMES)}"
            for mode in requested
            if mode not in MODE_NAMES
        }
        if not self.modes:
            raise ValueError(f"modes {requested!r}: none is known; allowed are {', '.join(MODE_NAMES)}")
        for mode in self.skipped:
            logger.warning("Skipping unknown mode %s", mode)
        self._last_run = 0  # primary key

    def generate_batch(
        self,
        pipeline_run_id: str | None = None,
        async_mode: bool = True,
        draw_date: date | None = None,
        watch: Watcher = lambda batch: None,
    ) -> dict[str, Any]:
        """Create a run and its batches, then enqueue them or, with `async_mode=False`, run them inline.

        `draw_date` defaults to the next draw. `watch` is called after each chunk of an inline batch. An
        existing run is returned with `created` and `started` False; inline, its unleased batches run first.
        Raise ValueError if that run has other modes, another batch size or another draw.
        """
        day = draw_date or upcoming_draw()
        check_ticket_date(day)
        run_id = new_run_id("manual") if pipeline_run_id is None else check_run_id(pipeline_run_id)
        with log_ids(run=run_id), transaction.atomic():
            run, created = self._get_or_create_run(run_id, day)
            if created:
                batches = create_batches(run)
                if async_mode:
                    enqueue_batches(batches)
                logger.info(
                    "Created ticket batches for the draw of %s: %s", day, ", ".join(run.modes) or "none"
                )
        self._last_run = run.pk
        if not created:
            self._check_same_request(run, draw_date)
        if not async_mode:
            generate_inline(run, watch)
        run.refresh_from_db()
        started = created and bool(run.modes)
        return run_result(run) | {"started": started, "created": created, "async": async_mode}

    def _get_or_create_run(self, run_id: str, day: date) -> tuple[GenerationRun, bool]:
        by_mode = policies_by_mode()
        paused = {mode: PAUSED_REASON for mode in self.modes if by_mode[mode].paused}
        policies = {
            mode: by_mode[mode].effective(self._requested_size, self._requested_days, self._priority)
            for mode in self.modes
            if mode not in paused
        }
        values = {
            "origin": Origin.GENERATED,
            "status": GenerationRun.Status.RUNNING,
            "draw_date": day,
            "modes": list(policies),
            "skipped": self.skipped | paused,
            "batch_size": _single_value([policy["batch_size"] for policy in policies.values()]),
            "auto_cleanup": self.auto_cleanup,
            "cleanup_days": _single_value([policy["cleanup_days"] for policy in policies.values()]),
            "policy": policies,
            "started_at": timezone.now(),
            "finished_at": None,
            "request_id": current_request(),
        }
        run, created = GenerationRun.objects.get_or_create(pipeline_run_id=run_id, defaults=values)
        if not created:
            # A run that only has inserted tickets becomes a generation run.
            inserted = GenerationRun.objects.filter(pk=run.pk, origin=Origin.INSERTED)
            created = bool(inserted.update(**values))
            run.refresh_from_db()
        return run, created

    def _check_same_request(self, run: GenerationRun, draw_date: date | None) -> None:
        run_modes = [*run.modes, *(mode for mode in run.skipped if mode in MODE_NAMES)]
        # Runs created before policies existed have one size.
        sizes = {mode: run.policy[mode]["batch_size"] if run.policy else run.batch_size for mode in run.modes}
        if set(self.modes) != set(run_modes):
            difference = f"modes {run_modes}, not {self.modes}"
        elif self._requested_size and run.modes and set(sizes.values()) != {self._requested_size}:
            difference = f"batch_size {run.batch_size or sizes}, not {self._requested_size}"
        elif draw_date and draw_date != run.draw_date:
            difference = f"draw_date {run.draw_date}, not {draw_date}"
        else:
            return
        raise ValueError(f"pipeline_run_id {run.pipeline_run_id!r} already names a run with {difference}")

    def wait_for_completion(self, timeout: float | None = None) -> bool:
        """Wait for this object's last run. Return False after `timeout` seconds."""
        running = GenerationRun.objects.filter(pk=self._last_run, status=GenerationRun.Status.RUNNING)
        deadline = math.inf if timeout is None else time.monotonic() + timeout
        while running.exists():
            if time.monotonic() >= deadline:
                return False
            time.sleep(POLL_SECONDS)
        return True

    def get_status(self) -> dict[str, Any]:
        """Return this object's settings, the current run and database-wide statistics."""
        current = statistics.current_run()
        return {
            "is_generating": current is not None,
            "current_run": None if current is None else run_result(current),
            "configured_modes": list(self.modes),
            "batch_size": self.batch_size,
            "auto_cleanup": self.auto_cleanup,
            "cleanup_days": self.cleanup_days,
            "metrics": statistics.generation_metrics(),
            "db_stats": get_batch_ticket_stats(),
        }


def _check_integer(name: str, value: int | None, maximum: int) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= maximum:
        raise ValueError(f"{name} must be an integer from 1 to {maximum:,}, not {value!r}")
    return value


def _single_value(values: Sequence[int]) -> int | None:
    return values[0] if len(set(values)) == 1 else None


def create_batches(run: GenerationRun) -> list[TicketBatch]:
    """Create the batches of a run and return the queued ones; without a prediction, they fail."""
    if not run.modes:
        run.status, run.finished_at = GenerationRun.Status.CANCELLED, timezone.now()
        run.error = "; ".join(f"{mode}: {reason}" for mode, reason in run.skipped.items())
        run.save(update_fields=["status", "error", "finished_at"])
        logger.warning("Run %s cancelled: %s", run, run.error)
        return []
    queued = []
    for mode in run.modes:
        batch = TicketBatch(
            run=run,
            mode=mode,
            draw_date=run.draw_date,
            requested=run.policy[mode]["batch_size"],
            priority=run.policy[mode]["priority"],
        )
        if error := freeze_recipe(batch):
            batch.status, batch.error, batch.finished_at = TicketBatch.Status.FAILED, error, timezone.now()
            logger.error("Batch of %s failed: %s", mode, error)
        else:
            queued.append(batch)
        batch.save()
    finish_run_if_done(run)
    return queued


def generate_inline(run: GenerationRun, watch: Watcher) -> None:
    """Run the unleased batches of a run in this process, then score them if their draw is over."""
    unleased = TicketBatch.objects.generated().unleased().filter(run=run)
    any_started = False
    for pk in list(unleased.order_by("-priority", "id").values_list("pk", flat=True)):
        try:
            any_started |= run_batch(pk, watch)
        except DATABASE_OUTAGES:
            raise
        except Exception:  # a defect in one mode must not stop the others
            any_started = True
            logger.exception(
                "The outcome of batch %d could not be recorded; retried once its lease expires", pk
            )
    if any_started:
        score_if_drawn(run.draw_date)


def run_result(run: GenerationRun) -> dict[str, Any]:
    """Return the request and outcome of a run, as `generate_batch` does."""
    batches = list(run.batches.generated().order_by("id"))
    ready = [batch for batch in batches if batch.status == TicketBatch.Status.READY]
    failures = (TicketBatch.Status.FAILED, TicketBatch.Status.CANCELLED)
    failed = [batch for batch in batches if batch.status in failures]
    end = run.finished_at or timezone.now()
    return {
        "started": False,
        "async": True,
        "pipeline_run_id": run.pipeline_run_id,
        "generation_run_id": run.pk,
        "created": False,
        "status": run.status,
        "modes": list(run.modes),
        "batch_size": run.batch_size,
        "modes_processed": [batch.mode for batch in ready],
        "modes_failed": [batch.mode for batch in failed],
        "modes_skipped": list(run.skipped),
        "errors": {batch.mode: batch.error or batch.status for batch in failed} | run.skipped,
        "tickets_generated": sum(batch.generated for batch in batches),
        "by_mode": {batch.mode: batch.generated for batch in batches},
        "duration_seconds": (end - (run.started_at or run.created_at)).total_seconds(),
    }
