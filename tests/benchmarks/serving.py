"""`make bench-serving`: requests per second of gunicorn, with few and with ten million stored tickets.

The load program (wrk, 16 connections) shares the machine with the server. The machine's speed drifts, so an
empty DRF view of the same stack is measured in the same minute: quote the ratio. An argument sets another
number of tickets: `python -m tests.benchmarks.serving 1000000`.
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
SECONDS = 2  # per load; URLs alternate for ROUNDS rounds, and medians are printed
ROUNDS = 5
PORT, EMPTY_PORT, MANY_PORT = 8397, 8398, 8399
EMPTY = "/api/empty"
CACHED = "/api/v1/tickets/cached?mode=random_forest&limit=10"
STATUS = "/api/v1/tickets/batch-status"
# Pin the worker and the load program to different cores. Otherwise the scheduler moves them between cores,
# and each request takes twice as long.
SERVER_CORE, LOAD_CORE = {0}, {1}
MILLISECONDS = {"us": 0.001, "ms": 1.0, "s": 1000.0}


@contextmanager
def web_server(
    folder: str, port: int, application: str = "shiolplus.wsgi", workers: int = 1, **extra: str
) -> Iterator[int]:
    """Run gunicorn on the database in `folder`, without a rate limit. Yield its process id."""
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
    """Pin a process and its children to cores if the system supports it."""
    if hasattr(os, "sched_setaffinity") and cores <= os.sched_getaffinity(0):
        os.sched_setaffinity(process.pid, cores)


class Load(NamedTuple):
    """Requests per second, and latencies in milliseconds."""

    rate: float
    p50: float
    p99: float


def load(address: str, cores: set[int] = LOAD_CORE) -> Load:
    """Load one URL. Exit on any response other than 2xx."""
    command = ["wrk", "-t1", "-c16", f"-d{SECONDS}s", "--latency", f"http://127.0.0.1:{address}"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    pin(process, cores)
    text = process.communicate()[0]
    if errors := re.search(r"Non-2xx.*|Socket errors.*", text):
        sys.exit(f"{address}: {errors[0]}")
    return parse_load(text)


def parse_load(text: str) -> Load:
    """Parse wrk's output."""
    rate = re.search(r"Requests/sec:\s+(\S+)", text)
    p50, p99 = (re.search(rf"{share}%\s+([\d.]+)(us|ms|s)", text) for share in (50, 99))
    if not (rate and p50 and p99):
        sys.exit(f"wrk said something unexpected: {text}")
    return Load(float(rate[1]), *(float(one[1]) * MILLISECONDS[one[2]] for one in (p50, p99)))


def in_turns(addresses: dict[str, str], cores: set[int] = LOAD_CORE) -> dict[str, Load]:
    """Return the median load per URL over all rounds."""
    rounds = [{name: load(address, cores) for name, address in addresses.items()} for _ in range(ROUNDS)]
    return {
        name: Load(*map(statistics.median, zip(*(one[name] for one in rounds), strict=True)))
        for name in addresses
    }


def worker_memory(arbiter: int) -> float:
    """Return the resident megabytes of the only worker."""
    worker = Path(f"/proc/{arbiter}/task/{arbiter}/children").read_text().split()[0]
    kilobytes = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{worker}/status").read_text())
    return int(kilobytes.group(1)) / 1024 if kilobytes else 0.0


def fill(folder: str, tickets: int) -> None:
    """Create a database with this many tickets for the next draw, in a new process."""
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
    """Measure cached responses of one worker, compared with an empty view."""
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
    """Measure uncached responses with few and with many tickets."""
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
    """Yield a folder with a filled database: SHIOL_BENCH_FOLDER, which is reused, or a temporary one."""
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
