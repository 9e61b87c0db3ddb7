"""`make screenshots`: take the README's pictures of the dashboard with the demo's data.

A copy of var/ from `make demo` is served without a cluster, so the pages report none.
"""

import os
import shutil
import tempfile
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
    """Migrate the copy, serve it and save screenshots."""
    os.environ |= {"DJANGO_SETTINGS_MODULE": "shiolplus.settings", "SHIOL_VAR": str(var)}
    os.environ.pop("DATABASE_URL", None)
    import django

    django.setup()
    from django.core.management import call_command

    from tests.browser.chromium import chromium
    from tests.processes import web_server
    from tests.staff import client_of

    call_command("migrate", verbosity=0)
    staff = client_of("screenshots", is_superuser=True)
    with web_server(var / "web.log") as (_, port), chromium(var) as browser:
        browser.reset(f"http://127.0.0.1:{port}")
        browser.log_in(staff)
        for name, width, height, dark, top in PICTURES:
            browser.screen(width, height, dark=dark)
            browser.open("/admin/dashboard/")
            browser.wait(lambda: browser.run("return !document.getElementById('pause').hidden"), "the script")
            browser.run("document.querySelector(arguments[0]).scrollIntoView()", top)
            browser.driver.save_screenshot(str(FOLDER / name))


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
