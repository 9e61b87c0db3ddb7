"""`make bench-serving`: requests a second of gunicorn, with few and with ten million stored tickets.

The load program (wrk, 16 connections) shares the machine with the server. Each figure stands beside that of
an empty DRF view of the same stack in the same minute, since the machine's speed drifts: quote the ratio.
`python -m tests.benchmarks.serving 1000000` takes as many tickets instead of ten million.
"""

import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

FEW, MANY = 1_000, 10_000_000
SECONDS = 2  # of load at a time; the addresses take turns, ROUNDS times, and medians are shown
ROUNDS = 5
PORT, EMPTY_PORT, MANY_PORT = 8397, 8398, 8399
EMPTY = "/api/empty"
CACHED = "/api/v1/tickets/cached?mode=random_forest&limit=10"
STATUS = "/api/v1/tickets/batch-status"
# One worker has a core of its own and the load program another. Left to the scheduler they chase each other
# from core to core, and each request takes twice as long.
SERVER_CORE, LOAD_CORE = {0}, {1}
MILLISECONDS = {"us": 0.001, "ms": 1.0, "s": 1000.0}


@contextmanager
def web_server(
    folder: str, port: int, application: str = "shiolplus.wsgi", workers: int = 1, **extra: str
) -> Iterator[int]:
    """The process number of a gunicorn whose database is in `folder`; nobody asks it too often."""
    process = subprocess.Popen(
        [*(sys.executable, "-m", "gunicorn", application), "--bind", f"127.0.0.1:{port}", "-w", str(workers)],
        env=os.environ | {"SHIOL_VAR": folder, "SHIOL_ANONYMOUS_RATE": "10000000"} | extra,
        stderr=subprocess.DEVNULL,
    )
    if workers == 1:
        pin(process, SERVER_CORE)
    try:
        time.sleep(3)
        yield process.pid
    finally:
        process.terminate()
        process.wait()


def pin(process: subprocess.Popen[Any], cores: set[int]) -> None:
    """Keep a process, and those that it starts, on some cores, where the system can and has them."""
    if hasattr(os, "sched_setaffinity") and cores <= os.sched_getaffinity(0):
        os.sched_setaffinity(process.pid, cores)


class Load(NamedTuple):
    """What a few seconds of load came to: requests a second, and milliseconds."""

    rate: float
    p50: float
    p99: float


def load(address: str, cores: set[int] = LOAD_CORE) -> Load:
    """Load one address; whatever is not a 2xx ends the benchmark."""
    command = ["wrk", "-t1", "-c16", f"-d{SECONDS}s", "--latency", f"http://127.0.0.1:{address}"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    pin(process, cores)
    text = process.communicate()[0]
    if errors := re.search(r"Non-2xx.*|Socket errors.*", text):
        sys.exit(f"{address}: {errors[0]}")
    return load_told(text)


def load_told(text: str) -> Load:
    """The load that wrk reports."""
    rate = re.search(r"Requests/sec:\s+(\S+)", text)
    p50, p99 = (re.search(rf"{share}%\s+([\d.]+)(us|ms|s)", text) for share in (50, 99))
    if not (rate and p50 and p99):
        sys.exit(f"wrk said something unexpected: {text}")
    return Load(float(rate[1]), *(float(one[1]) * MILLISECONDS[one[2]] for one in (p50, p99)))


def in_turns(addresses: dict[str, str], cores: set[int] = LOAD_CORE) -> dict[str, Load]:
    """The medians of each address's rounds."""
    rounds = [{name: load(address, cores) for name, address in addresses.items()} for _ in range(ROUNDS)]
    return {
        name: Load(*map(statistics.median, zip(*(one[name] for one in rounds), strict=True)))
        for name in addresses
    }


def worker_memory(arbiter: int) -> float:
    """Resident megabytes of the arbiter's one worker."""
    worker = Path(f"/proc/{arbiter}/task/{arbiter}/children").read_text().split()[0]
    kilobytes = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{worker}/status").read_text())
    return int(kilobytes.group(1)) / 1024 if kilobytes else 0.0


def fill(folder: str, tickets: int) -> None:
    """A database with this many tickets for the next draw, made in a process of its own."""
    script = (
        "import django; django.setup()\n"
        "from django.core.management import call_command\n"
        "call_command('migrate', verbosity=0, skip_checks=True)\n"
        "from predictions.draws.sources import upcoming_draw\n"
        "from tests.factories import make_prediction\n"
        "from tickets.generation.generator import BatchTicketGenerator\n"
        "make_prediction(draw_date=upcoming_draw())\n"
        f"BatchTicketGenerator({tickets}, ['random_forest']).generate_batch(async_mode=False)\n"
    )
    subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"SHIOL_VAR": folder},
        check=True,
        stderr=subprocess.DEVNULL,
    )


