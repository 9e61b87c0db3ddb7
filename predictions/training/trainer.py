"""Training of models: fits in child processes, storage, activation, and deletion of old artefacts."""

import logging
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.conf import settings
from django.db import transaction

from predictions.draws.sources import DrawHistory
from predictions.models import TrainedModel, Training
from predictions.modes.registry import MODES
from predictions.training import fit_leases
from predictions.training.artefacts import ArtefactError, verify
from predictions.training.subprocesses import (
    FitError,
    FitResult,
    build_request,
    kill_children,
    run_in_subprocess,
)
from predictions.workqueue.leases import LeaseLost, renewing

logger = logging.getLogger(__name__)

DEFAULT_SEED = 1
POLL_SECONDS = 0.5

StoredComponents = list[dict[str, Any]]


@dataclass(frozen=True)
class TrainingOutcome:
    """A mode's model, new or unchanged, or an error. A pinned model predicts even after a forced fit."""

    mode: str
    model: TrainedModel | None = None
    fitted: bool = False
    pinned: TrainedModel | None = None
    error: str = ""

    @property
    def prediction_model(self) -> TrainedModel | None:
        return self.pinned or self.model


def train_modes(
    modes: Sequence[str], draw_history: DrawHistory, seed: int = DEFAULT_SEED, *, force: bool = False
) -> Iterator[TrainingOutcome]:
    """Train modes, SHIOL_FIT_PROCESSES at a time, and yield each outcome as soon as it is known.

    Unless `force` is set, a mode is not fitted if its model is pinned or unchanged. A fit that
    another process is running is waited for.
    """
    leased, waiting = [], []
    for mode in modes:
        if not force and (pinned := TrainedModel.objects.pinned(mode)):
            yield TrainingOutcome(mode, pinned, pinned=pinned)
        elif not force and (model := unchanged_model(mode, draw_history, seed)):
            yield TrainingOutcome(mode, model)
        elif (training := fit_leases.acquire_fit(mode, draw_history, seed)).token:
            leased.append(training)
        else:
            waiting.append(mode)
    yield from _fit_all(leased, draw_history, seed)
    for mode in waiting:
        yield _wait_for_other_process(mode, draw_history, seed)


def _fit_all(
    trainings: Sequence[Training], draw_history: DrawHistory, seed: int
) -> Iterator[TrainingOutcome]:
    """Run the leased fits; on an interrupt, kill the children and release the leases."""
    if not trainings:
        return
    threads = ThreadPoolExecutor(settings.FIT_PROCESSES)  # they only wait for children
    with renewing(trainings):
        training_by_fit = {
            threads.submit(_fit, training.mode, draw_history, seed): training for training in trainings
        }
        try:
            for fit in as_completed(training_by_fit):
                yield _complete_fit(training_by_fit[fit], fit, draw_history, seed)
        finally:
            if unfinished := [training for training in trainings if training.token]:
                threads.shutdown(wait=False, cancel_futures=True)
                kill_children()
                for training in unfinished:
                    fit_leases.finish_fit(training, Training.Status.FAILED, error="stopped")
            threads.shutdown()


def _complete_fit(
    training: Training, fit: "Future[tuple[str, FitResult]]", draw_history: DrawHistory, seed: int
) -> TrainingOutcome:
    mode = training.mode
    try:
        model = _store(training, draw_history, seed, *fit.result())
        return TrainingOutcome(mode, model, fitted=True, pinned=TrainedModel.objects.pinned(mode))
    except LeaseLost:
        return _wait_for_other_process(mode, draw_history, seed)
    except (FitError, OSError) as error:
        logger.error("Training of %s failed: %s", mode, error)
        fit_leases.finish_fit(training, Training.Status.FAILED, error=str(error))
        return TrainingOutcome(mode, error=str(error))


def _wait_for_other_process(mode: str, draw_history: DrawHistory, seed: int) -> TrainingOutcome:
    """Return the model that another process is fitting; fit it here if that process fails."""
    deadline = time.monotonic() + settings.FIT_TIME_LIMIT + settings.LEASE_SECONDS
    while time.monotonic() < deadline:
        if pinned := TrainedModel.objects.pinned(mode):
            return TrainingOutcome(mode, pinned, pinned=pinned)
        if model := unchanged_model(mode, draw_history, seed):
            return TrainingOutcome(mode, model)
        training = fit_leases.acquire_fit(mode, draw_history, seed)
        if training.token:
            return next(_fit_all([training], draw_history, seed))
        if error := fit_leases.fail_if_exhausted(training):
            return TrainingOutcome(mode, error=error)
        time.sleep(POLL_SECONDS)
    return TrainingOutcome(mode, error=f"{mode} is still being fitted by {training.holder}")


def train(mode: str, draw_history: DrawHistory, seed: int = DEFAULT_SEED) -> TrainedModel:
    """Fit a mode, store its model and return it; raise FitError on failure."""
    outcome = next(train_modes([mode], draw_history, seed, force=True))
    if outcome.model is None:
        raise FitError(outcome.error)
    return outcome.model


def unchanged_model(mode: str, draw_history: DrawHistory, seed: int = DEFAULT_SEED) -> TrainedModel | None:
    """Return the active model if a new fit would only repeat it and its file is intact."""
    model = TrainedModel.objects.active(mode)
    if model is None or (model.draws_fingerprint, model.seed) != (draw_history.fingerprint(), seed):
        return None
    configured = MODES[mode](**settings.MODE_PARAMETERS.get(mode, {}))
    if (model.code_version, model.parameters) != (configured.code_version, configured.parameters()):
        return None
    try:
        verify(settings.MODELS_DIR / model.file, model.sha256)
    except ArtefactError as error:
        logger.warning("Training %s again: %s", mode, error)
        return None
    return model


