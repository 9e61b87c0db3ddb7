"""`make bench-large`: generate, serve and purge a million tickets, on SQLite and on PostgreSQL.

Tickets are generated in a new process to measure its memory. The machine's speed drifts, so each figure has a
reference from the same run: quote the ratio. `python -m tests.benchmarks.large memory` (or `workers`,
`serving`) runs one part.
"""

import json
import os
import re
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.benchmarks.serving import CACHED, web_server
from tests.benchmarks.steady import Latency, steady_load
from tests.postgres_server import postgres_server, program

TICKETS = 1_000_000
CHUNK = 5000  # rows per transaction, as in batches
MODES = ("random_forest", "lstm", "v1", "v2")
RATE = 200  # requests per second
IDLE_SECONDS = 20
PORT = 8396


# Steps, each run in a new process


def plan(tickets: str, *modes: str) -> None:
    """Create an empty database and a run that is not processed yet."""
    from django.core.management import call_command

    call_command("migrate", verbosity=0, skip_checks=True)
    from predictions.draws.sources import upcoming_draw
    from tests.factories import make_prediction
    from tickets.generation.generator import BatchTicketGenerator

    for mode in modes:
        make_prediction(mode, draw_date=upcoming_draw())
    BatchTicketGenerator(int(tickets), list(modes)).generate_batch()


def work() -> None:
    """Process all queued batches."""
    from tickets.generation.worker import run_next_batch
    from tickets.models import TicketBatch

    started = time.perf_counter()
    while run_next_batch() is not None:
        pass
    taken = time.perf_counter() - started
    made = sum(TicketBatch.objects.values_list("stored", flat=True))
    print(json.dumps({"seconds": taken, "tickets": made, "memory": peak_memory()}))


def purge() -> None:
    """Purge all batches."""
    from tickets.models import TicketBatch
    from tickets.store import purge_batch

    started = time.perf_counter()
    deleted = sum(purge_batch(batch) for batch in TicketBatch.objects.select_related("run"))
    taken = time.perf_counter() - started
    print(json.dumps({"seconds": taken, "tickets": deleted, "memory": peak_memory()}))


