"""Run a web server and the watchdog with both clusters as child processes."""

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
    """The processes cannot be started; the message gives the reason."""


@dataclass
class LocalStack:
    url: str
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def find_exited(self) -> str | None:
        """Return which process has exited and its exit code, or None while all are running."""
        for name, process in self.processes.items():
            if (code := process.poll()) is not None:
                return f"{name} exited with code {code}; see {_log_file(name)}"
        return None


@contextmanager
def run_local_stack(port: int = 0) -> Iterator[LocalStack]:
    """Run web server and clusters for the duration of the block. Port 0 selects an unused port.

    Raise StartError if another cluster uses the same var/, since they would take each other's tasks.
    """
    with ExitStack() as exits:
        exits.enter_context(_exclusive_var_lock())
        exits.enter_context(_sigterm_as_exit())
        listener = exits.enter_context(_listener(port))
        host, bound_port = listener.getsockname()
        stack = LocalStack(f"http://{host}:{bound_port}")
        exits.callback(_stop, stack)
        _start(stack, "clusters", [sys.executable, str(settings.BASE_DIR / "manage.py"), "run_cluster"])
        _start(stack, "web", _gunicorn_command(listener.fileno()), pass_fds=(listener.fileno(),))
        _wait_until_up(stack, host, bound_port)
        yield stack


@contextmanager
def _exclusive_var_lock() -> Iterator[None]:
    """Lock var/cluster.lock and check that no cluster started otherwise is alive."""
    with (settings.VAR / "cluster.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StartError(
                f"`make demo` or `make serve` already runs with {settings.VAR}; stop it first"
            ) from error
        if others := clusters.alive():
            raise StartError(f"another cluster is alive ({', '.join(others)}); stop it first")
        yield


@contextmanager
def _sigterm_as_exit() -> Iterator[None]:
    """Unwind the stack on SIGTERM, as on Ctrl-C, so that child processes are stopped."""

    def exit_on_sigterm(number: int, frame: FrameType | None) -> NoReturn:
        sys.exit(128 + number)

    previous = signal.signal(signal.SIGTERM, exit_on_sigterm)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


@contextmanager
def _listener(port: int) -> Iterator[socket.socket]:
    """Bind a loopback socket that the web server inherits, so that no other process takes the port."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError as error:
            raise StartError(f"port {port} on 127.0.0.1 cannot be used: {error.strerror}") from error
        yield listener


def _gunicorn_command(descriptor: int) -> list[str]:
    return [
        *(sys.executable, "-m", "gunicorn"),  # further options are in gunicorn.conf.py
        *("--bind", f"fd://{descriptor}"),
        *("--log-level", "warning"),
    ]


def _log_file(name: str) -> Path:
    return Path(settings.VAR / "logs" / f"{name}.log")


def _start(stack: LocalStack, name: str, command: list[str], pass_fds: tuple[int, ...] = ()) -> None:
    _log_file(name).parent.mkdir(exist_ok=True)
    with _log_file(name).open("ab") as log:
        stack.processes[name] = subprocess.Popen(
            command,
            cwd=settings.BASE_DIR,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=pass_fds,
            start_new_session=True,
        )


def _wait_until_up(stack: LocalStack, host: str, port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not (_responds(host, port) and _clusters_running()):
        if exited := stack.find_exited():
            raise StartError(exited)
        if time.monotonic() > deadline:
            raise StartError(f"not up after {START_SECONDS} seconds; see {settings.VAR / 'logs'}")
        time.sleep(0.2)


def _clusters_running() -> bool:
    return Cluster.objects.alive().filter(status=Cluster.Status.RUNNING).count() >= 2


def _responds(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=1) as connection:
            connection.sendall(b"HEAD / HTTP/1.0\r\nHost: localhost\r\n\r\n")
            return connection.recv(12).startswith(b"HTTP/")
    except OSError:
        return False


def _stop(stack: LocalStack) -> None:
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
