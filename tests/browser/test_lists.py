"""Browser tests: upload draws and export lists."""

import csv
import json
from datetime import date
from pathlib import Path

import pytest

from predictions.models import Draw
from tests.browser.chromium import Chromium
from tests.factories import draw_on_sale, make_draw, some_tickets
from tests.staff import superuser
from tickets.models import PreGeneratedTicket
from tickets.store import insert_batch_tickets

TICKETS = "/admin/tickets/pregeneratedticket/"


@pytest.mark.parametrize("form", ["CSV, for spreadsheets", "JSON Lines, exact, for programs"])
def test_export_contains_the_filtered_rows(browser: Chromium, form: str) -> None:
    insert_batch_tickets(some_tickets(40), "v1", "run-1", draw_on_sale())
    insert_batch_tickets(some_tickets(10, powerball=2), "v2", "run-2", draw_on_sale())
    browser.log_in(superuser())
    browser.open(f"{TICKETS}?mode=v1")
    browser.press("Export")
    browser.choose("format", form)

    browser.find("input[type=submit][value=Export]").click()

    text = browser.wait_for_download().read_text()
    rows = (
        list(csv.DictReader(text.splitlines()))
        if form.startswith("CSV")
        else list(map(json.loads, text.splitlines()))
    )
    stored = PreGeneratedTicket.objects.filter(mode="v1").order_by("id")
    assert [(int(row["id"]), row["mode"], int(row["powerball"])) for row in rows] == [
        (one.pk, "v1", one.powerball) for one in stored
    ]


DRAWS = """Draw Date,Winning Numbers,Multiplier
11/05/2022,28 45 53 56 69 20,3
11/09/2022,07 14 24 30 56 07,2
11/10/2022,01 02 03 04 05 06,2
11/12/2022,16 20 44 57 58 06,
"""


def test_draw_upload_previews_new_changed_and_rejected_rows(browser: Chromium, tmp_path: Path) -> None:
    file = tmp_path / "draws.csv"
    file.write_text(DRAWS)
    make_draw(date(2022, 11, 9), (7, 14, 24, 30, 55), 7)
    browser.log_in(superuser())
    browser.open("/admin/predictions/draw/import/")
    browser.find("input[type=file]").send_keys(str(file))
    browser.find("input[name=overwrite]").click()
    browser.press("Preview")

    assert "draws.csv: 4 read, 2 new, 1 changed, 0 unchanged, 1 rejected" in browser.text()
    assert Draw.objects.count() == 1
    browser.press("Import 3 draws")

    assert "2 new, 1 changed" in browser.text()
    stored = {str(one.draw_date): one.white_balls for one in Draw.objects.all()}
    assert stored == {
        "2022-11-05": [28, 45, 53, 56, 69],
        "2022-11-09": [7, 14, 24, 30, 56],
        "2022-11-12": [16, 20, 44, 57, 58],
    }
