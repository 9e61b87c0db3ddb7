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
    """The web server and the clusters, with their output in var/logs."""

    host: str
    port: int
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def start_process(self, name: str, *command: str, pass_fds: tuple[int, ...] = ()) -> None:
        log_file = log_path(name)
        log_file.parent.mkdir(exist_ok=True)
        with log_file.open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, *command],
                cwd=settings.BASE_DIR,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=pass_fds,
                start_new_session=True,
            )

    def find_exited(self) -> str | None:
        """Return which process has exited and its exit code, or None while all are running."""
        for name, process in self.processes.items():
            if (code := process.poll()) is not None:
                return f"{name} exited with code {code}; see {log_path(name)}"
        return None

    def wait_until_up(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not (responds_to_http(self.host, self.port) and count_running_clusters() >= 2):
            if exited := self.find_exited():
                raise StartError(exited)
            if time.monotonic() > deadline:
                raise StartError(f"not up after {START_SECONDS} seconds; see {settings.VAR / 'logs'}")
            time.sleep(0.2)

    def stop_processes(self) -> None:
        for process in self.processes.values():
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        for process in self.processes.values():
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def log_path(name: str) -> Path:
    return Path(settings.VAR / "logs" / f"{name}.log")


def count_running_clusters() -> int:
    return Cluster.objects.alive().filter(status=Cluster.Status.RUNNING).count()


def responds_to_http(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=1) as connection:
            connection.sendall(b"HEAD / HTTP/1.0\r\nHost: localhost\r\n\r\n")
            return connection.recv(12).startswith(b"HTTP/")
    except OSError:
        return False


@contextmanager
def run_local_stack(port: int = 0) -> Iterator[LocalStack]:
    """Run web server and clusters for the duration of the block. Port 0 selects an unused port.

    Raise StartError if another cluster uses the same var/, since they would take each other's tasks.
    """
    with ExitStack() as exits:
        exits.enter_context(exclusive_var_lock())
        exits.enter_context(sigterm_as_exit())
        # The web server inherits the bound socket, so no other process can take the port.
        listener = exits.enter_context(socket.socket())
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError as error:
            raise StartError(f"port {port} on 127.0.0.1 cannot be used: {error.strerror}") from error
        stack = LocalStack(*listener.getsockname())
        exits.callback(stack.stop_processes)
        stack.start_process("clusters", str(settings.BASE_DIR / "manage.py"), "run_cluster")
        descriptor = listener.fileno()
        # Further options are in gunicorn.conf.py.
        options = ("--bind", f"fd://{descriptor}", "--log-level", "warning")
        stack.start_process("web", "-m", "gunicorn", *options, pass_fds=(descriptor,))
        stack.wait_until_up()
        yield stack


@contextmanager
def exclusive_var_lock() -> Iterator[None]:
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
def sigterm_as_exit() -> Iterator[None]:
    """Unwind the stack on SIGTERM, as on Ctrl-C, so that child processes are stopped."""

    def exit_on_sigterm(number: int, frame: FrameType | None) -> NoReturn:
        sys.exit(128 + number)

    previous = signal.signal(signal.SIGTERM, exit_on_sigterm)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