def _fit(mode: str, draw_history: DrawHistory, seed: int) -> tuple[str, FitResult]:
    # A unique name, so that no later fit overwrites the file whose digest an older row records.
    file = f"{mode}-{_newest_draw_date(mode, draw_history)}-{uuid.uuid4().hex[:12]}{MODES[mode].suffix}"
    request = build_request("fit", mode, artefact=str(settings.MODELS_DIR / file), seed=seed)
    return file, run_in_subprocess(request, draw_history.history)


def _newest_draw_date(mode: str, draw_history: DrawHistory) -> date:
    if draw_history.through is None:
        raise FitError(f"{mode}: no draws of the 69/26 era are stored; run `manage.py import_draws`")
    return draw_history.through


def _store(
    training: Training, draw_history: DrawHistory, seed: int, file: str, result: FitResult
) -> TrainedModel:
    """Store a fitted model and activate it unless another is pinned.

    Raise LeaseLost, leaving no row and no file, if this process no longer owns the fit.
    """
    mode, payload = training.mode, result.payload
    logger.info(
        "Fitted %s on %d draws in %.1f s, %d MB",
        mode,
        len(draw_history.history),
        result.seconds,
        result.peak_memory_kb // 1024,
    )
    with transaction.atomic():
        _lock(mode)  # orders this fit and a concurrent activation by hand
        model = TrainedModel.objects.create(
            mode=mode,
            file=file,
            sha256=payload["sha256"],
            size_bytes=payload["size_bytes"],
            draws_used=len(draw_history.history),
            draws_through=_newest_draw_date(mode, draw_history),
            draws_fingerprint=draw_history.fingerprint(),
            parameters=payload["parameters"],
            code_version=payload["code_version"],
            seed=seed,
            versions=payload["versions"],
            skill=payload["skill"] or {},
            seconds=result.seconds,
            peak_memory_kb=result.peak_memory_kb,
        )
        if not fit_leases.finish_fit(training, Training.Status.COMPLETED, model=model):
            (settings.MODELS_DIR / file).unlink(missing_ok=True)
            raise LeaseLost
        if TrainedModel.objects.pinned(mode) is None:
            activate(model)
    delete_old_artefacts(mode)
    return model


def activate_by_hand(model: TrainedModel) -> None:
    """Activate a model chosen by staff; raise ValueError if it cannot predict."""
    with transaction.atomic():
        _lock(model.mode)  # so that its file is not deleted between the check and the activation
        model.refresh_from_db()
        check_usable(model)
        activate(model)


def activate(model: TrainedModel) -> None:
    """Make a model the active one of its mode.

    If it is not the mode's newest, it is also pinned: no fit replaces it until another is activated.
    """
    with transaction.atomic():
        _lock(model.mode)
        pinned = model != TrainedModel.objects.filter(mode=model.mode).order_by("-id").first()
        others = TrainedModel.objects.filter(mode=model.mode, active=True).exclude(pk=model.pk)
        others.update(active=False, pinned=False)
        TrainedModel.objects.filter(pk=model.pk).update(active=True, pinned=pinned)
    model.active, model.pinned = True, pinned


def check_usable(model: TrainedModel) -> None:
    """Raise ValueError unless the current code can predict from the model's file."""
    mode = MODES[model.mode]
    if not model.file_retained:
        raise ValueError(
            f"its file was deleted: only the newest {settings.KEEP_MODELS} files of a mode are kept"
        )
    if model.code_version != mode.code_version:
        raise ValueError(
            f"it was fitted by version {model.code_version} of {model.mode}; "
            f"the current version is {mode.code_version}"
        )
    try:
        mode(**model.parameters)
    except (TypeError, ValueError) as error:
        raise ValueError(f"its parameters are invalid in this version: {error}") from error
    try:
        verify(settings.MODELS_DIR / model.file, model.sha256)
    except ArtefactError as error:
        raise ValueError(str(error)) from error


def _lock(mode: str) -> None:
    """Serialize storing, activating and deleting the models of a mode until the transaction ends."""
    models = TrainedModel.objects.select_for_update(no_key=True).filter(mode=mode).order_by("id")
    list(models.values_list("pk", flat=True))


def delete_old_artefacts(mode: str) -> int:
    """Delete the files of all but the newest models and the active one; return the number deleted."""
    with transaction.atomic():
        _lock(mode)
        retained = TrainedModel.objects.filter(mode=mode, file_retained=True).order_by("-id")
        old = [model for model in retained[settings.KEEP_MODELS :] if not model.active]
        for model in old:
            (settings.MODELS_DIR / model.file).unlink(missing_ok=True)
            TrainedModel.objects.filter(pk=model.pk).update(file_retained=False)
    return len(old)


def predict(
    model: TrainedModel, draw_history: DrawHistory, dependencies: Mapping[str, StoredComponents] | None = None
) -> tuple[StoredComponents, str]:
    """Return a model's components for the draw after the known ones, and a note of what they omit.

    `dependencies` are the stored predictions of the modes that this one is built from. Raise FitError if one
    is missing or if the file differs from the recorded digest.
    """
    request = build_request(
        "predict",
        model.mode,
        artefact=str(settings.MODELS_DIR / model.file),
        seed=model.seed,
        sha256=model.sha256,
        dependencies=dict(dependencies or {}),
    )
    payload = run_in_subprocess(request, draw_history.history).payload
    return payload["components"], payload["note"]
