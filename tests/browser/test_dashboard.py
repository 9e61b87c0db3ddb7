"""The dashboard's refresh in a browser."""

from tests.browser.chromium import Chromium
from tests.factories import draw_on_sale, make_prediction
from tests.staff import superuser
from tickets.generation.generator import BatchTicketGenerator

OPEN_TABLE = "document.querySelector('#table-tickets').open = true"


def test_a_refresh_replaces_a_chart_and_leaves_its_table_open(browser: Chromium) -> None:
    make_prediction()
    generator = BatchTicketGenerator(20, ["random_forest"], auto_cleanup=False)
    browser.log_in(superuser())
    browser.open("/admin/dashboard/")
    assert "No batches finished on these days." in browser.find("#tickets-chart").text

    generator.generate_batch(async_mode=False, draw_date=draw_on_sale())
    refresh(browser)
    browser.wait(lambda: browser.all("#tickets-chart .bar.style-1"), "the chart")
    browser.run(OPEN_TABLE)
    generator.generate_batch(async_mode=False, draw_date=draw_on_sale())
    refresh(browser)

    browser.wait(lambda: " 40 " in browser.find("#tickets-chart").text, "the table, still open")
    assert browser.console_messages() == []


def refresh(browser: Chromium) -> None:
    for _ in ("pause", "resume"):
        browser.find("#pause").click()
