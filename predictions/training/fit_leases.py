"""Fits, leased: two processes that want the same one do not both do it.

One that ends the process that waits for it, time and again, is given up, so that the other modes get through.
"""

from typing import Any

from django.utils import timezone

from predictions.draws.sources import DrawHistory
from predictions.models import TrainedModel, Training
from predictions.modes.registry import MODES
from predictions.workqueue.leases import lease_holder

Status = Training.Status


def acquire_fit(mode: str, known: DrawHistory, seed: int) -> Training:
    """The row of this fit: with a token if it is leased here now, without one if it is not to be had."""
    training, _ = Training.objects.get_or_create(
        mode=mode,
        draws_fingerprint=known.fingerprint(),
        seed=seed,
        code_version=MODES[mode].code_version,
    )
    # One that has ended, whichever way, may be done anew.
    anew: dict[str, Any] = {"started_at": None, "finished_at": None, "model": None, "error": ""}
    Training.objects.filter(pk=training.pk).exclude(status=Status.RUNNING).update(
        status=Status.RUNNING, attempts=0, token=None, lease_until=None, **anew
    )
    token = Training.objects.acquire(training.pk, lease_holder())
    training.refresh_from_db()
    training.token = token
    return training


def finish_fit(
    training: Training, status: str, *, model: TrainedModel | None = None, error: str = ""
) -> bool:
    """Record the end of a fit leased here; False when it was lost."""
    held = Training.objects.owned_by(training)
    training.token = None  # first, so that nobody renews it any more
    return bool(held.update(status=status, model=model, error=error, finished_at=timezone.now()))


def fail_if_exhausted(training: Training) -> str:
    """Why a fit is not begun again, or nothing. It is recorded as failed: who asks next has it done anew."""
    exhausted = Training.objects.out_of_attempts().filter(pk=training.pk)
    error = (
        f"the fit of {training.mode} was given up: {training.attempts} times the process that waited for it "
        "was killed, perhaps for want of memory"
    )
    return error if exhausted.update(status=Status.FAILED, error=error, finished_at=timezone.now()) else ""
