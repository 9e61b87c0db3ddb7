"""Each log line says what it belongs to, on the console and in the file."""

import logging
import re
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client

from predictions.log_ids import current_ids, log_ids
from tests.factories import WEDNESDAY, make_prediction
from tests.processes import environment
from tickets.batch_generator import BatchTicketGenerator
from tickets.models import TicketBatch

LOG_FILE = Path(settings.VAR) / "logs" / "shiol.log"


def lines_with(text: str) -> list[str]:
    return [line for line in LOG_FILE.read_text().splitlines() if text in line]


def test_ids_nest_and_end_with_their_block() -> None:
    with log_ids(run="r"):
        with log_ids(batch=5):
            assert current_ids() == {"run": "r", "batch": "5"}
        assert current_ids() == {"run": "r"}
    assert current_ids() == {}


@pytest.mark.django_db
def test_the_lines_of_a_batch_carry_its_run_and_its_number() -> None:
    make_prediction()
    BatchTicketGenerator(5, ["random_forest"]).generate_batch("logged-run", False, WEDNESDAY)

    batch = TicketBatch.objects.get()
    (line,) = lines_with(f"batch {batch.pk} of random_forest is ready")[-1:]
    assert f" INFO    tickets.batches [run=logged-run batch={batch.pk}]: " in line


@pytest.mark.django_db
def test_the_lines_of_a_request_carry_the_id_of_its_answer(client: Client) -> None:
    response = client.get("/api/v1/tickets/cached?limit=0")

    assert lines_with(f"[request={response['X-Request-ID']}]: Bad Request: /api/v1/tickets/cached")


@pytest.mark.parametrize("given", ["trace-1234", "a" * 64, "4bf92f35.77b3_4da6-A3ce"])
def test_a_well_formed_id_that_comes_with_a_request_is_kept(given: str, client: Client) -> None:
    response = client.get("/api/v1/tickets/cached?limit=0", headers={"x-request-id": given})

    assert (response["X-Request-ID"], response.json()["request_id"]) == (given, given)
    assert lines_with(f"[request={given}]: Bad Request: /api/v1/tickets/cached")


@pytest.mark.parametrize(
    "given", ["short", "a" * 65, "trace 1234", "trace-1234\n", "träce-1234", "a,b,c,d,e,f", ""]
)
def test_an_id_that_is_not_well_formed_is_replaced(given: str, client: Client) -> None:
    response = client.get("/api/v1/tickets/cached?limit=0", headers={"x-request-id": given})

    assert re.fullmatch("[0-9a-f]{32}", response["X-Request-ID"])


def test_several_processes_write_whole_lines_into_a_file_that_rotates(tmp_path: Path) -> None:
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


def test_levels_are_those_of_the_specification() -> None:
    assert logging.getLogger("tickets.store").getEffectiveLevel() == logging.INFO
    assert logging.getLogger("some.library").getEffectiveLevel() == logging.WARNING
