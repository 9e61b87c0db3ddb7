"""The same tests on a real PostgreSQL, started here in a temporary folder."""

import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

from tests.processes import needs_program

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


def program(name: str) -> Path | None:
    """A PostgreSQL program, on the PATH or where Debian keeps it."""
    if found := shutil.which(name):
        return Path(found)
    return next(iter(sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)), None)


@pytest.fixture
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an empty server on a loopback port; it refuses root, so root lends it to `nobody`."""
    initdb, pg_ctl = program("initdb"), program("pg_ctl")
    needs_program(initdb and pg_ctl, "PostgreSQL (initdb, pg_ctl)")
    folder = Path(f"/tmp/shiol-postgres-{os.getpid()}")
    folder.mkdir(mode=0o700)
    user = "nobody" if os.geteuid() == 0 else None
    if user:
        os.chown(folder, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)
    port = free_port()

    def run(*command: str) -> None:
        subprocess.run(command, cwd=folder, user=user, check=True, stdout=subprocess.DEVNULL)

    data, options = str(folder / "data"), f"-p {port} -c listen_addresses=127.0.0.1 -k {folder}"
    try:
        run(str(initdb), "-D", data, "-A", "trust", "-U", "shiol", "-E", "UTF8", "--no-sync")
        run(str(pg_ctl), "-D", data, "-w", "-l", str(folder / "log"), "-o", options, "start")
        try:
            yield f"postgres://shiol@127.0.0.1:{port}/postgres"
        finally:
            run(str(pg_ctl), "-D", data, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder)


def free_port() -> int:
    import socket

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def test_the_suite_passes_on_postgresql(postgres: str) -> None:
    environment = os.environ | {"DATABASE_URL": postgres, "SHIOL_TESTS_ON_GIVEN_DATABASE": "1"}
    for name in list(environment):  # the inner conftest sets the first, after its own folder
        if name == "DJANGO_SETTINGS_MODULE" or name.startswith("PYTEST_XDIST"):
            del environment[name]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *SUITE],
        cwd=settings.BASE_DIR,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
