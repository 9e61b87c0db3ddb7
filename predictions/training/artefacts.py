"""Model files: written aside and renamed into place; verified by SHA-256 before they are opened."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path


class ArtefactError(Exception):
    """A model file is missing or differs from the recorded one."""


def compute_digest(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_aside(path: Path, write: Callable[[Path], None]) -> str:
    """Let `write` fill a temporary file beside `path`, rename it into place and return its SHA-256.

    A reader of `path` sees the whole new file or none, even after a power failure.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{os.getpid()}-{path.name}")  # Keras requires the suffix
    try:
        write(temporary)
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        digest = compute_digest(temporary)
        temporary.rename(path)
    finally:
        temporary.unlink(missing_ok=True)
    return digest


def verify(path: Path, sha256: str) -> None:
    """Raise ArtefactError unless the file exists and has the recorded SHA-256."""
    if not path.is_file():
        raise ArtefactError(f"the model file {path.name} is missing; train the mode again")
    if (actual := compute_digest(path)) != sha256:
        raise ArtefactError(
            f"the model file {path.name} is not the one that was trained: its SHA-256 is {actual[:12]}… "
            f"instead of {sha256[:12]}…; it was not opened. Train the mode again"
        )
