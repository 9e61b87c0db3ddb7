"""`make screenshots`: take the README's pictures of the dashboard with the demo's data.

The pictures show a copy of var/ from `make demo` with invented draws since the bundled ones, invented claims
of two days, and running clusters.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FOLDER = Path("docs/images")
# Name, width, height, dark mode, and the element at the top.
PICTURES = (
    ("dashboard-wide.png", 1280, 1000, False, "#header"),
    ("dashboard-narrow.png", 360, 1500, False, "#header"),
    ("dashboard-dark.png", 1280, 1000, True, ".chart-grid"),
)
MOST_BYTES = 200_000


def take_pictures(var: Path) -> None:
    """Migrate and complete the copy, serve it and save screenshots."""
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "shiolplus.settings",
        "SHIOL_VAR": str(var),
        "SHIOL_DRAWS_SOURCE": "none",
    }
    os.environ.pop("DATABASE_URL", None)
    import django

    django.setup()
    from django.core.management import call_command

    from tests.browser.chromium import chromium
    from tests.processes import web_server
    from tests.staff import client_of

    call_command("migrate", verbosity=0)
    add_recent_draws()
    add_recent_claims()
    staff = client_of("screenshots", is_superuser=True)
    with (
        running_clusters(var / "clusters.log"),
        web_server(var / "web.log") as (_, port),
        chromium(var) as browser,
    ):
        browser.reset(f"http://127.0.0.1:{port}")
        browser.log_in(staff)
        for name, width, height, dark, top in PICTURES:
            browser.screen(width, height, dark=dark)
            browser.open("/admin/dashboard/")
            browser.wait(lambda: browser.run("return !document.getElementById('pause').hidden"), "the script")
            browser.run("document.querySelector(arguments[0]).scrollIntoView()", top)
            browser.driver.save_screenshot(str(FOLDER / name))


def add_recent_draws() -> None:
    """Store invented draws from the newest stored one until now, so that no draw is missing."""
    from django.utils import timezone

    from predictions.distributions.components import uniform_component
    from predictions.distributions.sampling import generator_for, sample
    from predictions.draws.sources import missing_draws
    from predictions.powerball import last_draw
    from tests.factories import make_draw

    last = last_draw(timezone.now())
    newest, *others = sample(uniform_component("uniform"), 200, generator_for(1)).tolist()
    make_draw(last, tuple(newest[:5]), newest[5])
    for draw_date, numbers in zip(missing_draws(), others, strict=False):
        make_draw(draw_date, tuple(numbers[:5]), numbers[5])


def add_recent_claims() -> None:
    """Count invented claims of each mode in the last two days, more of them in the evening."""
    from datetime import timedelta

    from django.utils import timezone

    from predictions.modes.registry import MODE_NAMES
    from tests.factories import count_claims
    from tickets.demand.sales_window import floor_to_hour

    now = floor_to_hour(timezone.now())
    for ago in range(1, 48):
        hour = now - timedelta(hours=ago)
        for rank, mode in enumerate(MODE_NAMES):
            claims = (1 + abs(12 - (hour.hour + 12) % 24)) // (1 + rank)
            if claims:
                count_claims(mode, hour, claims=claims, tickets=3 * claims)


@contextmanager
def running_clusters(log: Path) -> Iterator[None]:
    """Run both clusters until the block ends, and wait for their first heartbeats."""
    from predictions.models import Cluster
    from tests.processes import dies_with_parent, wait_until

    with log.open("wb") as file:
        process = subprocess.Popen(
            [*dies_with_parent(), sys.executable, "manage.py", "run_cluster"], stdout=file, stderr=file
        )
    try:
        alive = Cluster.objects.filter(status=Cluster.Status.RUNNING)
        wait_until(lambda: alive.count() == 2, 120, "two running clusters")
        yield
    finally:
        process.terminate()
        process.wait(60)


def main() -> None:
    source = Path(os.environ.get("SHIOL_VAR", "var"))
    if not (source / "db.sqlite3").is_file():
        raise SystemExit(f"there is no demo in {source}: run `make demo` first")
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="shiol-screenshots-") as folder:
        take_pictures(Path(shutil.copytree(source, Path(folder) / "var")))
    for name, *_ in PICTURES:
        size = (FOLDER / name).stat().st_size
        print(f"{FOLDER / name}: {size:,} bytes")
        if size > MOST_BYTES:
            raise SystemExit(f"{name} is larger than {MOST_BYTES:,} bytes")


if __name__ == "__main__":
    main()
