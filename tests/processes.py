"""Processes for tests, such as clusters on the test database, which always end with the test."""

import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection


def dies_with_parent(signal_name: str = "TERM") -> list[str]:
    """Return a command prefix that sends the program a signal when its parent dies.

    Otherwise a killed test run would leave its servers running.
    """
    program = shutil.which("setpriv")
    return [program, "--pdeathsig", signal_name] if program else []


def database_url() -> str:
    """Return the URL of the test database for another process."""
    database = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{database['NAME']}"
    return f"postgres://{database['USER']}@{database['HOST']}:{database['PORT']}/{database['NAME']}"


def environment(**extra: str) -> dict[str, str]:
    """Return the environment of a process that shares the test's database and folders."""
    return os.environ | {"DATABASE_URL": database_url()} | extra


@contextmanager
def cluster(queue: str, log: Path, **extra: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a qcluster in its own process group."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            [*dies_with_parent(), sys.executable, "manage.py", "qcluster"],
            cwd=settings.BASE_DIR,
            env=environment(Q_CLUSTER_NAME=queue, **extra),
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@contextmanager
def web_server(log: Path, *options: str, unix: Path | None = None, **extra: str) -> Iterator[tuple[int, int]]:
    """Run gunicorn with one worker on the test database. Yield (process group, port); port 0 with a Unix
    socket.
    """
    with (
        socket.socket(socket.AF_UNIX if unix else socket.AF_INET) as listener,
        log.open("ab") as output,
    ):
        listener.bind(str(unix) if unix else ("127.0.0.1", 0))
        bound = f"fd://{listener.fileno()}"
        process = subprocess.Popen(
            [*dies_with_parent(), sys.executable, "-m", "gunicorn", "--bind", bound, *options],
            cwd=settings.BASE_DIR,
            env=environment(**extra),
            pass_fds=[listener.fileno()],
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            wait_until(lambda: b"Booting worker" in log.read_bytes(), 30, "a worker")
            yield process.pid, 0 if unix else listener.getsockname()[1]
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(40)  # a worker that is starting may miss it, and is killed after 30 s


def get(port: int, path: str, session: str = "") -> tuple[int, bytes]:
    """Return status and body of a page."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", path, headers={"Cookie": f"sessionid={session}"} if session else {})
    response = connection.getresponse()
    return response.status, response.read()


def wait_until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen within {seconds} seconds"
        time.sleep(0.1)


def group_of(leader: int) -> list[int]:
    return _where(2, leader)


def children_of(parent: int) -> list[int]:
    return _where(1, parent)


def _where(field: int, value: int) -> list[int]:
    """Return the processes with a value in a field of /proc/PID/stat, counted from the state."""
    members = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended meanwhile
            continue
        if int(fields[field]) == value:
            members.append(int(status.parent.name))
    return members


def needs_program(found: str | Path | None, name: str) -> None:
    """Skip the test if a program is missing, or fail if CI requires it."""
    if not found:
        reason = f"{name} is not installed"
        if os.environ.get("SHIOL_TESTS_REQUIRE_SERVICES"):
            pytest.fail(f"{reason}, and SHIOL_TESTS_REQUIRE_SERVICES is set")
        pytest.skip(reason)
