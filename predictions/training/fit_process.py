"""`python -m predictions.training.fit_process FOLDER`: one fit or one prediction, in a process of its own.

It knows no Django and no database. FOLDER holds `request.json` and `draws.npz`; it leaves `result.json`
there, or, for a failure that can be explained, `{"error": "…"}` in it and exit code 1. So a fit can be
killed, timed and measured, its memory goes back, and a crash is an exit code.
"""

import json
import os
import platform
import resource
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np

from predictions.distributions.components import Component, components_from_json, uniform_component
from predictions.modes.features import History
from predictions.modes.registry import MEASURED, MODES, Mode
from predictions.modes.walk_forward import figures_of, walk
from predictions.training.artefacts import ArtefactError, verify, write_aside


@dataclass(frozen=True)
class FitRequest:
    """What is asked of the process: to "fit" (writes `artefact`), "predict" (opens it) or "backtest".

    A backtest fits on the draws before `first` and measures the laws of those from there to `stop`.
    `parts` holds the stored laws of other modes for the draw to predict, for a mode that is made of them.
    """

    job: str
    mode: str
    seed: int
    time_limit: int  # seconds, after which the process ends itself, whatever it is doing
    parent: int = 0  # the process that waits for the answer: when it is gone, this one ends too; 0: nobody
    artefact: str = ""
    sha256: str = ""  # of the artefact to open
    first: int = 0
    stop: int = 0
    parameters: dict[str, Any] = field(default_factory=dict)  # of the mode, for a fit
    parts: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def write(self, folder: Path, history: History) -> None:
        """Leave the request and its draws in a folder for the process to find."""
        np.savez(folder / "draws.npz", white=history.white, powerball=history.powerball)
        (folder / "request.json").write_text(json.dumps(asdict(self)))

    @classmethod
    def read(cls, folder: Path) -> tuple["FitRequest", History]:
        request = cls(**json.loads((folder / "request.json").read_text()))
        with np.load(folder / "draws.npz", allow_pickle=False) as draws:
            return request, History(draws["white"], draws["powerball"])


def fit(request: FitRequest, history: History) -> dict[str, Any]:
    """Fit, write the artefact, and prove that it can be read and predicts what the fitted model predicts."""
    mode = MODES[request.mode](**request.parameters).fit(history, request.seed)
    path = Path(request.artefact)
    digest = write_aside(path, mode.save)
    try:
        _check(mode, path, history)
    except ValueError:
        path.unlink()
        raise
    return {
        "sha256": digest,
        "size_bytes": path.stat().st_size,
        "skill": None if mode.skill_ is None else mode.skill_.as_json(),
        "parameters": mode.parameters(),
        "code_version": mode.code_version,
        "versions": {"python": platform.python_version()} | _versions(mode.libraries),
    }


def _check(mode: Mode, path: Path, history: History) -> None:
    """Raise ValueError unless the law is sound and the model read back gives the same.

    What a law needs, positive finite weights and shares that sum to one, `components_from_json` checks.
    """
    parts = {
        name: [uniform_component(name)] for name in (*mode.requires, *mode.optional)
    }  # any law serves here
    fitted = mode.predict(history, parts)
    components_from_json(_as_json(fitted))
    if type(mode).load(path).predict(history, parts) != fitted:
        raise ValueError(f"{mode.name}: the model read back does not predict what the fitted one does")


def _as_json(components: Sequence[Component]) -> list[dict[str, Any]]:
    return [component.as_json() for component in components]


def _versions(libraries: Sequence[str]) -> dict[str, str]:
    """Of those that are installed: TensorFlow, for one, comes under two names."""
    found = {}
    for name in libraries:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def predict(request: FitRequest, history: History) -> dict[str, Any]:
    """Open the artefact, its digest checked first, and give the law of the draw after the history."""
    path = Path(request.artefact)
    verify(path, request.sha256)
    mode: Mode = MODES[request.mode].load(path)
    parts = {name: components_from_json(law) for name, law in request.parts.items()}
    return {"components": _as_json(mode.predict(history, parts)), "note": mode.note(list(parts))}


def backtest(request: FitRequest, history: History) -> dict[str, Any]:
    """What the mode's laws of some draws were worth, fitted on nothing but the draws before them."""
    mode, draws = MEASURED[request.mode](**request.parameters), range(request.first, request.stop)
    laws, note = walk(mode, history, draws, request.seed)
    return figures_of(laws, history, draws, note).as_json()


COMMANDS = {"fit": fit, "predict": predict, "backtest": backtest}


def _exit_with_parent(parent: int, folder: Path) -> None:
    """End this process once its parent has been killed, which leaves nobody to read the answer."""
    while parent in (0, os.getppid()):
        time.sleep(0.5)
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)


def main(folder: Path) -> int:
    """Do what `folder` asks; returns the exit code."""
    request, history = FitRequest.read(folder)
    Thread(target=_exit_with_parent, args=(request.parent, folder), daemon=True).start()
    signal.alarm(request.time_limit)  # ends it even inside a long C call
    try:
        result = COMMANDS[request.job](request, history)
    except (ValueError, ArtefactError, ImportError) as error:
        result = {"error": f"{error}"}
    result["peak_memory_kb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    (folder / "result.json").write_text(json.dumps(result))
    return 1 if "error" in result else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
