"""Fits and predictions in child processes, which are timed, measured and can be killed."""

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings

from predictions.modes.features import History
from predictions.training.fit_process import FitRequest

GRACE_SECONDS = 5  # seconds between our limit and the one at which an orphaned child ends itself

_running: set[subprocess.Popen[str]] = set()


class FitError(Exception):
    """A mode that could not be fitted or could not predict, with the reason for people."""


@dataclass(frozen=True)
class FitResult:
    """What a child process left: `payload` as `predictions.training.fit_process` writes it."""

    payload: dict[str, Any]
    seconds: float
    peak_memory_kb: int


def build_request(job: str, mode: str, **values: Any) -> FitRequest:
    """A request of this process, with the settings' time limit and parameters, if the mode takes some."""
    return FitRequest(
        job=job,
        mode=mode,
        parameters=settings.MODE_PARAMETERS.get(mode, {}),
        time_limit=settings.FIT_TIME_LIMIT + GRACE_SECONDS,
        parent=os.getpid(),
        **values,
    )


def run_in_subprocess(request: FitRequest, history: History) -> FitResult:
    """Let a process of its own do what is asked; FitError with the reason when it does not."""
    with tempfile.TemporaryDirectory(prefix="shiol-fit-") as name:
        folder = Path(name)
        request.write(folder, history)
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


def _run(request: FitRequest, folder: Path) -> str:
    """Run the child to its end, or kill it at the limit; returns the last it said on stderr."""
    command = [sys.executable, "-m", "predictions.training.fit_process", str(folder)]
    with subprocess.Popen(
        command, cwd=settings.BASE_DIR, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        _running.add(child)
        try:
            _, said = child.communicate(timeout=settings.FIT_TIME_LIMIT)
        except subprocess.TimeoutExpired as error:
            raise FitError(
                f"{request.mode}: its {request.job} was ended after {settings.FIT_TIME_LIMIT} seconds"
            ) from error
        finally:
            child.kill()  # nothing to one that has ended
            _running.discard(child)
    last_line = said.strip().rpartition("\n")[2]
    return f"exit code {child.returncode}; {last_line or 'it said nothing'}"


def end_children() -> None:
    """Kill what runs, for a caller that gives up; the threads that wait for it get a FitError."""
    for child in list(_running):
        child.kill()