def bare() -> None:
    """Insert the same rows without checks and counts into a table with the same columns, keys and indexes."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM pre_generated_tickets ORDER BY id")
        rows = cursor.fetchall()
    insert = _bare_postgres if connection.vendor == "postgresql" else _bare_sqlite
    print(json.dumps({"seconds": insert(rows)}))


def _bare_sqlite(rows: list[Any]) -> float:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT sql FROM sqlite_master WHERE tbl_name = 'pre_generated_tickets' AND sql > ''")
        definitions = [sql for (sql,) in cursor.fetchall()]
    other = sqlite3.connect(f"{connection.settings_dict['NAME']}.bare", isolation_level=None)
    other.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;" + ";".join(definitions))
    marks = ", ".join("?" * len(rows[0]))
    started = time.perf_counter()
    for first in range(0, len(rows), CHUNK):
        other.execute("BEGIN IMMEDIATE")
        part = rows[first : first + CHUNK]
        other.executemany(f"INSERT INTO pre_generated_tickets VALUES ({marks})", part)
        other.execute("COMMIT")
    return time.perf_counter() - started


def _bare_postgres(rows: list[Any]) -> float:
    from django.db import connection, transaction

    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE bare (LIKE pre_generated_tickets INCLUDING ALL)")
        started = time.perf_counter()
        for first in range(0, len(rows), CHUNK):
            with transaction.atomic(), cursor.copy("COPY bare FROM STDIN") as copy:
                for row in rows[first : first + CHUNK]:
                    copy.write_row(row)
    return time.perf_counter() - started


STEPS: dict[str, Callable[..., None]] = {"plan": plan, "work": work, "purge": purge, "bare": bare}


def peak_memory() -> float:
    """Return the peak resident memory of this process in megabytes."""
    kilobytes = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())
    return int(kilobytes.group(1)) / 1024 if kilobytes else 0.0


def step(name: str, *arguments: str) -> None:
    import django

    django.setup()
    from shiolplus.cli import configure_console_logging

    configure_console_logging(0)
    STEPS[name](*arguments)


# Measurements


@contextmanager
def database(vendor: str) -> Iterator[str]:
    """Create a folder and an empty database, and set the environment for them."""
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="shiol-bench-"))
        os.environ["SHIOL_VAR"] = folder
        os.environ.pop("DATABASE_URL", None)
        if vendor == "PostgreSQL":
            os.environ["DATABASE_URL"] = stack.enter_context(postgres_server()).url
        yield folder


def start(*arguments: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "tests.benchmarks.large", "step", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def end(process: "subprocess.Popen[str]") -> dict[str, float]:
    """Return the output of a step. Exit if it failed."""
    said = process.communicate()[0]
    if process.returncode:
        sys.exit(f"a step failed with {process.returncode}")
    return dict(json.loads(said or "{}"))


def memory(vendor: str) -> None:
    """Measure time and peak memory of a million tickets of one mode, compared with a plain insert."""
    with database(vendor):
        end(start("plan", str(TICKETS), "random_forest"))
        made, plain, purged = (end(start(name)) for name in ("work", "bare", "purge"))
    print(
        f"{vendor}: {made['tickets']:,} tickets sampled and stored in {made['seconds']:.1f} s "
        f"({made['tickets'] / made['seconds']:,.0f}/s), peak memory {made['memory']:.0f} MB; "
        f"{made['seconds'] / plain['seconds']:.2f} times a bare insert of the same rows "
        f"({plain['seconds']:.1f} s)\n"
        f"{vendor}: purged in {purged['seconds']:.1f} s ({purged['tickets'] / purged['seconds']:,.0f}/s), "
        f"pauses for others included, peak memory {purged['memory']:.0f} MB",
        flush=True,
    )


def workers(vendor: str) -> None:
    """Compare two workers with one on four modes."""
    taken = []
    for count in (1, 2):
        with database(vendor):
            end(start("plan", str(TICKETS // len(MODES)), *MODES))
            started = time.perf_counter()
            for process in [start("work") for _ in range(count)]:
                end(process)
            taken.append(time.perf_counter() - started)
    one, two = taken
    print(
        f"{vendor}: {len(MODES)} modes of {TICKETS // len(MODES):,}: one worker {one:.1f} s, "
        f"two {two:.1f} s, {one / two:.2f} times as fast",
        flush=True,
    )


def serving(vendor: str) -> None:
    """GET cached tickets at a fixed rate: idle, during generation, and during a purge."""
    os.environ["GUNICORN_CMD_ARGS"] = "--threads 4"  # as in `make serve`
    with database(vendor) as folder:
        end(start("plan", str(TICKETS), "random_forest"))
        with web_server(folder, PORT):
            _load_for(3)  # warm-up
            for what, name in (("idle", None), ("while made", "work"), ("while purged", "purge")):
                idle = _load_for(IDLE_SECONDS) if name is None else _load_during(name)
                print(f"{vendor}: {RATE} requests/s {what:12} {idle}", flush=True)
            print(f"{vendor}: {RATE} requests/s {'idle again':12} {_load_for(IDLE_SECONDS)}", flush=True)


def _load_for(seconds: float) -> Latency:
    until = time.monotonic() + seconds
    return steady_load(PORT, CACHED, RATE, lambda: time.monotonic() < until)


def _load_during(name: str) -> Latency:
    process = start(name)
    latency = steady_load(PORT, CACHED, RATE, lambda: process.poll() is None)
    end(process)
    return latency


PARTS: dict[str, Callable[[str], None]] = {"memory": memory, "workers": workers, "serving": serving}


def main(parts: list[str]) -> None:
    os.environ |= {"DJANGO_SETTINGS_MODULE": "shiolplus.settings", "SHIOL_SECRET_KEY": "only-for-benchmarks"}
    vendors = ["SQLite", "PostgreSQL"] if program("initdb") and program("pg_ctl") else ["SQLite"]
    for name in parts or list(PARTS):
        for vendor in vendors:
            if (name, vendor) != ("workers", "SQLite"):  # SQLite's writers take turns anyway
                print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
                PARTS[name](vendor)


if __name__ == "__main__":
    if sys.argv[1:2] == ["step"]:
        step(*sys.argv[2:])
    else:
        main(sys.argv[1:])
