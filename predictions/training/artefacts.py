"""Model files: written aside and renamed, known by their SHA-256, verified before they are opened."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path


class ArtefactError(Exception):
    """A model file that is missing or is not the one that was recorded."""


def digest_of(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_aside(path: Path, write: Callable[[Path], None]) -> str:
    """Let `write` fill a file beside `path`, then rename it into place; returns its SHA-256.

    Whoever reads `path` sees the whole new file or none, even when the machine stops in between.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{os.getpid()}-{path.name}")  # Keras insists on the suffix
    try:
        write(aside)
        with aside.open("rb") as file:
            os.fsync(file.fileno())
        digest = digest_of(aside)
        aside.rename(path)
    finally:
        aside.unlink(missing_ok=True)
    return digest


def verify(path: Path, sha256: str) -> None:
    """Raise ArtefactError unless the file is there and is byte for byte the recorded one."""
    if not path.is_file():
        raise ArtefactError(f"the model file {path.name} is missing; train the mode again")
    if (found := digest_of(path)) != sha256:
        raise ArtefactError(
            f"the model file {path.name} is not the one that was trained: its SHA-256 is {found[:12]}…, "
            f"recorded is {sha256[:12]}…; it was not opened. Train the mode again"
        )
