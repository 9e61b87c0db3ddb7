"""The same tests on a real PostgreSQL, started here in a temporary folder."""

import os
import subprocess
import sys

from django.conf import settings

from tests.postgres_server import postgres_server

# What touches the database; the pure modules would only run twice.
SUITE = [
    "tests/predictions/test_admin.py",
    "tests/predictions/test_admin_queue.py",
    "tests/predictions/test_admin_randomness.py",
    "tests/predictions/test_analytics.py",
    "tests/predictions/test_draws.py",
    "tests/predictions/test_pipeline.py",
    "tests/tickets",
]


def test_the_suite_passes_on_postgresql() -> None:
    with postgres_server("fsync=off") as server:
        done = suite_on(server.url)

    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]


def suite_on(url: str) -> subprocess.CompletedProcess[str]:
    """These tests in a process of their own, on a given database."""
    environment = os.environ | {"DATABASE_URL": url, "SHIOL_TESTS_ON_GIVEN_DATABASE": "1"}
    for name in list(environment):  # the inner conftest sets the first, after its own folder
        if name == "DJANGO_SETTINGS_MODULE" or name.startswith("PYTEST_XDIST"):
            del environment[name]
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *SUITE],
        cwd=settings.BASE_DIR,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
