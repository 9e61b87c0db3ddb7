"""`python -m predictions.training.fit_process FOLDER`: one fit, prediction or backtest fold.

It imports no Django and no database driver. FOLDER holds `request.json` and `draws.npz`; the process writes
`result.json` there, with `{"error": "…"}` and exit code 1 for an expected failure. A separate process can
be killed, timed and measured, returns its memory, and turns a crash into an exit code.
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
from predictions.modes.walk_forward import measure_walk, walk
from predictions.training.artefacts import ArtefactError, verify, write_aside


@dataclass(frozen=True)
class FitRequest:
    """A job for the process: "fit" (writes `artefact`), "predict" (opens it) or "backtest".

    A backtest fits on the draws before `first` and evaluates the predictions of draws `first` to `stop - 1`.
    """

    job: str
    mode: str
    seed: int
    time_limit: int  # seconds, after which the process kills itself
    parent: int = 0  # process id; when this process is gone, the child exits too; 0: no parent
    artefact: str = ""
    sha256: str = ""  # of the artefact to open
    first: int = 0
    stop: int = 0
    parameters: dict[str, Any] = field(default_factory=dict)  # of the mode, for a fit
    # Stored predictions of the modes that this mode is built from, for the draw to predict.
    dependencies: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def write(self, folder: Path, history: History) -> None:
        np.savez(folder / "draws.npz", white=history.white, powerball=history.powerball)
        (folder / "request.json").write_text(json.dumps(asdict(self)))

    @classmethod
    def read(cls, folder: Path) -> tuple["FitRequest", History]:
        request = cls(**json.loads((folder / "request.json").read_text()))
        with np.load(folder / "draws.npz", allow_pickle=False) as draws:
            return request, History(draws["white"], draws["powerball"])


def fit(request: FitRequest, history: History) -> dict[str, Any]:
    """Fit, write the artefact, and check that the loaded model predicts the same as the fitted one."""
    mode = MODES[request.mode](**request.parameters).fit(history, request.seed)
    path = Path(request.artefact)
    digest = write_aside(path, mode.save)
    try:
        _check_loaded_model(mode, path, history)
    except ValueError:
        path.unlink()
        raise
    return {
        "sha256": digest,
        "size_bytes": path.stat().st_size,
        "skill": None if mode.skill_ is None else mode.skill_.as_json(),
        "parameters": mode.parameters(),
        "code_version": mode.code_version,
        "versions": {"python": platform.python_version()} | _installed_versions(mode.libraries),
    }


def _check_loaded_model(mode: Mode, path: Path, history: History) -> None:
    """Raise ValueError unless the prediction is valid and the loaded model repeats it.

    `components_from_json` checks for positive finite weights and shares that sum to one.
    """
    # Any distribution will do as a dependency here.
    dependencies = {name: [uniform_component(name)] for name in (*mode.requires, *mode.optional)}
    fitted = mode.predict(history, dependencies)
    components_from_json(_as_json(fitted))
    if type(mode).load(path).predict(history, dependencies) != fitted:
        raise ValueError(f"{mode.name}: the loaded model does not predict the same as the fitted one")


def _as_json(components: Sequence[Component]) -> list[dict[str, Any]]:
    return [component.as_json() for component in components]


def _installed_versions(libraries: Sequence[str]) -> dict[str, str]:
    """Return the versions of the installed libraries; TensorFlow is distributed under two names."""
    versions = {}
    for name in libraries:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions


def predict(request: FitRequest, history: History) -> dict[str, Any]:
    path = Path(request.artefact)
    verify(path, request.sha256)
    mode: Mode = MODES[request.mode].load(path)
    dependencies = {name: components_from_json(stored) for name, stored in request.dependencies.items()}
    components = mode.predict(history, dependencies)
    return {"components": _as_json(components), "note": mode.note(list(dependencies))}


def backtest(request: FitRequest, history: History) -> dict[str, Any]:
    mode, draws = MEASURED[request.mode](**request.parameters), range(request.first, request.stop)
    predictions, note = walk(mode, history, draws, request.seed)
    return measure_walk(predictions, history, draws, note).as_json()


COMMANDS = {"fit": fit, "predict": predict, "backtest": backtest}


def _exit_with_parent(parent: int, folder: Path) -> None:
    """Exit once the parent has been killed: nobody would read the result."""
    while parent in (0, os.getppid()):
        time.sleep(0.5)
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)


def main(folder: Path) -> int:
    request, history = FitRequest.read(folder)
    Thread(target=_exit_with_parent, args=(request.parent, folder), daemon=True).start()
    signal.alarm(request.time_limit)  # interrupts even a long C call
    try:
        result = COMMANDS[request.job](request, history)
    except (ValueError, ArtefactError, ImportError) as error:
        result = {"error": f"{error}"}
    result["peak_memory_kb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    (folder / "result.json").write_text(json.dumps(result))
    return 1 if "error" in result else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
