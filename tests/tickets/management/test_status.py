"""Tests of `manage.py status`."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from io import StringIO

import pytest
import time_machine
from django.core.management import call_command

from predictions.models import Cluster, PipelineRun
from predictions.modes.registry import MODE_NAMES
from tests.commands import call, manage
from tests.factories import (
    WEDNESDAY,
    make_backtest,
    make_draw,
    make_model,
    make_prediction,
    queued_batch,
    some_tickets,
)
from tickets.models import TicketBatch
from tickets.models.policies import ModePolicy
from tickets.store import insert_batch_tickets

NOW = datetime(2026, 11, 24, 12, 30, tzinfo=UTC)


@pytest.fixture
def _now() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def sound(db: None, _now: None) -> None:
    for queue in ("shiolplus", "heavy"):
        Cluster.objects.create(
            holder=f"host/{queue}",
            queue=queue,
            host="host",
            status="running",
            last_heartbeat_at=NOW - timedelta(seconds=3),
        )
    make_prediction()
    PipelineRun.objects.update(status="completed")
    PipelineRun.objects.create(
        pipeline_run_id="p-1",
        draw_date=WEDNESDAY,
        source="none",
        status="completed",
        started_at=NOW - timedelta(minutes=7),
        finished_at=NOW - timedelta(minutes=5),
    )
    make_draw(date(2026, 11, 23))
    for powerball, mode in enumerate(MODE_NAMES, start=1):
        make_model(mode, active=True)
        insert_batch_tickets(some_tickets(3, powerball), mode, draw_date=WEDNESDAY)


def test_a_sound_system_is_shown_in_one_look_and_is_well(sound: None) -> None:
    make_backtest({"v1": (0.01, 0.001)})
    batch = queued_batch(size=400, generated=100, stored=100, rate=50.0)
    TicketBatch.objects.acquire(batch.pk, "me")

    out, err = call("status")

    lines = [line.rstrip() for line in out.splitlines()]
    assert lines[:6] == [
        "draw     next 2026-11-25 22:59 New York, sales close in 38 h 29 min; "
        "newest draw 2026-11-23, 1 day old",
        "workers  heavy on host: running, last heartbeat 3.0 s ago",
        "         shiolplus on host: running, last heartbeat 3.0 s ago",
        f"workload batch {batch.pk} of random_forest: 100 of 400 tickets, 50/s, 6.0 s left",
        "pipeline completed 5 min 00 s ago after 2 min 00 s",
        "errors   no batch finished in 7 days",
    ]
    (v1,) = [line.split() for line in lines if line.strip().startswith("v1 ")]
    assert v1[:5] == ["v1", "3", "0", "0", "0"]
    assert v1[-5:] == ["2025-12-22", "+0.0100", "(+0.0097", "to", "+0.0103)"]
    assert lines[-1] == "No problems found."
    assert err == ""


def test_diagnostics_come_first_with_hints_and_set_the_exit_code(sound: None) -> None:
    TicketBatch.objects.filter(mode="lstm").update(stored=0)
    ModePolicy.objects.filter(mode="v2").update(paused=True)

    out = StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("status", stdout=out)

    lines = [line.rstrip() for line in out.getvalue().splitlines()]
    assert lines[0] == "error    lstm has no tickets available for the draw of 2026-11-25."
    assert lines[1].startswith("         → No prediction for this draw yet: run `manage.py run_pipeline")
    assert lines[2] == "notice   v2 is paused."
    assert lines[-1] == "1 error, 1 notice found."
    assert ended.value.code == 1
    with pytest.raises(SystemExit):
        call("status", "--json")


def test_programs_get_one_json_document(sound: None) -> None:
    ModePolicy.objects.filter(mode="v2").update(paused=True)

    document = json.loads(call("status", "--json")[0])

    assert list(document) == [
        "state",
        "at",
        "diagnostics",
        "draws",
        "workers",
        "workload",
        "pipeline",
        "modes",
        "claims",
        "scores",
    ]
    assert document["state"] == "well"
    assert [(one["level"], one["code"], one["subject"]) for one in document["diagnostics"]] == [
        ("notice", "paused_mode", "v2")
    ]
    assert document["draws"] == {
        "next": "2026-11-25",
        "drawn_at": "2026-11-26T03:59:00Z",
        "sales_close_at": "2026-11-26T02:59:00Z",
        "newest": "2026-11-23",
        "newest_age_days": 1,
        "missing": 0,
    }
    assert document["pipeline"]["last_finished"]["finished_at"] == "2026-11-24T12:25:00Z"
    assert [mode["mode"] for mode in document["modes"]] == list(MODE_NAMES)
    assert document["modes"][2]["stock"]["available"] == 3
    assert [score["mode"] for score in document["scores"]] == list(MODE_NAMES)


def test_verbosity_0_keeps_the_exit_code(sound: None) -> None:
    assert call("status", "-v", "0") == ("", "")


@pytest.mark.django_db(transaction=True)
def test_status_process_exits_1_with_its_summary_last() -> None:
    ended = manage("status")

    lines = ended.stdout.splitlines()
    assert ended.returncode == 1
    assert lines[0].startswith("error    No cluster generates tickets")
    assert lines[1] == "         → Run `manage.py run_cluster`, or `make serve` for clusters and web server."
    # Their number depends on the time of day.
    assert re.fullmatch(r"\d+ errors, \d+ warnings found\.", lines[-1])
    assert "Traceback" not in ended.stderr
