"""`python -m predictions.fitting FOLDER`: one fit or one prediction, in a process of its own.

It knows no Django and no database. FOLDER holds `request.json` and `draws.npz`; it leaves `result.json`
there, or, for a failure that can be explained, `{"error": "…"}` in it and exit code 1. So a fit can be
killed, timed and measured, its memory goes back, and a crash is an exit code.
"""

import json
import platform
import resource
import signal
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from predictions.artefacts import ArtefactError, verify, write_aside
from predictions.features import History
from predictions.modes import MODES, Mode


@dataclass(frozen=True)
class Request:
    """What is asked of the process. `job` is "fit" (writes `artefact`) or "predict" (opens it)."""

    job: str
    mode: str
    artefact: str
    seed: int
    sha256: str  # of the artefact to open; empty for a fit
    time_limit: int  # seconds, after which the process ends itself, whatever it is doing

    def write(self, folder: Path, history: History) -> None:
        """Leave the request and its draws in a folder for the process to find."""
        np.savez(folder / "draws.npz", white=history.white, powerball=history.powerball)
        (folder / "request.json").write_text(json.dumps(asdict(self)))

    @classmethod
    def read(cls, folder: Path) -> tuple["Request", History]:
        request = cls(**json.loads((folder / "request.json").read_text()))
        with np.load(folder / "draws.npz", allow_pickle=False) as draws:
            return request, History(draws["white"], draws["powerball"])


def fit(request: Request, history: History) -> dict[str, Any]:
    """Fit, write the artefact, and prove that what was written predicts what the model predicts."""
    mode = MODES[request.mode]().fit(history, request.seed)
    path = Path(request.artefact)
    digest = write_aside(path, mode.save)
    components = mode.predict(history)
    if type(mode).load(path).predict(history) != components:
        raise ValueError(f"{request.mode}: the model read back does not predict what the fitted one does")
    return {
        "sha256": digest,
        "size_bytes": path.stat().st_size,
        "skill": mode.skill().as_json(),
        "components": [component.as_json() for component in components],
        "parameters": mode.parameters(),
        "code_version": mode.code_version,
        "versions": {"python": platform.python_version()} | _versions(mode.libraries),
    }


def _versions(libraries: Sequence[str]) -> dict[str, str]:
    """Of those that are installed: TensorFlow, for one, comes under two names."""
    found = {}
    for name in libraries:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def predict(request: Request, history: History) -> dict[str, Any]:
    """Open the artefact, its digest checked first, and give the law of the draw after the history."""
    path = Path(request.artefact)
    verify(path, request.sha256)
    mode: Mode = MODES[request.mode].load(path)
    return {"components": [component.as_json() for component in mode.predict(history)]}


def main(folder: Path) -> int:
    """Do what `folder` asks; returns the exit code."""
    request, history = Request.read(folder)
    signal.alarm(request.time_limit)  # an orphan ends itself too, even inside a long C call
    try:
        result = {"fit": fit, "predict": predict}[request.job](request, history)
    except (ValueError, ArtefactError, ImportError) as error:
        result = {"error": f"{error}"}
    result["peak_memory_kb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    (folder / "result.json").write_text(json.dumps(result))
    return 1 if "error" in result else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
