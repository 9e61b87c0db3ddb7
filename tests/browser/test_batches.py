"""Browser tests: generate, watch, retry, pause and purge batches."""

from pathlib import Path

from django.contrib.auth.models import User
from django.db import transaction

from predictions.models import PipelineRun
from predictions.workqueue import clusters
from tests.browser.chromium import Chromium
from tests.factories import draw_on_sale, make_prediction
from tests.processes import cluster, wait_until
from tests.staff import superuser
from tickets.generation.generator import BatchTicketGenerator
from tickets.generation.worker import run_next_batch
from tickets.models import PreGeneratedTicket, TicketBatch

DASHBOARD = "/admin/dashboard/"
ORDERED = 20_000


def test_batch_is_requested_and_shows_progress_until_ready(browser: Chromium, tmp_path: Path) -> None:
    make_prediction()
    PipelineRun.objects.update(status="completed")
    User.objects.create_superuser("admin", password="correct horse")
    _log_in(browser, "wrong")
    assert "Please enter the correct username and password" in browser.text()
    _log_in(browser, "correct horse")
    _request_batch(browser)
    browser.press("Dashboard")
    browser.run("window.loadedOnce = true")
    assert "1 batch queued" in browser.text()
    TicketBatch.objects.update(chunk_size=200)  # many chunks, so that the browser sees an intermediate state

    with cluster(clusters.DEFAULT, tmp_path / "log"):
        wait_until(lambda: TicketBatch.objects.filter(generated__gt=0).exists(), 30, "the first chunk")
        with transaction.atomic():  # blocks other writers on SQLite
            made = TicketBatch.objects.get().generated
            assert 0 < made < ORDERED
            browser.wait(lambda: f"{made:,} of {ORDERED:,} tickets" in browser.text(), "the progress")
        browser.wait(lambda: "Idle" in browser.find("#now").text, "the end", 40)

    assert f"{ORDERED:,} tickets in " in browser.text()
    assert browser.run("return window.loadedOnce")  # no page was loaded meanwhile
    assert PreGeneratedTicket.objects.count() == ORDERED


def _log_in(browser: Chromium, password: str) -> None:
    """Sign in with the keyboard only; the page focuses its first field."""
    browser.open(DASHBOARD)
    with browser.wait_for_page():
        browser.type("admin", "\t", password, "\n")


def _request_batch(browser: Chromium) -> None:
    draw_date = draw_on_sale()
    browser.open("/admin/tickets/generationrun/generate/")
    _select_only(browser, "random_forest")
    browser.fill("batch_size", str(ORDERED))
    browser.fill("draw_date", draw_date.strftime("%m%d%Y"))
    browser.press("Preview")
    assert f"{ORDERED:,} tickets for the draw of {draw_date}" in browser.text()
    browser.press(f"Generate {ORDERED:,} tickets")
    assert f"enqueued: {ORDERED:,} tickets of random_forest" in browser.text()


def test_tickets_are_purged_only_after_confirmation(browser: Chromium) -> None:
    draw_date = draw_on_sale()
    make_prediction(draw_date=draw_date)
    BatchTicketGenerator(300, ["random_forest"]).generate_batch(async_mode=False, draw_date=draw_date)
    browser.log_in(superuser())
    browser.open("/admin/tickets/ticketbatch/")
    browser.find("input.action-select").click()
    browser.choose("action", "Purge the tickets of the selected batches")
    browser.press("Go")

    assert "300 tickets will be deleted" in browser.text()
    browser.press("Cancel")
    assert PreGeneratedTicket.objects.count() == 300
    browser.driver.back()
    browser.press("Delete 300 tickets")

    assert "300 tickets purged." in browser.text()
    assert not PreGeneratedTicket.objects.exists()


def test_failed_batch_is_retried_and_mode_paused_and_regenerated(browser: Chromium) -> None:
    draw_date = draw_on_sale()
    BatchTicketGenerator(100, ["random_forest"]).generate_batch(draw_date=draw_date)  # no prediction
    make_prediction(draw_date=draw_date)
    browser.log_in(superuser())
    browser.open("/admin/tickets/ticketbatch/?status__exact=failed")
    browser.press("Retry failed batches")
    assert "1 batch will be queued again." in browser.text()
    assert TicketBatch.objects.get().status == "failed"
    browser.press("Retry 1 batch")
    assert "1 batch queued again" in browser.text()
    old = run_next_batch()

    browser.open("/admin/tickets/modepolicy/")
    browser.press("Pause modes")
    _select_only(browser, "random_forest")
    browser.press("Preview")
    browser.press("Pause random_forest")
    browser.open(DASHBOARD)
    assert "random_forest paused" in browser.find("#modes").text
    browser.open("/admin/tickets/modepolicy/")
    browser.press("Resume modes")
    _select_only(browser, "random_forest")
    browser.press("Preview")
    browser.press("Resume random_forest")

    browser.open("/admin/tickets/generationrun/")
    browser.press("Regenerate a mode")
    browser.choose("mode", "random_forest")
    browser.fill("draw_date", draw_date.strftime("%m%d%Y"))
    browser.press("Preview")
    browser.press("Generate 100 tickets")
    new = TicketBatch.objects.latest("id")

    assert (new.status, new.replaces) == ("queued", [old])
    assert PreGeneratedTicket.objects.filter(batch=old).count() == 100  # until the new tickets are ready


def _select_only(browser: Chromium, *modes: str) -> None:
    for box in browser.all("input[name=modes]"):
        if box.is_selected() != (box.get_attribute("value") in modes):
            box.click()
