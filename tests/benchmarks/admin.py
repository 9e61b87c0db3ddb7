"""`make bench-admin`: print the server's time per list of the admin, with a million tickets in 500 batches.

Measures queries and rendering in this process, without a network. SHIOL_BENCH_FOLDER names a folder with an
existing database, such as that of `make bench-serving`; use a copy, since a user `admin` is added.
"""

import os
import statistics
import sys
import time
from typing import TYPE_CHECKING

from tests.benchmarks.alone import own_database

if TYPE_CHECKING:
    from django.test import Client

TICKETS = 1_000_000
BATCHES = 500
ROUNDS = 7

TICKET_LIST = "/admin/tickets/pregeneratedticket/"
PAGES = [
    "/admin/",
    "/admin/predictions/draw/",
    "/admin/predictions/pipelinerun/",
    "/admin/predictions/prediction/",
    "/admin/predictions/trainedmodel/",
    "/admin/tickets/generationrun/",
    "/admin/tickets/ticketbatch/",
    "/admin/tickets/ticketbatch/?mode__exact=lstm",
    TICKET_LIST,
    f"{TICKET_LIST}?p=2",
    f"{TICKET_LIST}?p=5000",
    f"{TICKET_LIST}?p=10000",
    f"{TICKET_LIST}?mode__exact=random_forest",
    f"{TICKET_LIST}?mode__exact=lstm",
    f"{TICKET_LIST}?mode__exact=v2",
    f"{TICKET_LIST}?mode__exact=random_forest&p=100",
    f"{TICKET_LIST}?draw_date=2026-11-25",
    f"{TICKET_LIST}?draw_date=2026-11-28",
    f"{TICKET_LIST}?created_at__gte=2020-01-01+00:00:00%2B00:00&created_at__lt=2040-01-01+00:00:00%2B00:00",
    f"{TICKET_LIST}?created_at__gte=2020-01-01+00:00:00%2B00:00&created_at__lt=2021-01-01+00:00:00%2B00:00",
    f"{TICKET_LIST}?q=7",
    f"{TICKET_LIST}?q=%2B7",
    f"{TICKET_LIST}?q=5+12",
    f"{TICKET_LIST}?draw_month=2026-11",
    f"{TICKET_LIST}?q=5+12+%2B7",
    f"{TICKET_LIST}?q=60+65+%2B7",
    f"{TICKET_LIST}?q=5+12&mode__exact=lstm",
    f"{TICKET_LIST}?q=5+12+33",
    f"{TICKET_LIST}?q=30+40+50",
    f"{TICKET_LIST}?q=5+12+33+41",
    f"{TICKET_LIST}?q=5+12+33+41+60",
    f"{TICKET_LIST}?q=5+12+33+41+60+%2B7",
    f"{TICKET_LIST}?q=bench",
    f"{TICKET_LIST}?q=small-1",
    f"{TICKET_LIST}export/?mode__exact=lstm",
]


def fill() -> None:
    """Create a big batch of one mode and many small ones of another."""
    from tests.factories import WEDNESDAY, make_prediction
    from tickets.generation.generator import BatchTicketGenerator

    make_prediction()
    make_prediction("lstm")
    BatchTicketGenerator(TICKETS, ["random_forest"], auto_cleanup=False).generate_batch(
        "bench", async_mode=False, draw_date=WEDNESDAY
    )
    for number in range(BATCHES - 1):
        BatchTicketGenerator(10, ["lstm"], auto_cleanup=False).generate_batch(
            f"small-{number}", async_mode=False, draw_date=WEDNESDAY
        )


def milliseconds(browser: "Client", page: str) -> list[float]:
    taken = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        response = browser.get(page)
        taken.append((time.perf_counter() - started) * 1000)
        if response.status_code != 200:
            raise SystemExit(f"{page}: {response.status_code}")
    return taken


def export(browser: "Client") -> None:
    """Export all tickets as JSON Lines."""
    started = time.perf_counter()
    export_response = browser.post(f"{TICKET_LIST}export/", {"format": "jsonl"})
    rows = sum(part.count(b"\n") for part in export_response.streaming_content)  # type: ignore[attr-defined]
    print(f"{rows:,} tickets exported in {time.perf_counter() - started:.0f} s")


def main() -> None:
    kept = os.environ.get("SHIOL_BENCH_FOLDER", "")
    with own_database(kept, SHIOL_ALLOWED_HOSTS="testserver", SHIOL_HTTPS="off"):
        from predictions.draws.sources import import_source

        if not kept:
            import_source("bundled")
            fill()
        measure()


def measure() -> None:
    from django.contrib.auth.models import User

    from tests.staff import superuser

    User.objects.filter(username="admin").delete()
    browser = superuser()
    empty = statistics.median(milliseconds(browser, "/admin/password_change/"))
    print(f"milliseconds a page: median and slowest of {ROUNDS}; a page without rows takes {empty:.0f}")
    for page in PAGES:
        taken = milliseconds(browser, page)
        print(f"{statistics.median(taken):6.0f} {max(taken):6.0f}  {page}", flush=True)
    if "export" in sys.argv:
        export(browser)


if __name__ == "__main__":
    main()
