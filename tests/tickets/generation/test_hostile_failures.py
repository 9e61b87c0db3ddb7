"""A failure is recorded whatever its text contains, and never stops the work after it."""

import logging
import sys
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone

from predictions.draws import download
from predictions.pipeline.runner import accept_run, execute
from predictions.powerball import next_draw
from shiolplus.logs.line_formatter import LineFormatter
from tests.factories import make_prediction
from tests.feed_server import Answer, FeedServer
from tests.shiolplus.logs.test_safe_text import BAD_NAMES, HOSTILE, STORED
from tickets.generation import worker
from tickets.generation.generator import BatchTicketGenerator
from tickets.generation.lifecycle import finish_batch
from tickets.models import GenerationRun, TicketBatch
from tickets.store.insertion import insert_batch_tickets

FORGED = "a\n2026-12-01 00:00:00,000 ERROR   tickets: forged"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("text", [HOSTILE, "x" * 50_000])
def test_a_mode_with_a_hostile_error_does_not_stop_the_next(text: str) -> None:
    day = next_draw(timezone.now())
    for mode in ("random_forest", "lstm"):
        make_prediction(mode, day)

    def break_first(batch: TicketBatch) -> None:
        if batch.mode == "random_forest":
            raise RuntimeError(text)

    result = BatchTicketGenerator(5).generate_batch("hostile", False, day, watch=break_first)

    assert (result["status"], result["modes_processed"], result["modes_failed"]) == (
        "partial",
        ["lstm"],
        ["random_forest"],
    )
    error = TicketBatch.objects.get(mode="random_forest").error
    assert error == f"RuntimeError: {STORED}" or (len(error) == 10_000 and error.endswith("x […]"))
    assert GenerationRun.objects.get().error


@pytest.mark.django_db(transaction=True)
def test_a_defect_while_a_batch_ends_does_not_stop_the_next(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    day = next_draw(timezone.now())
    for mode in ("random_forest", "lstm"):
        make_prediction(mode, day)

    def break_first(batch: TicketBatch, status: str, error: str = "") -> None:
        if batch.mode == "random_forest":
            raise RuntimeError("a defect")
        finish_batch(batch, status, error)

    monkeypatch.setattr(worker, "finish_batch", break_first)

    result = BatchTicketGenerator(5).generate_batch("defect", False, day)

    assert (result["status"], result["modes_processed"], result["modes_failed"]) == ("running", ["lstm"], [])
    batch = TicketBatch.objects.get(mode="random_forest")
    assert (batch.status, batch.stored) == ("running", 5)
    assert batch.token is not None  # retried when the lease expires
    assert f"The outcome of batch {batch.pk} could not be recorded" in caplog.text
    assert "RuntimeError: a defect" in caplog.text


@pytest.mark.django_db(transaction=True)
def test_a_feed_with_nul_in_its_header_ends_its_step_and_its_run(monkeypatch: pytest.MonkeyPatch) -> None:
    body = b"Draw Date,Winning Numbers,Bonus #\0\n11/09/2022,07 14 24 30 56 07,2\n"
    with FeedServer(Answer(body=body)) as server:
        monkeypatch.setitem(download.URLS, "ny", server.url)
        run, _ = accept_run(source="ny", enqueue=False)
        execute(run)

    run.refresh_from_db()
    assert run.status == "failed"
    assert r"Bonus #\x00" in run.error


@pytest.mark.django_db
@pytest.mark.parametrize("name", [*BAD_NAMES, FORGED])
def test_no_way_in_takes_a_bad_run_id(name: Any) -> None:
    calls = (
        lambda: BatchTicketGenerator().generate_batch(name),
        lambda: insert_batch_tickets([], "v1", name),
        lambda: accept_run(source="none", pipeline_run_id=name),
    )
    for call in calls:
        with pytest.raises(ValueError, match=r"pipeline_run_id .*: allowed is a text of 1 to 64 characters"):
            call()
    assert not GenerationRun.objects.exists()


def test_data_forges_no_line_in_the_log_file() -> None:
    try:
        raise ValueError(FORGED)
    except ValueError:
        logging.getLogger("tickets").exception("run %s broke \ud800\x1b", FORGED)

    lines = (Path(settings.VAR) / "logs" / "shiol.log").read_text().splitlines()
    (line,) = [
        line for line in lines if r"run a\n2026-12-01 00:00:00,000 ERROR   tickets: forged broke" in line
    ]
    assert line.endswith(r"broke \ud800\x1b")
    assert not [line for line in lines if line.startswith("2026-12-01 00:00:00,000 ERROR   tickets: forged")]
    assert "    2026-12-01 00:00:00,000 ERROR   tickets: forged" in lines  # from the traceback


def test_every_handler_of_the_settings_escapes() -> None:
    assert settings.LOGGING["formatters"]["console"]["()"] == "shiolplus.logs.line_formatter.LineFormatter"
    record = logging.LogRecord("gunicorn.error", 20, __file__, 1, "a\rb", (), sys.exc_info())
    assert LineFormatter("[%(levelname)s] %(message)s").format(record).startswith(r"[INFO] a\rb")
