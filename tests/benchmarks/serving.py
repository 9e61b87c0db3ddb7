"""`make bench-serving`: requests a second of one gunicorn worker, at 1,000 and at 1,000,000 stored tickets.

The load program (wrk, 16 connections) shares the machine with the server. Prints, asserts nothing.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SIZES = (1_000, 1_000_000)
SECONDS = 5
PORT = 8397
CACHED = "/api/v1/tickets/cached?mode=random_forest&limit=10"
STATUS = "/api/v1/tickets/batch-status"


@contextmanager
def web_server(folder: str) -> Iterator[int]:
    """The process number of a gunicorn with one worker, whose database is in `folder`."""
    process = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "shiolplus.wsgi", "--bind", f"127.0.0.1:{PORT}"],
        env=os.environ | {"SHIOL_VAR": folder},
        stderr=subprocess.DEVNULL,
    )
    try:
        time.sleep(3)
        yield process.pid
    finally:
        process.terminate()
        process.wait()


def load(path: str) -> tuple[float, str, str, str]:
    """Requests a second, p50, p99 and errors of a few seconds' load."""
    command = ["wrk", "-t1", "-c16", f"-d{SECONDS}s", "--latency", f"http://127.0.0.1:{PORT}{path}"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout

    def found(pattern: str) -> str:
        match = re.search(pattern, text)
        return match.group(1) if match else ""

    return (
        float(found(r"Requests/sec:\s+(\S+)")),
        found(r"50%\s+(\S+)"),
        found(r"99%\s+(\S+)"),
        found(r"(Non-2xx.*)"),
    )


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
        "from predictions.draws import upcoming_draw\n"
        "from tests.factories import make_prediction\n"
        "from tickets.batch_generator import BatchTicketGenerator\n"
        "make_prediction(draw_date=upcoming_draw())\n"
        f"BatchTicketGenerator({tickets}, ['random_forest']).generate_batch(async_mode=False)\n"
    )
    subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"SHIOL_VAR": folder},
        check=True,
        stderr=subprocess.DEVNULL,
    )


def main() -> None:
    if not shutil.which("wrk"):
        sys.exit("wrk is not installed; `apt-get install wrk`")
    os.environ |= {"DJANGO_SETTINGS_MODULE": "shiolplus.settings", "SHIOL_SECRET_KEY": "only-for-benchmarks"}
    os.environ.pop("DATABASE_URL", None)
    first: dict[str, float] = {}
    for tickets in SIZES:
        with tempfile.TemporaryDirectory(prefix="shiol-bench-") as folder:
            fill(folder, tickets)
            with web_server(folder) as arbiter:
                load(CACHED)
                early = worker_memory(arbiter)
                for name, path in (("cached, limit 10", CACHED), ("batch-status", STATUS)):
                    rate, p50, p99, errors = load(path)
                    ratio = first.setdefault(name, rate) / rate
                    print(
                        f"{name:18} {tickets:>9,} tickets  {rate:7,.0f} requests/s  "
                        f"p50 {p50:>8}  p99 {p99:>8}  {ratio:.2f} times the time at {SIZES[0]:,}  {errors}",
                        flush=True,
                    )
                late = worker_memory(arbiter)
                print(f"{'worker memory':18} {tickets:>9,} tickets  {early:.0f} MB, later {late:.0f} MB")


if __name__ == "__main__":
    main()
