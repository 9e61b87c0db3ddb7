"""Tests of Ctrl-C and SIGTERM at any time during a command: no traceback, and a matching exit code."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from django.conf import settings

DELAYS = (0.1, 0.7, 1.3, 2.2)  # seconds; how far the process is by then depends on the machine
# Until manage.py has installed its handler, Python itself would print a traceback.
LAUNCHER = """
import os, runpy, signal, sys
signal.signal(signal.SIGINT, lambda number, frame: os._exit(128 + number))
print("started", flush=True)
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
# Negative if the signal arrived while the interpreter was shutting down.
EXITS = {0, 1, *(128 + number for number in (signal.SIGINT, signal.SIGTERM)), -signal.SIGINT, -signal.SIGTERM}


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return the environment of a separate, empty installation."""
    folder = tmp_path_factory.mktemp("var")
    variables = {"SHIOL_VAR": str(folder), "DATABASE_URL": f"sqlite:///{folder / 'db.sqlite3'}"}
    subprocess.run(
        _command("migrate", "-v", "0"), cwd=settings.BASE_DIR, env=os.environ | variables, check=True
    )
    return os.environ | variables


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-c", LAUNCHER, str(Path(settings.BASE_DIR) / "manage.py"), *arguments]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("command", [("run_cluster",), ("serve", "--port", "0"), ("demo",), ("status",)])
def test_a_command_that_is_interrupted_early_leaves_no_traceback(
    command: tuple[str, ...], number: signal.Signals, installation: dict[str, str]
) -> None:
    for delay in DELAYS:
        process = subprocess.Popen(
            _command(*command),
            cwd=settings.BASE_DIR,
            env=installation,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        time.sleep(delay)
        os.killpg(process.pid, number)
        try:
            output, _ = process.communicate(timeout=60)
        finally:
            process.kill()

        assert "Traceback" not in output, f"after {delay} s: {output}"
        assert process.returncode in EXITS, f"after {delay} s: {output}"
    for log in Path(installation["SHIOL_VAR"], "logs").glob("*.log"):  # of the web server and the clusters
        assert "Traceback" not in log.read_text(), log
