"""Fits, each in a child process that is timed, measured and can be killed; the rows are written here."""

import json
import logging
import subprocess
import sys
import tempfile
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings

from predictions.draws import KnownDraws
from predictions.fitting import Request
from predictions.models import TrainedModel
from predictions.modes import MODES

logger = logging.getLogger(__name__)


DEFAULT_SEED = 1
GRACE = 5  # seconds between our limit and the one at which an orphaned child ends itself


class FitError(Exception):
    """A mode that could not be fitted or could not predict, with the reason for people."""


@dataclass(frozen=True)
class FitResult:
    """What a child process left: `payload` as `predictions.fitting` writes it."""

    payload: dict[str, Any]
    seconds: float
    peak_memory_kb: int


def train(mode: str, known: KnownDraws, seed: int = DEFAULT_SEED) -> TrainedModel:
    """Fit a mode on the known draws and store its artefact and row; FitError with the reason otherwise."""
    if known.through is None:
        raise FitError(f"{mode}: no draws of the 69/26 era are stored; run `manage.py import_draws`")
    # A name of its own, so that no later fit writes over the file whose digest an older row holds.
    file = f"{mode}-{known.through}-{uuid.uuid4().hex[:12]}{MODES[mode].suffix}"
    request = _request("fit", mode, file, seed=seed)
    result = _in_child(request, known)
    payload = result.payload
    logger.info(
        "%s fitted on %d draws in %.1f s, %d MB",
        mode,
        len(known.history),
        result.seconds,
        result.peak_memory_kb // 1024,
    )
    return TrainedModel.objects.create(
        mode=mode,
        file=file,
        sha256=payload["sha256"],
        size_bytes=payload["size_bytes"],
        draws_used=len(known.history),
        draws_through=known.through,
        draws_fingerprint=known.fingerprint(),
        parameters=payload["parameters"],
        code_version=payload["code_version"],
        seed=seed,
        versions=payload["versions"],
        skill=payload["skill"],
        seconds=result.seconds,
        peak_memory_kb=result.peak_memory_kb,
    )


def predict(model: TrainedModel, known: KnownDraws) -> list[dict[str, Any]]:
    """The stored form of a model's law for the draw after the known ones; its file's digest is checked."""
    request = _request("predict", model.mode, model.file, seed=model.seed, sha256=model.sha256)
    components: list[dict[str, Any]] = _in_child(request, known).payload["components"]
    return components


def _request(job: str, mode: str, file: str, *, seed: int, sha256: str = "") -> Request:
    return Request(
        job=job,
        mode=mode,
        artefact=str(settings.MODELS_DIR / file),
        seed=seed,
        sha256=sha256,
        time_limit=settings.FIT_TIME_LIMIT + GRACE,
    )


def _in_child(request: Request, known: KnownDraws) -> FitResult:
    with tempfile.TemporaryDirectory(prefix="shiol-fit-") as name:
        folder = Path(name)
        request.write(folder, known.history)
        started = time.perf_counter()
        ending = _run(request, folder)
        seconds = time.perf_counter() - started
        answer = folder / "result.json"
        if not answer.is_file():
            raise FitError(f"{request.mode}: its {request.job} process ended without an answer: {ending}")
        payload = json.loads(answer.read_text())
    if "error" in payload:
        raise FitError(payload["error"])
    return FitResult(payload, seconds, payload.pop("peak_memory_kb"))


def _run(request: Request, folder: Path) -> str:
    """Run the child to its end, or kill it at the limit; returns the last it said on stderr."""
    command = [sys.executable, "-m", "predictions.fitting", str(folder)]
    try:
        done = subprocess.run(
            command,
            cwd=settings.BASE_DIR,
            capture_output=True,
            text=True,
            timeout=settings.FIT_TIME_LIMIT,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise FitError(
            f"{request.mode}: its {request.job} was ended after {settings.FIT_TIME_LIMIT} seconds"
        ) from error
    last_line = done.stderr.strip().rpartition("\n")[2]
    return f"exit code {done.returncode}; {last_line or 'it said nothing'}"
