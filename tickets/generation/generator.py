"""BatchTicketGenerator: asks for tickets, in the background or here, and tells what became of it."""

import logging
import time
from collections.abc import Sequence
from datetime import date
from typing import Any

from django.db import transaction
from django.utils import timezone

from predictions.draws.sources import upcoming_draw
from predictions.models import check_run_id, new_run_id
from predictions.modes.registry import MODE_NAMES
from predictions.powerball import check_ticket_day
from shiolplus.logs.context import current_request, log_ids
from tickets.generation import statistics
from tickets.generation.lifecycle import enqueue, finish_run
from tickets.generation.planning import freeze_recipe
from tickets.generation.worker import Watcher, run_batch
from tickets.models import GenerationRun, Origin, TicketBatch
from tickets.models.policies import MAX_BATCH_SIZE, MAX_DAYS, PAUSED_REASON, EffectivePolicy, policies_by_mode
from tickets.scoring.scorer import score_if_drawn
from tickets.store import get_batch_ticket_stats

logger = logging.getLogger(__name__)

DEFAULT_MODES = ("random_forest", "lstm")
DEFAULT_BATCH_SIZE, DEFAULT_CLEANUP_DAYS = 100, 7
POLL_SECONDS = 0.2


class BatchTicketGenerator:
    """Makes one batch of tickets a mode from the stored predictions.

    What is not given, `batch_size`, `cleanup_days` and `priority`, is as each mode's policy says; the
    attributes of the first two names then hold the defaults, 100 and 7. ValueError when one of the two is
    below 1 or no mode is known. Unknown modes are dropped with a warning, paused ones are left out, and
    `generate_batch` reports both.
    """

    def __init__(
        self,
        batch_size: int | None = None,
        modes: Sequence[str] = DEFAULT_MODES,
        auto_cleanup: bool = True,
        cleanup_days: int | None = None,
        priority: int | None = None,
    ) -> None:
        self._given_size = _whole_number("batch_size", batch_size, MAX_BATCH_SIZE)
        self._given_days = _whole_number("cleanup_days", cleanup_days, MAX_DAYS)
        self._priority = priority
        self.batch_size = self._given_size or DEFAULT_BATCH_SIZE
        self.cleanup_days = self._given_days or DEFAULT_CLEANUP_DAYS
        self.auto_cleanup = bool(auto_cleanup)
        asked = list(dict.fromkeys([modes] if isinstance(modes, str) else modes))
        self.modes = [mode for mode in asked if mode in MODE_NAMES]
        self.skipped = {
            str(mode): f"unknown mode; allowed are {', '.join(MODE_NAMES)}"
            for mode in asked
            if mode not in MODE_NAMES
        }
        if not self.modes:
            raise ValueError(f"modes {asked!r}: none is known; allowed are {', '.join(MODE_NAMES)}")
        for mode in self.skipped:
            logger.warning("mode %s is unknown and left out", mode)
        self._last_run: int | None = None

    def generate_batch(
        self,
        pipeline_run_id: str | None = None,
        async_mode: bool = True,
        draw_date: date | None = None,
        watch: Watcher = lambda batch: None,
    ) -> dict[str, Any]:
        """Make a run and its batches, and enqueue them or, with `async_mode=False`, make them here.

        The same `pipeline_run_id` again returns the stored result with `created` and `started` False, after
        making here, with `async_mode=False`, those of its batches that are nobody's; ValueError when that run
        was asked for other modes, another size or another draw. A run all of whose modes are left out is
        `cancelled`. `draw_date` None means the next draw. `watch` is called after each stored chunk of a
        batch made here.
        """
        day = draw_date or upcoming_draw()
        check_ticket_day(day)
        run_id = new_run_id("manual") if pipeline_run_id is None else check_run_id(pipeline_run_id)
        with log_ids(run=run_id), transaction.atomic():
            run, created = self._get_or_create_run(run_id, day)
            if created:
                queued = self._create_batches(run)
                if async_mode:
                    enqueue(queued)
                logger.info("tickets of %s for %s are ordered", ", ".join(run.modes) or "no mode", day)
        self._last_run = run.pk
        if not created:
            self._check_same_request(run, draw_date)
        if not async_mode:
            _generate_inline(run, watch)
        run.refresh_from_db()
        started = created and bool(run.modes)
        return run_result(run) | {"started": started, "created": created, "async": async_mode}

    def _get_or_create_run(self, run_id: str, day: date) -> tuple[GenerationRun, bool]:
        """The run of this id, and whether it is this call that makes it."""
        paused, used = self._effective_policies()
        asked = {
            "origin": Origin.GENERATED,
            "status": GenerationRun.Status.RUNNING,
            "draw_date": day,
            "modes": list(used),
            "skipped": self.skipped | paused,
            "batch_size": _single_value([one["batch_size"] for one in used.values()]),
            "auto_cleanup": self.auto_cleanup,
            "cleanup_days": _single_value([one["cleanup_days"] for one in used.values()]),
            "policy": used,
            "started_at": timezone.now(),
            "finished_at": None,
            "request_id": current_request(),
        }
        run, created = GenerationRun.objects.get_or_create(pipeline_run_id=run_id, defaults=asked)
        if not created:
            # Tickets were handed in under this id before: the run is still to be asked for.
            created = bool(GenerationRun.objects.filter(pk=run.pk, origin=Origin.INSERTED).update(**asked))
            run.refresh_from_db()
        return run, created

    def _effective_policies(self) -> tuple[dict[str, str], dict[str, EffectivePolicy]]:
        """The modes that are paused, each with the reason, and what holds for the others."""
        of_modes = {mode: policy for mode, policy in policies_by_mode().items() if mode in self.modes}
        paused = {mode: PAUSED_REASON for mode in self.modes if of_modes[mode].paused}
        used = {
            mode: of_modes[mode].effective(self._given_size, self._given_days, self._priority)
            for mode in self.modes
            if mode not in paused
        }
        return paused, used

    def _check_same_request(self, run: GenerationRun, draw_date: date | None) -> None:
        made_of = [*run.modes, *(mode for mode in run.skipped if mode in MODE_NAMES)]
        if set(self.modes) != set(made_of):
            raise _conflict(run, "modes", made_of, self.modes)
        sizes = _requested_sizes(run)
        if self._given_size and run.modes and set(sizes.values()) != {self._given_size}:
            raise _conflict(run, "batch_size", run.batch_size or sizes, self._given_size)
        if draw_date and draw_date != run.draw_date:
            raise _conflict(run, "draw_date", run.draw_date, draw_date)

    def _create_batches(self, run: GenerationRun) -> list[TicketBatch]:
        """A batch a mode; one without a prediction has failed already. Returns those to be made."""
        if not run.modes:
            _cancel(run)
            return []
        batches = [_new_batch(run, mode) for mode in run.modes]
        for batch in batches:
            batch.save()
        finish_run(run)
        return [batch for batch in batches if batch.status == TicketBatch.Status.QUEUED]

    def wait_for_completion(self, timeout: float | None = None) -> bool:
        """Wait until this object's last run has ended; False when `timeout` seconds pass before that."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while self._is_running():
            if deadline is not None and time.monotonic() >= deadline:
                return False
            time.sleep(POLL_SECONDS)
        return True

    def _is_running(self) -> bool:
        if self._last_run is None:
            return False
        return GenerationRun.objects.filter(pk=self._last_run, status=GenerationRun.Status.RUNNING).exists()

    def get_status(self) -> dict[str, Any]:
        """This object's settings, what runs now in the whole database, and what all runs came to."""
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


