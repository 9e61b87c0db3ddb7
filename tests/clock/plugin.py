"""Run the test suite, with every process that it starts, at SHIOL_TESTS_NOW=2028-02-29T12:00Z.

Databases and browsers ignore clocks patched in Python, so a library that shifts the wall clock is compiled
and preloaded. pytest loads this plugin before it captures output, when the process can still replace itself.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

OFFSET = "SHIOL_TESTS_CLOCK_OFFSET"


def shifted_environment(instant: str) -> dict[str, str]:
    """Return the environment of a process that starts at an ISO 8601 instant.

    Raise pytest.UsageError if the instant cannot be read or there is no C compiler.
    """
    try:
        start = datetime.fromisoformat(instant)
    except ValueError as error:
        raise pytest.UsageError(f"SHIOL_TESTS_NOW: {error}; expected an ISO 8601 instant") from error
    if start.tzinfo is None:
        raise pytest.UsageError(f"SHIOL_TESTS_NOW: {instant!r} has no time zone; add Z or an offset")
    library = compile_library()
    offset = round((start - datetime.now(UTC)).total_seconds())
    return os.environ | {"LD_PRELOAD": str(library), OFFSET: str(offset)}


def compile_library() -> Path:
    compiler = shutil.which("cc")
    if compiler is None:
        raise pytest.UsageError("SHIOL_TESTS_NOW needs a C compiler (Debian: apt-get install gcc libc6-dev)")
    folder = Path(tempfile.mkdtemp(prefix="shiol-clock-"))
    folder.chmod(0o755)  # PostgreSQL, which does not run as root, also loads the library
    library = folder / "shift_clock.so"
    source = Path(__file__).with_name("shift_clock.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-o", library, source, "-ldl"], check=True)
    library.chmod(0o755)
    return library


if (_instant := os.environ.get("SHIOL_TESTS_NOW")) and OFFSET not in os.environ:
    os.execve(sys.executable, sys.orig_argv, shifted_environment(_instant))


def pytest_report_header() -> str:
    return f"clock: {datetime.now(UTC):%Y-%m-%d %H:%M} UTC"


def pytest_unconfigure(config: pytest.Config) -> None:
    if OFFSET in os.environ and not hasattr(config, "workerinput"):
        shutil.rmtree(Path(os.environ["LD_PRELOAD"]).parent, ignore_errors=True)
