"""Models: fitted in child processes, stored with where they came from, activated, kept and forgotten."""

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
    end_children,
    run_in_subprocess,
)
from predictions.workqueue.leases import LeaseLost, renewing

logger = logging.getLogger(__name__)

DEFAULT_SEED = 1
POLL_SECONDS = 0.5

Law = list[dict[str, Any]]  # components in their stored form


@dataclass(frozen=True)
class TrainingOutcome:
    """What became of one mode: its model, fitted now or unchanged, or the reason why there is none.

    `pinned` is the one that a person chose to predict: not fitted anew, or, by force, in the new one's stead.
    """

    mode: str
    model: TrainedModel | None = None
    fitted: bool = False
    pinned: TrainedModel | None = None
    error: str = ""

    @property
    def predicts(self) -> TrainedModel | None:
        """The model that the mode's next law comes from."""
        return self.pinned or self.model


def train_modes(
    modes: Sequence[str], known: DrawHistory, seed: int = DEFAULT_SEED, *, force: bool = False
) -> Iterator[TrainingOutcome]:
    """Train modes, as many at once as SHIOL_FIT_PROCESSES allows; each is given out when it is done.

    A mode whose draws, code version, parameters and seed are those of its active model is not fitted again,
    nor is one that a person holds at a model of theirs, unless `force` asks for it. One that another process
    fits at this moment is waited for.
    """
    ours, others = [], []
    for mode in modes:
        if not force and (pinned := TrainedModel.objects.pinned(mode)):
            yield TrainingOutcome(mode, pinned, pinned=pinned)
        elif not force and (model := unchanged_model(mode, known, seed)):
            yield TrainingOutcome(mode, model)
        elif (training := fit_leases.acquire_fit(mode, known, seed)).token:
            ours.append(training)
        else:
            others.append(mode)
    yield from _fit_all(ours, known, seed)
    for mode in others:
        yield _wait_for_other_process(mode, known, seed)


def _fit_all(trainings: Sequence[Training], known: DrawHistory, seed: int) -> Iterator[TrainingOutcome]:
    """Fit what is leased here; whatever ends this early also ends the children and gives the leases back."""
    if not trainings:
        return
    threads = ThreadPoolExecutor(settings.FIT_PROCESSES)  # they only wait for children
    with renewing(trainings):
        fitted = {threads.submit(_fit, one.mode, known, seed): one for one in trainings}
        try:
            for fit in as_completed(fitted):
                yield _trained(fitted[fit], fit, known, seed)
        finally:
            if unfinished := [one for one in trainings if one.token]:
                threads.shutdown(wait=False, cancel_futures=True)
                end_children()
                for training in unfinished:
                    fit_leases.finish_fit(training, Training.Status.FAILED, error="stopped")
            threads.shutdown()


def _trained(
    training: Training, fit: "Future[tuple[str, FitResult]]", known: DrawHistory, seed: int
) -> TrainingOutcome:
    mode = training.mode
    try:
        model = _store(training, known, seed, *fit.result())
        return TrainingOutcome(mode, model, fitted=True, pinned=TrainedModel.objects.pinned(mode))
    except LeaseLost:
        return _wait_for_other_process(mode, known, seed)
    except (FitError, OSError) as error:
        logger.error("%s was not trained: %s", mode, error)
        fit_leases.finish_fit(training, Training.Status.FAILED, error=str(error))
        return TrainingOutcome(mode, error=str(error))


def _wait_for_other_process(mode: str, known: DrawHistory, seed: int) -> TrainingOutcome:
    """The model that another process is fitting, or, if that comes to nothing, one fitted here."""
    deadline = time.monotonic() + settings.FIT_TIME_LIMIT + settings.LEASE_SECONDS
    while time.monotonic() < deadline:
        if pinned := TrainedModel.objects.pinned(mode):
            return TrainingOutcome(mode, pinned, pinned=pinned)
        if model := unchanged_model(mode, known, seed):
            return TrainingOutcome(mode, model)
        training = fit_leases.acquire_fit(mode, known, seed)
        if training.token:
            return next(_fit_all([training], known, seed))
        if error := fit_leases.fail_if_exhausted(training):
            return TrainingOutcome(mode, error=error)
        time.sleep(POLL_SECONDS)
    return TrainingOutcome(mode, error=f"{mode} is still being fitted by {training.holder}")


def train(mode: str, known: DrawHistory, seed: int = DEFAULT_SEED) -> TrainedModel:
    """Fit a mode on the known draws and store its model, which predicts unless another is pinned.

    FitError with the reason when it cannot be fitted.
    """
    trained = next(train_modes([mode], known, seed, force=True))
    if trained.model is None:
        raise FitError(trained.error)
    return trained.model


def unchanged_model(mode: str, known: DrawHistory, seed: int = DEFAULT_SEED) -> TrainedModel | None:
    """The active model, if a fit would make the same again and its file is the one that was trained."""
    model = TrainedModel.objects.active(mode)
    if model is None or (model.draws_fingerprint, model.seed) != (known.fingerprint(), seed):
        return None
    asked = MODES[mode](**settings.MODE_PARAMETERS.get(mode, {}))
    if (model.code_version, model.parameters) != (asked.code_version, asked.parameters()):
        return None
    try:
        verify(settings.MODELS_DIR / model.file, model.sha256)
    except ArtefactError as error:
        logger.warning("%s is trained again: %s", mode, error)
        return None
    return model