def _whole_number(name: str, value: int | None, highest: int) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= highest:
        raise ValueError(f"{name} {value!r}: allowed is an integer from 1 to {highest:,}")
    return value


def _single_value(values: Sequence[int]) -> int | None:
    """What all have, None where they differ."""
    return values[0] if len(set(values)) == 1 else None


def _requested_sizes(run: GenerationRun) -> dict[str, int | None]:
    """How many tickets of each mode a run was asked for; one from before there were policies has one size."""
    return {mode: run.policy[mode]["batch_size"] if run.policy else run.batch_size for mode in run.modes}


def _conflict(run: GenerationRun, name: str, stored: object, given: object) -> ValueError:
    return ValueError(
        f"pipeline_run_id {run.pipeline_run_id!r} already names a run with {name} {stored}, not {given}"
    )


def _cancel(run: GenerationRun) -> None:
    """End a run that has nothing to make: nothing broke, and nobody need ask for it again."""
    run.status, run.finished_at = GenerationRun.Status.CANCELLED, timezone.now()
    run.error = "; ".join(f"{mode}: {reason}" for mode, reason in run.skipped.items())
    run.save(update_fields=["status", "error", "finished_at"])
    logger.warning("run %s is cancelled: %s", run, run.error)


def _generate_inline(run: GenerationRun, watch: Watcher) -> None:
    """Make a run's batches that are nobody's, in this process."""
    free = TicketBatch.objects.generated().unleased().filter(run=run)
    pks = list(free.order_by("-priority", "id").values_list("pk", flat=True))
    if any([run_batch(pk, watch) for pk in pks]):
        score_if_drawn(run.draw_date)


def _new_batch(run: GenerationRun, mode: str) -> TicketBatch:
    used = run.policy[mode]
    batch = TicketBatch(
        run=run,
        mode=mode,
        draw_date=run.draw_date,
        requested=used["batch_size"],
        priority=used["priority"],
    )
    if trouble := freeze_recipe(batch):
        batch.status, batch.error, batch.finished_at = TicketBatch.Status.FAILED, trouble, timezone.now()
        logger.error("batch of %s failed: %s", mode, trouble)
    return batch


def run_result(run: GenerationRun) -> dict[str, Any]:
    """What a run was asked for and what became of it, as `generate_batch` returns it."""
    batches = list(run.batches.generated().order_by("id"))
    ready = [batch for batch in batches if batch.status == TicketBatch.Status.READY]
    failed = [
        batch
        for batch in batches
        if batch.status in (TicketBatch.Status.FAILED, TicketBatch.Status.CANCELLED)
    ]
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