def kept(few: str) -> None:
    """One worker, answers kept for a second, beside an empty view."""
    with web_server(few, PORT) as arbiter, web_server(few, EMPTY_PORT, "tests.benchmarks.empty"):
        load(f"{PORT}{CACHED}")
        early = worker_memory(arbiter)
        show(
            "one worker, answers kept",
            in_turns({"empty DRF view": f"{EMPTY_PORT}{EMPTY}", "cached, limit 10": f"{PORT}{CACHED}"}),
        )
        print(f"  worker memory {early:.0f} MB, later {worker_memory(arbiter):.0f} MB")


def two_workers(few: str) -> None:
    with web_server(few, PORT, workers=2):
        anywhere = SERVER_CORE | LOAD_CORE
        show("two workers, answers kept", in_turns({"cached, limit 10": f"{PORT}{CACHED}"}, anywhere))


def by_size(few: str, many: str, tickets: int) -> None:
    """Every answer from the database: what the size of the table costs."""
    fresh = {"SHIOL_ANSWER_SECONDS": "0"}
    with web_server(few, PORT, **fresh), web_server(many, MANY_PORT, **fresh):
        for name, path in (("cached, limit 10", CACHED), ("batch-status", STATUS)):
            few_name, many_name = f"{name}, {FEW:,}", f"{name}, {tickets:,}"
            loads = in_turns({few_name: f"{PORT}{path}", many_name: f"{MANY_PORT}{path}"})
            show("one worker, nothing kept", loads)
            ratio = loads[many_name].p50 / loads[few_name].p50
            print(f"  p50 at {tickets:,} is {ratio:.2f} times that at {FEW:,}")


def show(title: str, loads: dict[str, Load]) -> None:
    print(title)
    first = next(iter(loads.values())).rate
    for name, (rate, p50, p99) in loads.items():
        print(
            f"  {name:28} {rate:7,.0f} requests/s   p50 {p50:5.1f} ms   p99 {p99:5.1f} ms   "
            f"{rate / first:.2f} of the first's",
            flush=True,
        )


def main(tickets: int = MANY) -> None:
    if not shutil.which("wrk"):
        sys.exit("wrk is not installed; `apt-get install wrk`")
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "shiolplus.settings",
        "SHIOL_SECRET_KEY": "only-for-benchmarks-which-serve-nobody",
    }
    os.environ.pop("DATABASE_URL", None)
    with tempfile.TemporaryDirectory(prefix="shiol-bench-") as few:
        fill(few, FEW)
        kept(few)
        two_workers(few)
        with filled(tickets) as many:
            by_size(few, many, tickets)


@contextmanager
def filled(tickets: int) -> Iterator[str]:
    """A folder with a database of so many tickets; SHIOL_BENCH_FOLDER names one that is kept for later."""
    if kept_folder := os.environ.get("SHIOL_BENCH_FOLDER"):
        if not (Path(kept_folder) / "db.sqlite3").exists():
            fill(kept_folder, tickets)
        yield kept_folder
        return
    with tempfile.TemporaryDirectory(prefix="shiol-bench-") as folder:
        fill(folder, tickets)
        yield folder


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
