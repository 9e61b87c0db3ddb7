"""Leases of fits, which keep two processes from running the same fit.

A fit whose parent process is killed repeatedly is abandoned, so that the other modes still get trained.
"""

from typing import Any

from django.utils import timezone

from predictions.draws.sources import DrawHistory
from predictions.models import TrainedModel, Training
from predictions.modes.registry import MODES
from predictions.workqueue.leases import lease_holder

Status = Training.Status


def acquire_fit(mode: str, draw_history: DrawHistory, seed: int) -> Training:
    """Return the row of this fit, with a token if the lease was acquired and without one otherwise."""
    training, _ = Training.objects.get_or_create(
        mode=mode,
        draws_fingerprint=draw_history.fingerprint(),
        seed=seed,
        code_version=MODES[mode].code_version,
    )
    # A finished fit, successful or not, may be repeated.
    cleared: dict[str, Any] = {"started_at": None, "finished_at": None, "model": None, "error": ""}
    Training.objects.filter(pk=training.pk).exclude(status=Status.RUNNING).update(
        status=Status.RUNNING, attempts=0, token=None, lease_until=None, **cleared
    )
    token = Training.objects.acquire(training.pk, lease_holder())
    training.refresh_from_db()
    training.token = token
    return training


def finish_fit(
    training: Training, status: str, *, model: TrainedModel | None = None, error: str = ""
) -> bool:
    """Record the end of a fit leased by this process; return False if the lease was lost."""
    owned = Training.objects.owned_by(training)
    training.token = None  # first, so that the renewal thread skips it
    return bool(owned.update(status=status, model=model, error=error, finished_at=timezone.now()))


def fail_if_exhausted(training: Training) -> str:
    """Fail a fit without attempts left and return its error; return "" otherwise."""
    exhausted = Training.objects.out_of_attempts().filter(pk=training.pk)
    error = (
        f"the fit of {training.mode} was abandoned after {training.attempts} attempts: its parent process "
        "was killed each time, possibly out of memory"
    )
    return error if exhausted.update(status=Status.FAILED, error=error, finished_at=timezone.now()) else ""
