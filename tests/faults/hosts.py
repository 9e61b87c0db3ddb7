"""A simulated host: one `run_cluster` with its own var/, and its processes by role."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from predictions.models import Cluster
from predictions.workqueue import clusters
from tests.processes import dies_with_parent, wait_until
from tickets.cluster.qcluster_main import DRAIN_SECONDS

LEASE_SECONDS = 5
START_SECONDS = 60
# First log message of each kind of django-q2 process.
SAYINGS = {"ready for work at": "worker", "monitoring at": "monitor", "pushing tasks at": "pusher"}


@dataclass(frozen=True)
class Member:
    """A process of a host, its role and the queue of its cluster."""

    pid: int
    role: str  # watchdog, main, sentinel, worker, monitor, pusher, fit; other
    queue: str


class Host:
    """One `run_cluster` in its own session. `start` may be called again after it has ended."""

    def __init__(self, var: Path, url: str, **environment: str) -> None:
        self.var, self.log = var, var / "log"
        var.mkdir(parents=True)
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("PYTEST")},
            "DJANGO_SETTINGS_MODULE": "tests.faults.settings",
            "SHIOL_VAR": str(var),
            "SHIOL_LEASE_SECONDS": str(LEASE_SECONDS),
            "DATABASE_URL": url,
            **environment,
        }
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*dies_with_parent(), sys.executable, "manage.py", "run_cluster"],
                cwd=settings.BASE_DIR,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def is_up(self) -> bool:
        """Return whether both clusters have sent a heartbeat."""
        assert self.process is not None
        rows = Cluster.objects.filter(
            holder__contains=f"/{self.process.pid}-", last_heartbeat_at__isnull=False
        )
        return rows.count() == 2

    def wait_until_up(self) -> None:
        wait_until(self.is_up, START_SECONDS, "the start of both clusters")

    def members(self) -> list[Member]:
        """Return the living processes, including orphans, by the var/ in their environment."""
        log_lines = self._log_lines()
        found = [_member(pid, values, log_lines) for pid, values in _environments(self.var)]
        return [member for member in found if member]

    def _log_lines(self) -> dict[int, str]:
        found = re.findall(rf"({'|'.join(SAYINGS)}) (\d+)", self.log.read_text())
        return {int(pid): SAYINGS[saying] for saying, pid in found}

    def find(self, role: str, queue: str = clusters.DEFAULT) -> int | None:
        """Return the process with a role in a queue's cluster, or None."""
        if role == "watchdog":
            return self.process.pid if self.process and self.process.poll() is None else None
        return next((one.pid for one in self.members() if (one.role, one.queue) == (role, queue)), None)

    def kill(self, role: str, queue: str = clusters.DEFAULT, seconds: float = START_SECONDS) -> int:
        """Wait for the process with a role and send it SIGKILL; "group" means the whole cluster."""
        wanted, strike = ("main", os.killpg) if role == "group" else (role, os.kill)
        killed: list[int] = []

        def is_killed() -> bool:
            if (pid := self.find(wanted, queue)) is not None:
                with _ended_meanwhile():
                    strike(pid, signal.SIGKILL)
                    killed.append(pid)
            return bool(killed)

        wait_until(is_killed, seconds, f"the death of a {wanted} of {queue}")
        return killed[0]

    def worker_at(self, task: str) -> int:
        """Return the worker that last started the task with this name."""
        begun = re.findall(rf"(Process-\w+) processing {task} ", self.log.read_text())
        pids = dict(re.findall(r"(Process-\w+) ready for work at (\d+)", self.log.read_text()))
        return int(pids[begun[-1]])

    def end(self, seconds: float = DRAIN_SECONDS + 15) -> float:
        """Send SIGTERM to the watchdog and return the seconds until it ended. Raise AssertionError on
        timeout.
        """
        process, started = self.process, time.monotonic()
        assert process is not None
        process.send_signal(signal.SIGTERM)
        wait_until(lambda: process.poll() is not None, seconds, "the end of the watchdog")
        return time.monotonic() - started

    def wait_until_gone(self, seconds: float = 3) -> None:
        """Raise AssertionError if any process of the host is left after some seconds."""
        try:
            wait_until(lambda: not self.members(), seconds, "the end of all its processes")
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.members()}") from error

    def clear(self) -> None:
        """Send SIGKILL to all remaining processes."""
        while members := self.members():
            for member in members:
                with _ended_meanwhile():
                    os.kill(member.pid, signal.SIGKILL)
            if self.process is not None:
                self.process.wait()
            time.sleep(0.05)


@contextmanager
def _ended_meanwhile() -> Iterator[None]:
    try:
        yield
    except ProcessLookupError:
        return


def _environments(var: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield each process that was started with this var/, with its environment."""
    for path in Path("/proc").glob("[0-9]*"):
        pid = int(path.name)
        values = dict(part.split("=", 1) for part in _read(pid, "environ").split("\0") if "=" in part)
        if values.get("SHIOL_VAR") == str(var):
            yield pid, values


def _member(pid: int, values: dict[str, str], log_lines: dict[int, str]) -> Member | None:
    """Return the role of a process, or None if it has ended."""
    stat, command = _read(pid, "stat").rpartition(")")[2].split(), _read(pid, "cmdline")
    if not stat:
        return None
    parent, leader = int(stat[1]), int(stat[2])
    if "predictions.training.fit_process" in command:
        role = "fit"
    elif "run_cluster" in command:
        role = "watchdog"
    elif pid == leader:
        role = "main"
    else:
        role = log_lines.get(pid, "sentinel" if parent == leader else "other")
    return Member(pid, role, values.get("Q_CLUSTER_NAME", ""))


def _read(pid: int, name: str) -> str:
    """Return a file of a process in /proc, or an empty string if it has ended."""
    try:
        return Path(f"/proc/{pid}/{name}").read_text(errors="replace")
    except OSError:
        return ""