def _fit(mode: str, known: DrawHistory, seed: int) -> tuple[str, FitResult]:
    """The artefact's file name, and what the child said of it."""
    # A name of its own, so that no later fit writes over the file whose digest an older row holds.
    file = f"{mode}-{_newest(mode, known)}-{uuid.uuid4().hex[:12]}{MODES[mode].suffix}"
    request = build_request("fit", mode, artefact=str(settings.MODELS_DIR / file), seed=seed)
    return file, run_in_subprocess(request, known.history)


def _newest(mode: str, known: DrawHistory) -> date:
    if known.through is None:
        raise FitError(f"{mode}: no draws of the 69/26 era are stored; run `manage.py import_draws`")
    return known.through


def _store(training: Training, known: DrawHistory, seed: int, file: str, answer: FitResult) -> TrainedModel:
    """Write the row of a model that has passed its checks, and make it the mode's active one, unless another
    is pinned.

    Lost, and no trace, when the fit is no longer leased here.
    """
    mode, payload = training.mode, answer.payload
    logger.info(
        "%s fitted on %d draws in %.1f s, %d MB",
        mode,
        len(known.history),
        answer.seconds,
        answer.peak_memory_kb // 1024,
    )
    with transaction.atomic():
        _lock(mode)  # a person who chooses one at this moment does so before, or sees this one
        model = TrainedModel.objects.create(
            mode=mode,
            file=file,
            sha256=payload["sha256"],
            size_bytes=payload["size_bytes"],
            draws_used=len(known.history),
            draws_through=_newest(mode, known),
            draws_fingerprint=known.fingerprint(),
            parameters=payload["parameters"],
            code_version=payload["code_version"],
            seed=seed,
            versions=payload["versions"],
            skill=payload["skill"] or {},
            seconds=answer.seconds,
            peak_memory_kb=answer.peak_memory_kb,
        )
        if not fit_leases.finish_fit(training, Training.Status.COMPLETED, model=model):
            (settings.MODELS_DIR / file).unlink(missing_ok=True)
            raise LeaseLost
        if TrainedModel.objects.pinned(mode) is None:
            activate(model)
    delete_old_artefacts(mode)
    return model


# Which of a mode's models predicts


def activate_by_hand(model: TrainedModel) -> None:
    """Activate a model because a person wants it; ValueError with the reason when it could not predict."""
    with transaction.atomic():
        _lock(model.mode)  # so that its file is not forgotten between the look and the choice
        model.refresh_from_db()
        check_usable(model)
        activate(model)


def activate(model: TrainedModel) -> None:
    """Let a model be the one of its mode that predicts.

    One that is not the mode's newest is pinned: no fit replaces it until another is activated.
    """
    with transaction.atomic():
        _lock(model.mode)
        pinned = model != TrainedModel.objects.filter(mode=model.mode).order_by("-id").first()
        others = TrainedModel.objects.filter(mode=model.mode, active=True).exclude(pk=model.pk)
        others.update(active=False, pinned=False)
        TrainedModel.objects.filter(pk=model.pk).update(active=True, pinned=pinned)
    model.active, model.pinned = True, pinned


def check_usable(model: TrainedModel) -> None:
    """Raise ValueError with the reason unless the present code can predict from a model's file."""
    mode = MODES[model.mode]
    if not model.file_retained:
        raise ValueError(f"its file was deleted, as those of all but the newest {settings.KEEP_MODELS} are")
    if model.code_version != mode.code_version:
        raise ValueError(
            f"it was fitted by version {model.code_version} of {model.mode}, and this is {mode.code_version}"
        )
    try:
        mode(**model.parameters)
    except (TypeError, ValueError) as error:
        raise ValueError(f"its parameters are not ones of this version: {error}") from error
    try:
        verify(settings.MODELS_DIR / model.file, model.sha256)
    except ArtefactError as error:
        raise ValueError(str(error)) from error


def _lock(mode: str) -> None:
    """Wait for whoever stores, activates or forgets models of a mode, and let nobody else do so meanwhile."""
    models = TrainedModel.objects.select_for_update(no_key=True).filter(mode=mode).order_by("id")
    list(models.values_list("pk", flat=True))


def delete_old_artefacts(mode: str) -> int:
    """Delete the files of all but a mode's newest models and its active one; returns how many."""
    with transaction.atomic():
        _lock(mode)
        kept = TrainedModel.objects.filter(mode=mode, file_retained=True).order_by("-id")
        old = [model for model in kept[settings.KEEP_MODELS :] if not model.active]
        for model in old:
            (settings.MODELS_DIR / model.file).unlink(missing_ok=True)
            TrainedModel.objects.filter(pk=model.pk).update(file_retained=False)
    return len(old)


def predict(
    model: TrainedModel, known: DrawHistory, parts: Mapping[str, Law] | None = None
) -> tuple[Law, str]:
    """A model's law for the draw after the known ones, and a note of what is left out of it.

    `parts` are the stored laws of the modes that it is made of. The file's digest is checked before it is
    opened; FitError with the reason when it is not the one that was trained, or a part is missing.
    """
    request = build_request(
        "predict",
        model.mode,
        artefact=str(settings.MODELS_DIR / model.file),
        seed=model.seed,
        sha256=model.sha256,
        parts=dict(parts or {}),
    )
    payload = run_in_subprocess(request, known.history).payload
    return payload["components"], payload["note"]
