"""Killed child processes: they exit, and the waiting thread gets an error."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.conf import settings

from predictions.training import subprocesses
from predictions.training.subprocesses import FitError, build_request, kill_children, run_in_subprocess
from tests.factories import fair_history
from tests.processes import children_of, wait_until


def test_killed_children_exit_at_once_with_an_error_for_the_caller() -> None:
    history = fair_history(900)
    request = build_request("backtest", "lstm", first=880, stop=900, seed=1)

    with ThreadPoolExecutor(1) as threads:
        fit = threads.submit(run_in_subprocess, request, history)
        wait_until(lambda: bool(subprocesses._running), 5, "a child")
        (child,) = subprocesses._running
        kill_children()
        with pytest.raises(FitError, match="lstm: backtest process ended without a result: exit code -9"):
            fit.result(timeout=2)

    assert child.returncode == -9
    assert not subprocesses._running


PARENT = """
import django
django.setup()
from predictions.training.subprocesses import run_in_subprocess, build_request
from tests.factories import fair_history
run_in_subprocess(build_request("backtest", "lstm", first=880, stop=900, seed=1), fair_history(900))
"""


def test_child_exits_with_its_killed_parent() -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT], cwd=settings.BASE_DIR)
    try:
        wait_until(lambda: bool(children_of(parent.pid)), 20, "a child")
        (child,) = children_of(parent.pid)
        folder = Path(Path(f"/proc/{child}/cmdline").read_text().split("\0")[-2])
        assert (folder / "request.json").is_file()
    finally:
        parent.kill()
        parent.wait()

    wait_until(lambda: not Path(f"/proc/{child}").exists(), 60, "its end")
    assert not folder.exists()  # a child that finishes its work leaves the folder


def test_a_child_that_ends_by_itself_is_forgotten() -> None:
    result = run_in_subprocess(
        build_request("backtest", "uniform", first=300, stop=310, seed=1), fair_history(310)
    )

    assert len(result.payload["joint"]) == 10
    assert not subprocesses._running
