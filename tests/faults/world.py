"""A world for fault injection: a copied database, hosts that use it, and checks of the result."""

import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from django.db import connection, transaction
from django.db.models import QuerySet
from django.test import override_settings

from tests.faults.databases import DRAW, MODES, Template, connected
from tests.faults.hosts import LEASE_SECONDS, Host
from tickets.generation.generator import BatchTicketGenerator
from tickets.generation.lifecycle import enqueue_batches
from tickets.generation.verification import verify_batch
from tickets.models import GenerationRun, PreGeneratedTicket, TicketBatch

FINAL_SECONDS = 90  # includes a hung cluster: 25 s until it is detected, 5 s to end it, a start and a lease


class World:
    """The database of this thread's models, and the hosts that share it."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self.url = folder, url
        self.hosts: list[Host] = []

    def host(self, name: str = "host", **environment: str) -> Host:
        """Start another host."""
        host = Host(self.folder / name, self.url, **environment)
        self.hosts.append(host)
        host.start()
        return host

    def move(self, folder: Path) -> None:
        """Move the SQLite database to another folder before any host is started."""
        connection.close()
        file = Path(connection.settings_dict["NAME"])
        self.url = f"sqlite:///{shutil.copy(file, folder)}"
        connection.settings_dict["NAME"] = str(folder / file.name)

    def order(
        self, size: int = 20_000, *modes: str, chunk_size: int = 5000, deliveries: int = 1
    ) -> GenerationRun:
        """Enqueue a run, with each of its tasks `deliveries` times."""
        with transaction.atomic():
            generator = BatchTicketGenerator(size, modes or MODES[:1])
            result = generator.generate_batch(draw_date=DRAW)
            run = GenerationRun.objects.get(pk=result["generation_run_id"])
            run.batches.update(chunk_size=chunk_size)
            for _ in range(deliveries - 1):
                enqueue_batches(list(run.batches.all()))
        return run

    def wait_until_ended(self, *runs: GenerationRun, seconds: float = FINAL_SECONDS) -> float:
        """Return the seconds until all runs are in a final state. Raise AssertionError on timeout."""
        started = time.monotonic()
        unfinished = GenerationRun.objects.filter(pk__in=[run.pk for run in runs], status="running")
        while unfinished.exists():
            taken = time.monotonic() - started
            assert taken < seconds, (
                f"{unfinished[0]} has not ended after {taken:.0f} s: {self._describe_runs()}"
            )
            time.sleep(0.1)
        return time.monotonic() - started

    def _describe_runs(self) -> str:
        batches = TicketBatch.objects.filter(status__in=TicketBatch.UNFINISHED)
        rows = [f"{one} {one.status} {one.generated}/{one.requested} {one.error}" for one in batches]
        logs = [f"{host.log}:\n{host.log.read_text()[-3000:]}" for host in self.hosts]
        return "\n".join((*rows, *logs))

    def check(self, *runs: GenerationRun) -> None:
        """Assert that each run is completed with exactly its tickets, no duplicates, each reproducible."""
        assert [problem for run in runs for problem in problems(run)] == []
        assert count_duplicates(PreGeneratedTicket.objects.all()) == 0


def problems(run: GenerationRun) -> list[str]:
    """Return the problems of a run that should be completed, prefixed by "lost" or "doubled"."""
    run.refresh_from_db()
    found = [] if (run.status, run.error) == ("completed", "") else [f"lost: {run.status} {run.error}"]
    for batch in run.batches.select_related("run", "prediction"):
        count, twice = batch.tickets.count(), count_duplicates(batch.tickets.all())
        if twice or count > batch.requested:
            found.append(f"doubled: {batch} has {count} tickets for {batch.requested}, {twice} of them twice")
        if not batch.generated == batch.stored == count == batch.requested:
            found.append(f"lost: {batch} says {batch.generated}, {batch.stored}; it has {count}")
        if (batch.status, batch.token, batch.lease_until) != ("ready", None, None) or not batch.finished_at:
            found.append(f"lost: {batch} is {batch.status}, held by {batch.token} until {batch.lease_until}")
        if not (verification := verify_batch(batch)).is_reproducible:
            found.append(f"lost: {batch} is not proven: {verification.summary()}")
    return found


def count_duplicates(tickets: QuerySet[PreGeneratedTicket]) -> int:
    """Return the number of duplicate tickets, which the unique key should prevent."""
    numbers = ("draw_date", "n1", "n2", "n3", "n4", "n5", "powerball")
    return tickets.count() - tickets.order_by().values(*numbers).distinct().count()


def is_writing(seconds: float = 0.0) -> bool:
    """Return whether another connection has an open write transaction for this many seconds."""
    deadline = time.monotonic() + seconds
    while _writes():
        if time.monotonic() >= deadline:
            return True
        time.sleep(0.02)
    return False


def _writes() -> bool:
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
                "AND backend_xid IS NOT NULL AND pid <> pg_backend_pid()"
            )
            return bool(cursor.fetchone()[0])
        return _sqlite_is_locked(cursor.connection)


def _sqlite_is_locked(sqlite: sqlite3.Connection) -> bool:
    sqlite.execute("PRAGMA busy_timeout = 0")
    try:
        sqlite.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError:
        return True
    else:
        sqlite.execute("ROLLBACK")
        return False
    finally:
        sqlite.execute("PRAGMA busy_timeout = 20000")


@contextmanager
def new_world(template: Template, folder: Path) -> Iterator[World]:
    """Create a world, and kill all its processes when the block ends."""
    with ExitStack() as exits:
        url = template.copy()
        exits.enter_context(connected(url))
        exits.enter_context(override_settings(LEASE_SECONDS=LEASE_SECONDS))
        world = World(folder, url)
        exits.callback(lambda: [host.clear() for host in world.hosts])
        yield world
