"""Servers started by tests end with the test process, even if it is killed."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from django.conf import settings

from tests.processes import children_of, needs_program, wait_until

SERVERS = {
    "PostgreSQL": "from tests.postgres_server import postgres_server as server; start = server()",
    "Redis": "from tests.redis_server import redis_server as server; start = server(folder)",
    "cluster": "from tests.processes import cluster; start = cluster('heavy', folder / 'log')",
    "web server": "from tests.processes import web_server; start = web_server(folder / 'log')",
}
PARENT = """
import sys, time
from pathlib import Path
import django
django.setup()
folder = Path(sys.argv[1])
{start}
with start:
    print("started", flush=True)
    time.sleep(600)
"""


@pytest.mark.parametrize("name", SERVERS)
def test_server_ends_when_its_test_process_is_killed(name: str, tmp_path: Path) -> None:
    from tests.processes import dies_with_parent

    needs_program(dies_with_parent(), "setpriv")
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT.format(start=SERVERS[name]), str(tmp_path)],
        cwd=settings.BASE_DIR,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert parent.stdout is not None
        if not parent.stdout.readline():
            pytest.skip(f"{name} is not installed")
        time.sleep(1)
        servers = children_of(parent.pid)
        assert servers
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait()

    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in servers), 30, "the end of the server")
