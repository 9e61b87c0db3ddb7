"""`make bench-dashboard`: print the server's time for pages that are polled, with a million tickets.

The data are 500 batches, three months of hourly claims, forty scored draws and a backtest. Measures queries
and rendering in this process, without a network.
"""

import re
import statistics
from datetime import timedelta
from pathlib import Path

from tests.benchmarks import admin
from tests.benchmarks.admin import ROUNDS, milliseconds
from tests.benchmarks.alone import own_database

PAGES = ["/admin/dashboard/", "/metrics", "/readyz", "/healthz"]
DRAWS = 40  # past draws with sales


def fill() -> None:
    """Create the admin benchmark's data and what else the dashboard reads."""
    from django.utils import timezone

    from predictions.models import Cluster
    from tests.factories import make_backtest
    from tests.tickets.scoring.test_results import score_season

    admin.fill()
    make_backtest({mode: (0.0, 0.1) for mode in ("random_forest", "lstm", "v1", "v2", "hybrid")}, draws=200)
    score_season(draws=DRAWS, tickets=20)
    for queue in ("shiolplus", "heavy"):
        Cluster.objects.create(
            holder=queue, queue=queue, host="bench", status="running", last_heartbeat_at=timezone.now()
        )
    sell(DRAWS)


def sell(draws: int) -> None:
    """Create claims of every mode for each hour before the draws, in all counter rows of an hour."""
    from django.utils import timezone

    from predictions.modes.registry import MODE_NAMES
    from predictions.powerball import draw_instant, last_draw, next_draw
    from tickets.models.claims import COUNTER_SHARDS, ClaimHour

    day, rows = next_draw(timezone.now()), []
    for _ in range(draws):
        end = min(draw_instant(day), timezone.now()).replace(minute=0, second=0, microsecond=0)
        rows += [
            ClaimHour(
                draw_date=day, mode=mode, hour=end - timedelta(hours=hour), shard=shard, claims=5, tickets=20
            )
            for mode in MODE_NAMES
            for hour in range(48)
            for shard in range(COUNTER_SHARDS)
        ]
        day = last_draw(draw_instant(day) - timedelta(seconds=1))
    ClaimHour.objects.bulk_create(rows, batch_size=2000)


def weight(page: bytes) -> int:
    """Return the uncompressed size in bytes of a page with its scripts and style sheets."""
    from django.contrib.staticfiles import finders

    names = re.findall(rb'(?:src|href)="/static/[0-9a-f]+/([^"]+\.(?:js|css|svg))"', page)
    files = [Path(str(finders.find(name.decode()))) for name in sorted(set(names))]
    return len(page) + sum(file.stat().st_size for file in files)


def main() -> None:
    with own_database(SHIOL_ALLOWED_HOSTS="testserver", SHIOL_HTTPS="off"):
        from django.db import connection
        from django.test.utils import CaptureQueriesContext

        from tests.staff import superuser

        fill()
        browser = superuser()
        empty = statistics.median(milliseconds(browser, "/admin/password_change/"))
        print(f"milliseconds: median and slowest of {ROUNDS}; a page without rows takes {empty:.0f}")
        for page in PAGES:
            taken = milliseconds(browser, page)
            with CaptureQueriesContext(connection) as queries:
                response = browser.get(page)
            print(
                f"{statistics.median(taken):6.0f} {max(taken):6.0f}  {page}: {len(queries)} queries, "
                f"{weight(response.content) / 1000:.0f} kB with its files",
                flush=True,
            )


if __name__ == "__main__":
    main()
