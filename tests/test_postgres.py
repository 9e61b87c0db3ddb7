"""Run the tests that use the database on a real PostgreSQL."""

import os
import subprocess
import sys

from django.conf import settings

from tests.postgres_server import postgres_server
from tests.processes import dies_with_parent


def test_the_suite_passes_on_postgresql() -> None:
    with postgres_server("fsync=off") as server:
        done = run_suite(server.url)

    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert "database: django.db.backends.postgresql" in done.stdout


def run_suite(url: str) -> subprocess.CompletedProcess[str]:
    """Run the tests that use the database in a new process, on the given database."""
    environment = os.environ | {"DATABASE_URL": url, "SHIOL_TESTS_ON_GIVEN_DATABASE": "1"}
    for name in list(environment):  # the inner conftest sets DJANGO_SETTINGS_MODULE itself
        if name == "DJANGO_SETTINGS_MODULE" or name.startswith("PYTEST_XDIST"):
            del environment[name]
    # Use all cores although the rest of the suite runs too: many tests wait.
    parallel = ("-n", "auto", "--dist", "loadfile", "--no-loadscope-reorder")
    return subprocess.run(
        [*dies_with_parent(), sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *parallel],
        cwd=settings.BASE_DIR,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
