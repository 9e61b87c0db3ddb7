"""The web server as it is run: gunicorn, in processes of its own."""

import http.client
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.conf import settings

from tests.factories import WEDNESDAY, make_backtest, make_prediction, make_report
from tests.processes import environment, group_of, wait_until
from tests.staff import superuser
from tickets.batch_generator import BatchTicketGenerator

pytestmark = pytest.mark.django_db(transaction=True)


@contextmanager
def web_server(log: Path) -> Iterator[tuple[int, int]]:
    """(process group, port) of a gunicorn with one worker on the test database."""
    with socket.socket() as listener, log.open("ab") as output:
        listener.bind(("127.0.0.1", 0))
        process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "shiolplus.wsgi", "--bind", f"fd://{listener.fileno()}"],
            cwd=settings.BASE_DIR,
            env=environment(),
            pass_fds=[listener.fileno()],
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            wait_until(lambda: b"Booting worker" in log.read_bytes(), 30, "a worker")
            yield process.pid, listener.getsockname()[1]
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(15)


def get(port: int, path: str, session: str = "") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", path, headers={"Cookie": f"sessionid={session}"} if session else {})
    response = connection.getresponse()
    return response.status, response.read()


def test_the_web_process_never_loads_the_libraries_that_models_need(tmp_path: Path) -> None:
    make_prediction()
    report, backtest = make_report(), make_backtest({"v1": (0.001, 0.01)})
    session = superuser().cookies["sessionid"].value
    BatchTicketGenerator(100, ["random_forest"]).generate_batch(async_mode=False, draw_date=WEDNESDAY)

    with web_server(tmp_path / "log") as (group, port):
        status, body = get(port, f"/api/v1/tickets/cached?draw_date={WEDNESDAY}&include_stats=true")
        assert status == 200
        assert b'"count":10' in body
        assert get(port, "/admin/login/")[0] == 200
        status, body = get(port, f"/admin/predictions/randomnessreport/{report.pk}/change/", session)
        assert status == 200
        assert b"chi-square" in body  # the report is shown, and taken elsewhere
        assert b"better" in get(port, f"/admin/predictions/backtest/{backtest.pk}/change/", session)[1]
        assert b"no worse than chance" in get(port, "/api/v1/modes")[1]
        loaded = [Path(f"/proc/{pid}/maps").read_text() for pid in group_of(group)]

    assert len(loaded) == 2  # the arbiter and its worker
    assert any("/numpy/" in maps for maps in loaded)  # what is loaded would be seen
    for maps in loaded:
        assert not any(f"/{name}/" in maps for name in ("sklearn", "scipy", "tensorflow", "h5py", "xgboost"))
