"""Run fits and predictions in child processes that are timed, measured and killable."""

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

GRACE_SECONDS = 5  # from the parent's time limit to the one at which an orphaned child kills itself

_running: set[subprocess.Popen[str]] = set()


class FitError(Exception):
    """A fit, prediction or backtest failed; the message says why."""


@dataclass(frozen=True)
class FitResult:
    """The result of a child process; `payload` is the `result.json` of `fit_process`."""

    payload: dict[str, Any]
    seconds: float
    peak_memory_kb: int


def build_request(job: str, mode: str, **values: Any) -> FitRequest:
    return FitRequest(
        job=job,
        mode=mode,
        parameters=settings.MODE_PARAMETERS.get(mode, {}),
        time_limit=settings.FIT_TIME_LIMIT + GRACE_SECONDS,
        parent=os.getpid(),
        **values,
    )


def run_in_subprocess(request: FitRequest, history: History) -> FitResult:
    """Run a request in a child process; raise FitError if it fails or exceeds the time limit."""
    with tempfile.TemporaryDirectory(prefix="shiol-fit-") as name:
        folder = Path(name)
        request.write(folder, history)
        started = time.perf_counter()
        exit_description = _run_child(request, folder)
        seconds = time.perf_counter() - started
        result = folder / "result.json"
        if not result.is_file():
            raise FitError(
                f"{request.mode}: {request.job} process ended without a result: {exit_description}"
            )
        payload = json.loads(result.read_text())
    if "error" in payload:
        raise FitError(payload["error"])
    return FitResult(payload, seconds, payload.pop("peak_memory_kb"))


def _run_child(request: FitRequest, folder: Path) -> str:
    """Run the child and return its exit code and last line on stderr; kill it at the time limit."""
    command = [sys.executable, "-m", "predictions.training.fit_process", str(folder)]
    with subprocess.Popen(
        command, cwd=settings.BASE_DIR, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        _running.add(child)
        try:
            _, stderr = child.communicate(timeout=settings.FIT_TIME_LIMIT)
        except subprocess.TimeoutExpired as error:
            raise FitError(
                f"{request.mode}: {request.job} timed out after {settings.FIT_TIME_LIMIT} seconds"
            ) from error
        finally:
            child.kill()  # no effect if it has exited
            _running.discard(child)
    last_line = stderr.strip().rpartition("\n")[2]
    return f"exit code {child.returncode}; {last_line or 'no output'}"


def kill_children() -> None:
    """Kill all running children; the threads that wait for them get a FitError."""
    for child in list(_running):
        child.kill()
