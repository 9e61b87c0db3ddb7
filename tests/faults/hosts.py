"""A host of a world: one `run_cluster` with a var/ of its own, and every process that came of it, by role."""

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
# What each of the queue's processes says when it begins.
SAYINGS = {"ready for work at": "worker", "monitoring at": "monitor", "pushing tasks at": "pusher"}


@dataclass(frozen=True)
class Member:
    """A process of a host: what it is for and, in a cluster, whose queue it serves."""

    pid: int
    role: str  # watchdog, main, sentinel, worker, monitor, pusher, fit; other
    queue: str


class Host:
    """One `run_cluster` in a session of its own; `start` may be called again after it has ended."""

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
        """Whether both of its clusters have shown that they get work done."""
        assert self.process is not None
        rows = Cluster.objects.filter(
            holder__contains=f"/{self.process.pid}-", last_heartbeat_at__isnull=False
        )
        return rows.count() == 2

    def wait_until_up(self) -> None:
        wait_until(self.is_up, START_SECONDS, "the start of both clusters")

    def members(self) -> list[Member]:
        """Its living processes, orphans too: they share its var/ in their environment."""
        sayings = self._sayings()
        found = [_member(pid, values, sayings) for pid, values in _environments(self.var)]
        return [member for member in found if member]

    def _sayings(self) -> dict[int, str]:
        found = re.findall(rf"({'|'.join(SAYINGS)}) (\d+)", self.log.read_text())
        return {int(pid): SAYINGS[saying] for saying, pid in found}

    def find(self, role: str, queue: str = clusters.DEFAULT) -> int | None:
        """The process of a role in the cluster of a queue, if there is one now."""
        if role == "watchdog":
            return self.process.pid if self.process and self.process.poll() is None else None
        return next((one.pid for one in self.members() if (one.role, one.queue) == (role, queue)), None)

    def kill(self, role: str, queue: str = clusters.DEFAULT, seconds: float = START_SECONDS) -> int:
        """SIGKILL to the process of a role, waited for so long; "group" is the whole cluster."""
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
        """The worker that began a task last, by the task's name."""
        begun = re.findall(rf"(Process-\w+) processing {task} ", self.log.read_text())
        pids = dict(re.findall(r"(Process-\w+) ready for work at (\d+)", self.log.read_text()))
        return int(pids[begun[-1]])

    def end(self, seconds: float = DRAIN_SECONDS + 15) -> float:
        """SIGTERM to the watchdog; the seconds until it has ended, AssertionError after so many."""
        process, started = self.process, time.monotonic()
        assert process is not None
        process.send_signal(signal.SIGTERM)
        wait_until(lambda: process.poll() is not None, seconds, "the end of the watchdog")
        return time.monotonic() - started

    def wait_until_gone(self, seconds: float = 3) -> None:
        """Fail unless no process of it is left so long after its end."""
        try:
            wait_until(lambda: not self.members(), seconds, "the end of all its processes")
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.members()}") from error

    def clear(self) -> None:
        """SIGKILL to whoever is left, for a scenario that failed."""
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
    """Every process that was started with this var/, and what else its environment says."""
    for path in Path("/proc").glob("[0-9]*"):
        pid = int(path.name)
        values = dict(part.split("=", 1) for part in _read(pid, "environ").split("\0") if "=" in part)
        if values.get("SHIOL_VAR") == str(var):
            yield pid, values


def _member(pid: int, values: dict[str, str], sayings: dict[int, str]) -> Member | None:
    """What a process is for; None when it has ended meanwhile."""
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
        role = sayings.get(pid, "sentinel" if parent == leader else "other")
    return Member(pid, role, values.get("Q_CLUSTER_NAME", ""))


def _read(pid: int, name: str) -> str:
    """A file of a process; empty when it has ended."""
    try:
        return Path(f"/proc/{pid}/{name}").read_text(errors="replace")
    except OSError:
        return ""
