"""A web server, and the watchdog with both clusters, as child processes: started and stopped together."""

import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import NoReturn

from django.conf import settings

from predictions.models import Cluster
from predictions.workqueue import clusters
from tickets.cluster.qcluster_main import DRAIN_SECONDS

START_SECONDS = 60
STOP_SECONDS = DRAIN_SECONDS + 10


class StartError(Exception):
    """The processes cannot be started, or did not come up, with the reason."""


@dataclass
class LocalStack:
    """The running processes, by name, and the web server's address."""

    url: str
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def ended(self) -> str | None:
        """The name and exit code of a process that ended, None while all live."""
        for name, process in self.processes.items():
            if (code := process.poll()) is not None:
                return f"{name} ended with exit code {code}; see {_log_file(name)}"
        return None


@contextmanager
def run_local_stack(port: int = 0) -> Iterator[LocalStack]:
    """Web server (port 0: any free one) and clusters, for as long as the block runs.

    StartError when another cluster uses the same var/, for its tasks and ours would mix.
    """
    with ExitStack() as exits:
        exits.enter_context(_exclusive_var_lock())
        exits.enter_context(_sigterm_as_exit())
        listener = exits.enter_context(_listener(port))
        host, bound = listener.getsockname()
        stack = LocalStack(f"http://{host}:{bound}")
        exits.callback(_stop, stack)
        _start(stack, "clusters", _manage("run_cluster"))
        _start(stack, "web", _gunicorn(listener.fileno()), keep_open=(listener.fileno(),))
        _wait_until_up(stack, host, bound)
        yield stack


@contextmanager
def _exclusive_var_lock() -> Iterator[None]:
    """Hold var/cluster.lock, and see that no cluster started by hand is alive either."""
    with (settings.VAR / "cluster.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StartError(
                f"`make demo` or `make serve` is running with {settings.VAR} already; stop it first"
            ) from error
        if others := clusters.alive():
            raise StartError(f"another cluster is alive ({', '.join(others)}); stop it first")
        yield


@contextmanager
def _sigterm_as_exit() -> Iterator[None]:
    """Let SIGTERM unwind the stack, as Ctrl-C does, instead of leaving the children behind."""

    def exit_on_sigterm(number: int, frame: FrameType | None) -> NoReturn:
        sys.exit(128 + number)

    before = signal.signal(signal.SIGTERM, exit_on_sigterm)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _listener(port: int) -> Iterator[socket.socket]:
    """A bound loopback socket, which the web server inherits: so nobody takes the port in between."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError as error:
            raise StartError(f"port {port} on 127.0.0.1 cannot be used: {error.strerror}") from error
        yield listener


def _manage(command: str) -> list[str]:
    return [sys.executable, str(settings.BASE_DIR / "manage.py"), command]


def _gunicorn(descriptor: int) -> list[str]:
    return [
        *(sys.executable, "-m", "gunicorn"),  # the rest stands in gunicorn.conf.py
        *("--bind", f"fd://{descriptor}"),
        *("--log-level", "warning"),
    ]


def _log_file(name: str) -> Path:
    return Path(settings.VAR / "logs" / f"{name}.log")


def _start(stack: LocalStack, name: str, command: list[str], keep_open: tuple[int, ...] = ()) -> None:
    """Start a child in a process group of its own, its output in var/logs/."""
    _log_file(name).parent.mkdir(exist_ok=True)
    with _log_file(name).open("ab") as log:
        stack.processes[name] = subprocess.Popen(
            command,
            cwd=settings.BASE_DIR,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=keep_open,
            start_new_session=True,
        )


def _wait_until_up(stack: LocalStack, host: str, port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not (_answers(host, port) and _clusters_running()):
        if ended := stack.ended():
            raise StartError(ended)
        if time.monotonic() > deadline:
            raise StartError(f"not up after {START_SECONDS} seconds; see {settings.VAR / 'logs'}")
        time.sleep(0.2)


def _clusters_running() -> bool:
    return Cluster.objects.alive().filter(status=Cluster.Status.RUNNING).count() >= 2


def _answers(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=1) as connection:
            connection.sendall(b"HEAD / HTTP/1.0\r\nHost: localhost\r\n\r\n")
            return connection.recv(12).startswith(b"HTTP/")
    except OSError:
        return False


def _stop(stack: LocalStack) -> None:
    """SIGTERM to each, then SIGKILL to the groups of those that do not go; the clusters drain meanwhile."""
    for process in stack.processes.values():
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    for process in stack.processes.values():
        try:
            process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
