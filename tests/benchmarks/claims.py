"""`make bench-claims`: claims of 5 tickets by 16 concurrent API clients, on PostgreSQL and on SQLite.

Two gunicorn workers share the machine with the load program (wrk) and the database. Afterwards the tables are
checked for tickets claimed twice and for wrong quotas.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.benchmarks.serving import fill, parse_load, web_server
from tests.postgres_server import postgres_server

CLIENTS, COUNT, SECONDS, STOCK = 16, 5, 10, 200_000
PORT = 8397

# Each request has its own Idempotency-Key and the next client's key.
SCRIPT = """
local keys = { %s }
local number = 0
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '{"mode": "random_forest", "count": %d, "draw_date": "%s"}'
function request()
  number = number + 1
  wrk.headers["Authorization"] = "Api-Key " .. keys[number %% #keys + 1]
  wrk.headers["Idempotency-Key"] = "%s-" .. number
  return wrk.format(nil, "/api/v1/tickets/claims")
end
"""
PREPARE = """
import django; django.setup()
from predictions.draws.sources import upcoming_draw
from tests.factories import make_client, create_key
clients = [make_client(f"client-{number}", daily_quota=1_000_000, rate=1_000_000) for number in range(%d)]
print(upcoming_draw(), *(create_key(client) for client in clients))
"""
VERIFY = """
import django; django.setup()
from collections import Counter
from django.db.models import Count, Sum
from tickets.models import Claim, ClaimHour, QuotaUsage, PreGeneratedTicket
given = Counter(tuple(ticket) for claim in Claim.objects.all() for ticket in claim.numbers)
used = dict(QuotaUsage.objects.values_list("client").annotate(sum=Sum("used")))
claimed = dict(Claim.objects.order_by().values_list("client").annotate(sum=Sum("count")))
marked = PreGeneratedTicket.objects.filter(claim__isnull=False).count()
counted = ClaimHour.objects.aggregate(sum=Sum("tickets"))["sum"]
print(f"{sum(given.values()):,} tickets given, {sum(one > 1 for one in given.values())} twice; "
      f"quotas exact: {used == claimed}; rows marked: {marked:,}; counted by hour: {counted:,}")
"""


def run(script: str, folder: str) -> str:
    """Run a script in a new process and return its output."""
    environment = os.environ | {"SHIOL_VAR": folder}
    done = subprocess.run([sys.executable, "-c", script], env=environment, check=True, capture_output=True)
    return done.stdout.decode().strip()


def measure(database: str, folder: str) -> None:
    fill(folder, STOCK)
    day, *keys = run(PREPARE % CLIENTS, folder).split()
    for attempt in ("to warm up", "measured"):
        script = Path(folder) / "claims.lua"
        script.write_text(SCRIPT % (", ".join(f'"{key}"' for key in keys), COUNT, day, attempt))
        with web_server(folder, PORT, workers=2):
            command = ["wrk", "-t1", f"-c{CLIENTS}", f"-d{SECONDS}s", "--latency", "-s", str(script)]
            text = subprocess.run(
                [*command, f"http://127.0.0.1:{PORT}"], capture_output=True, text=True, check=True
            ).stdout
    rate, p50, p99 = parse_load(text)
    refused = re.search(r"Non-2xx.*", text)
    print(
        f"{database:10} {rate:6.0f} claims/s of {COUNT}   p50 {p50:5.1f} ms   "
        f"p99 {p99:5.1f} ms   {refused[0] if refused else 'none refused'}\n"
        f"           {run(VERIFY, folder)}",
        flush=True,
    )


def main() -> None:
    if not shutil.which("wrk"):
        sys.exit("wrk is not installed; `apt-get install wrk`")
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "shiolplus.settings",
        "SHIOL_SECRET_KEY": "only-for-benchmarks-which-serve-nobody",
    }
    os.environ.pop("DATABASE_URL", None)
    with tempfile.TemporaryDirectory(prefix="shiol-bench-") as folder:
        measure("SQLite", folder)
    with tempfile.TemporaryDirectory(prefix="shiol-bench-") as folder, postgres_server() as server:
        os.environ["DATABASE_URL"] = server.url
        measure("PostgreSQL", folder)


if __name__ == "__main__":
    main()
