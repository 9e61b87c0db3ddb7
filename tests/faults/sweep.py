"""`make faults`, second part: many runs on real clusters, each killed at random or delivered too often.

Each run is hit by one SIGKILL, at a time drawn uniformly over its expected duration, in a process drawn by
its weight in TARGETS; the seed makes this reproducible. One `run_cluster` per database processes all its runs
in turn, so that any damage affects later runs. Both databases run in parallel. Ctrl-C finishes the current
runs and reports.
"""

import argparse
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from threading import Event
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.faults.hosts import Host
    from tests.faults.world import World
    from tickets.models import GenerationRun

TARGETS = {"worker": 4, "pusher": 2, "monitor": 2, "sentinel": 2, "main": 2, "group": 2, "watchdog": 1}
# Detecting a hang (27), ending (5), the longest delay before a start (60), starting, a lease, the work
# itself.
FINAL_SECONDS = 180


@dataclass
class Outcome:
    """The fault of a run and its result."""

    number: int
    database: str
    fault: str
    moment: float  # seconds after it was enqueued
    life: float  # expected duration in seconds
    tickets: int
    modes: int
    is_amid: bool = True  # whether the fault came before its end
    seconds: float = 0.0  # until a final state
    attempts: int = 0
    restarts: int = 0  # of clusters during the run
    result: str = "ok"

    def row(self) -> list[str]:
        return [
            str(self.number),
            self.database,
            self.fault,
            f"{self.moment:.1f} of {self.life:.1f} s" + ("" if self.is_amid else ", over"),
            f"{self.tickets:,} in {self.modes}",
            f"{self.seconds:.1f}",
            str(self.attempts),
            str(self.restarts),
            self.result,
        ]


