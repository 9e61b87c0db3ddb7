"""SHIOL_TESTS_NOW shifts the clock of the tests and of every process that they start."""

import os
import shutil
import subprocess
import sys

import pytest
from django.conf import settings

from tests.clock.plugin import OFFSET
from tests.processes import needs_program


def run_pytest_at(instant: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run pytest with SHIOL_TESTS_NOW, independent of a shifted clock of this process."""
    removed = {"DJANGO_SETTINGS_MODULE", "SHIOL_VAR", "LD_PRELOAD", OFFSET}
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in removed and not name.startswith("PYTEST_")
    }
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments],
        cwd=settings.BASE_DIR,
        env=environment | {"SHIOL_TESTS_NOW": instant, "EXPECTED_INSTANT": instant},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("instant", ["2028-02-29T12:00Z", "2026-03-08T01:59:30-05:00"])
def test_all_clocks_are_shifted_and_sleep_is_not_affected(instant: str) -> None:
    needs_program(shutil.which("cc"), "a C compiler (cc)")

    done = run_pytest_at(instant, "tests/clock/clocks.py")

    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    assert " passed" in done.stdout


@pytest.mark.parametrize(
    ("instant", "reason"),
    [("tomorrow", "Invalid isoformat string: 'tomorrow'"), ("2028-02-29T12:00", "has no time zone")],
)
def test_invalid_instant_is_an_error(instant: str, reason: str) -> None:
    done = run_pytest_at(instant, "tests/clock/clocks.py")

    assert done.returncode == 4
    assert reason in done.stderr
