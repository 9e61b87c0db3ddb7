"""Log lines carry context ids, as text and as JSON."""

import json
import logging
import re
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
import time_machine
from django.conf import settings
from django.test import Client

from shiolplus.logs.context import current_ids, current_request, log_ids
from shiolplus.logs.filters import ContextFilter
from shiolplus.logs.json_formatter import JsonFormatter
from tests.factories import WEDNESDAY, make_prediction
from tests.processes import environment
from tickets.generation.generator import BatchTicketGenerator
from tickets.models import TicketBatch

pytestmark = pytest.mark.usefixtures("on_tuesday")

LOG_FILE = Path(settings.VAR) / "logs" / "shiol.log"


def lines_with(text: str) -> list[str]:
    return [line for line in LOG_FILE.read_text().splitlines() if text in line]


def test_ids_are_nested_and_restored_after_block() -> None:
    with log_ids(run="r"):
        with log_ids(batch=5):
            assert current_ids() == {"run": "r", "batch": "5"}
        assert current_ids() == {"run": "r"}
    assert current_ids() == {}


def test_empty_id_is_ignored() -> None:
    with log_ids(request="trace-1234"), log_ids(request="", run="r"):
        assert current_ids() == {"request": "trace-1234", "run": "r"}
        assert current_request() == "trace-1234"
    assert current_request() == ""


@pytest.mark.django_db
def test_batch_log_lines_contain_run_and_batch_id() -> None:
    make_prediction()
    BatchTicketGenerator(5, ["random_forest"]).generate_batch("logged-run", False, WEDNESDAY)

    batch = TicketBatch.objects.get()
    (line,) = lines_with(f"Batch {batch.pk} (random_forest) ready")[-1:]
    assert f" INFO    tickets.generation.lifecycle [run=logged-run batch={batch.pk}]: " in line


@pytest.mark.django_db
def test_request_log_lines_contain_id_of_response(client: Client) -> None:
    response = client.get("/api/v1/tickets/cached?limit=0")

    assert lines_with(f"[request={response['X-Request-ID']}]: Bad Request: /api/v1/tickets/cached")


@pytest.mark.parametrize("request_id", ["trace-1234", "a" * 64, "4bf92f35.77b3_4da6-A3ce"])
def test_valid_request_id_is_kept(request_id: str, client: Client) -> None:
    response = client.get("/api/v1/tickets/cached?limit=0", headers={"x-request-id": request_id})

    assert (response["X-Request-ID"], response.json()["request_id"]) == (request_id, request_id)
    assert lines_with(f"[request={request_id}]: Bad Request: /api/v1/tickets/cached")


@pytest.mark.parametrize(
    "request_id", ["short", "a" * 65, "trace 1234", "trace-1234\n", "träce-1234", "a,b,c,d,e,f", ""]
)
def test_invalid_request_id_is_replaced(request_id: str, client: Client) -> None:
    response = client.get("/api/v1/tickets/cached?limit=0", headers={"x-request-id": request_id})

    assert re.fullmatch("[0-9a-f]{32}", response["X-Request-ID"])


def test_processes_write_whole_lines_to_rotating_file(tmp_path: Path) -> None:
    import subprocess
    import sys

    script = (
        "import django, logging; django.setup(); from django.conf import settings\n"
        "handler = next(h for h in logging.getLogger().handlers if h.name == 'file')\n"
        "handler.maxBytes = 20_000; handler.backupCount = 100\n"
        "for number in range(300): logging.getLogger('tickets').info('line %d of %s', number, 'x' * 50)"
    )
    env = environment(SHIOL_VAR=str(tmp_path))
    children = [
        subprocess.Popen(
            [sys.executable, "-c", script], cwd=settings.BASE_DIR, env=env, stderr=subprocess.DEVNULL
        )
        for _ in range(3)
    ]
    assert [child.wait(60) for child in children] == [0, 0, 0]

    files = [path for path in (tmp_path / "logs").iterdir() if path.name.startswith("shiol.log")]
    lines = [line for path in files for line in path.read_text().splitlines()]
    assert len(files) > 3
    assert len(lines) == 900
    assert all(line.endswith("x" * 50) for line in lines)


def test_log_levels_match_specification() -> None:
    assert logging.getLogger("tickets.store").getEffectiveLevel() == logging.INFO
    assert logging.getLogger("some.library").getEffectiveLevel() == logging.WARNING


# As JSON


def as_json(message: object, *args: object, **values: object) -> dict[str, str]:
    """Return a record's JSON object, which must be one line."""
    record = logging.LogRecord("tickets.x", logging.ERROR, "x.py", 1, message, args, None)
    vars(record).update(values)
    ContextFilter().filter(record)
    line = JsonFormatter().format(record)
    assert line.isascii()
    assert len(line.splitlines()) == 1
    entry: dict[str, str] = json.loads(line)
    return entry


@time_machine.travel(datetime(2026, 11, 24, 4, 5, 6, 7, tzinfo=UTC), tick=False)
def test_json_line_has_time_level_logger_message_and_ids() -> None:
    with log_ids(request="trace-1234", run="r", batch=5):
        entry = as_json("%d of %s", 3, "v1")

    assert entry == {
        "time": "2026-11-24T04:05:06.000007Z",
        "level": "ERROR",
        "logger": "tickets.x",
        "message": "3 of v1",
        "request": "trace-1234",
        "run": "r",
        "batch": "5",
    }
    assert "request" not in as_json("alone")


def test_exception_is_in_the_same_line() -> None:
    try:
        raise ValueError("first\nsecond")
    except ValueError:
        entry = as_json("it broke", exc_info=sys.exc_info())

    assert entry["message"] == "it broke"
    assert entry["exception"].startswith("Traceback (most recent call last):\n")
    assert entry["exception"].endswith("ValueError: first\nsecond")


@pytest.mark.parametrize(
    ("message", "args", "expected"),
    [
        ('a\nb\r"c"\u2028\x00\x1b[31m', (), 'a\nb\r"c"\u2028\x00\x1b[31m'),
        ("half a pair \ud800", (), r"half a pair \ud800"),
        ("Größe %s", ("∞",), "Größe ∞"),
        ({"a": 1}, (), "{'a': 1}"),
        (None, (), "None"),
        ("%d tickets", ("many",), "%d tickets ('many',)"),
        ("nothing to fill", (1, 2), "nothing to fill (1, 2)"),
        ("%(name)s", ({"other": 1},), "%(name)s {'other': 1}"),
    ],
)
def test_any_record_is_one_line_without_error(
    message: object, args: tuple[object, ...], expected: str
) -> None:
    assert as_json(message, *args)["message"] == expected