class Sweep:
    """The runs of one database, on one host."""

    def __init__(self, database: str, world: "World", seed: int) -> None:
        self.database, self.world = database, world
        self.random = Random(f"{seed} {database}")
        self.host: Host = world.host()
        self.host.wait_until_up()
        self.life_of_a_ticket = self._measured()
        self.outcomes: list[Outcome] = []

    def _measured(self, size: int = 30_000) -> float:
        """Return the seconds per ticket of an undisturbed run."""
        run = self.world.order(size)
        return self.world.wait_until_ended(run, seconds=FINAL_SECONDS) / size

    def kill_one(self, number: int) -> None:
        target = self.random.choices(list(TARGETS), TARGETS.values())[0]
        outcome, modes = self._next(number, target)
        run = self.world.order(outcome.tickets // len(modes), *modes)
        with self._followed(outcome, run):
            time.sleep(outcome.moment)
            outcome.is_amid = is_running(run)
            self.host.kill(target, seconds=FINAL_SECONDS)
            if target == "watchdog":
                self.host.start()  # at once, as systemd would, while the old clusters drain

    def deliver_often(self, number: int) -> None:
        """Deliver a run's tasks several times at once, once more at some moment, and once after its end."""
        from tickets.generation.lifecycle import enqueue_batches

        times = self.random.randint(2, 4)
        outcome, modes = self._next(number, f"{times} deliveries")
        run = self.world.order(outcome.tickets // len(modes), *modes, deliveries=times)
        with self._followed(outcome, run):
            time.sleep(outcome.moment)
            outcome.is_amid = is_running(run)
            enqueue_batches(list(run.batches.all()))
        enqueue_batches(list(run.batches.all()))

    def _next(self, number: int, fault: str) -> tuple[Outcome, list[str]]:
        from tests.faults.databases import MODES

        modes = self.random.sample(MODES, self.random.randint(1, len(MODES)))
        tickets = self.random.randint(20, 40) // len(modes) * len(modes) * 1000
        life = self.life_of_a_ticket * tickets
        return Outcome(
            number, self.database, fault, self.random.uniform(0, life), life, tickets, len(modes)
        ), modes

    @contextmanager
    def _followed(self, outcome: Outcome, run: "GenerationRun") -> Iterator[None]:
        """Record the duration and the result of a run to which the block applies a fault."""
        from tests.faults.world import problems

        started, restarts = time.monotonic(), self._restarts()
        found = []
        try:
            yield
            self.world.wait_until_ended(run, seconds=FINAL_SECONDS)
        except AssertionError as error:
            found = [f"stuck: {error}"]
        outcome.seconds = time.monotonic() - started
        found = found or problems(run)
        outcome.attempts = max(run.batches.values_list("attempts", flat=True))
        outcome.restarts = self._restarts() - restarts
        if found:
            outcome.result = found[0].partition(":")[0].upper()
            print("\n".join(found), flush=True)
        self.outcomes.append(outcome)
        print("  ".join(outcome.row()), flush=True)

    def _restarts(self) -> int:
        return self.host.log.read_text().count("Restarting cluster")

    def finish(self) -> list[str]:
        """End the host. Return the problems of all runs together."""
        from tests.faults.world import count_duplicates
        from tickets.cluster.qcluster_main import DRAIN_SECONDS
        from tickets.models import PreGeneratedTicket, TicketBatch

        found = []
        try:
            print(f"{self.database}: drained in {self.host.end():.1f} s", flush=True)
            self.host.wait_until_gone(DRAIN_SECONDS + 5)  # may take as long as clusters of a killed watchdog
        except AssertionError as error:
            found.append(f"{self.database}: {error}")
        if twice := count_duplicates(PreGeneratedTicket.objects.all()):
            found.append(f"{self.database}: {twice} tickets are there twice")
        if unfinished := TicketBatch.objects.filter(status__in=TicketBatch.UNFINISHED).count():
            found.append(f"{self.database}: {unfinished} batches are unfinished")
        print(f"{self.database}: {PreGeneratedTicket.objects.count():,} tickets", flush=True)
        return found


def is_running(run: "GenerationRun") -> bool:
    run.refresh_from_db()
    return run.status == "running"


def sweep(
    database: str, runs: int, doubled: int, seed: int, folder: Path, ended: Event
) -> tuple[list[Outcome], list[str]]:
    """Run all runs of one database, or until `ended` is set."""
    from tests.faults.databases import new_template
    from tests.faults.world import new_world

    with new_template(database, folder) as template, new_world(template, folder / "world") as world:
        swept = Sweep(database, world, seed)
        jobs = [swept.kill_one] * runs + [swept.deliver_often] * doubled
        swept.random.shuffle(jobs)
        for number, job in enumerate(jobs, start=1):
            if not ended.is_set():
                job(number)
        return swept.outcomes, swept.finish()


def show(outcomes: list[Outcome]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title="Runs killed with SIGKILL or delivered too often")
    for name in (
        "#",
        "database",
        "fault",
        "at",
        "tickets, modes",
        "seconds to final",
        "attempts",
        "restarts",
    ):
        table.add_column(name, justify="left" if name in ("database", "fault") else "right")
    table.add_column("result")
    for outcome in outcomes:
        table.add_row(*outcome.row())
    Console(width=120).print(table)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.sweep", description=__doc__)
    parser.add_argument("--runs", type=int, default=60, help="runs that are killed, over all databases")
    parser.add_argument("--doubled", type=int, default=20, help="runs that are delivered too often")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--database", choices=["sqlite", "postgresql", "both"], default="both")
    return parser.parse_args()


def main() -> int:
    options, started, ended = arguments(), time.monotonic(), Event()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signal_number, lambda *_: ended.set())
    with tempfile.TemporaryDirectory(prefix="shiol-faults-") as folder:
        os.environ |= {
            "DJANGO_SETTINGS_MODULE": "shiolplus.settings",
            "SHIOL_VAR": f"{folder}/var",
            "SHIOL_SECRET_KEY": "only-for-faults, and as long as the checks ask for",
        }
        os.environ.pop("DATABASE_URL", None)
        import django

        django.setup()
        from shiolplus.cli import configure_console_logging

        configure_console_logging(0)
        databases = ["sqlite", "postgresql"] if options.database == "both" else [options.database]
        many = len(databases)
        shares = [
            (share(options.runs, place, many), share(options.doubled, place, many)) for place in range(many)
        ]
        with ThreadPoolExecutor() as threads:
            sweeps = [
                threads.submit(sweep, name, *share, options.seed, Path(folder) / name, ended)
                for name, share in zip(databases, shares, strict=True)
            ]
            done = [one.result() for one in sweeps]
    outcomes = [outcome for some, _ in done for outcome in some]
    show(outcomes)
    results = [outcome.result for outcome in outcomes]
    lost, doubled, stuck = (results.count(one) for one in ("LOST", "DOUBLED", "STUCK"))
    left = [trouble for _, found in done for trouble in found]
    print(*left, sep="\n")
    print(
        f"seed {options.seed}, {(time.monotonic() - started) / 60:.0f} minutes: "
        f"{sum(one.is_amid for one in outcomes)} struck before their end; "
        f"{len(outcomes)} runs: {lost} lost, {doubled} doubled, {stuck} stuck"
    )
    return 1 if lost or doubled or stuck or left else 0


def share(runs: int, place: int, places: int) -> int:
    """Return how many of the runs one database gets; the shares add up to all runs."""
    return (runs + places - 1 - place) // places


if __name__ == "__main__":
    sys.exit(main())
