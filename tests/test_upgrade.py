"""Upgrade of a database from version 0.1.

`data/version-0.1.sql` was written by that version: a viewer and an operator, a pinned model, a backtest, a
claim, a ready batch, and a queued batch with its task.
"""

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from django.conf import settings

from tests.processes import dies_with_parent, wait_until

DUMP = settings.BASE_DIR / "tests" / "data" / "version-0.1.sql"
# Data signed by that version can be read only with its secret key.
SECRET_KEY = "only-for-checks-which-serve-nobody"
PASSWORD = "previous-version"

VISIT = f"""
import json, sys
import django
django.setup()
from django.contrib.auth.models import User
from django.test import Client

name = sys.argv[1]
client = Client(SERVER_NAME="localhost")
client.post("/admin/login/", {{"username": name, "password": "{PASSWORD}"}})
pages = [
    "/admin/dashboard/", "/admin/predictions/trainedmodel/", "/admin/predictions/backtest/",
    "/admin/predictions/cluster/", "/admin/tickets/ticketbatch/", "/admin/tickets/claim/",
    "/admin/tickets/claimhour/", "/admin/predictions/draw/import/",
]
print(json.dumps({{
    "statuses": {{page: client.get(page).status_code for page in pages}},
    "permissions": sorted(User.objects.get(username=name).get_all_permissions()),
}}))
"""


@pytest.fixture(scope="module")
def upgraded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return the environment of a migrated installation of version 0.1."""
    folder = tmp_path_factory.mktemp("var")
    with closing(sqlite3.connect(folder / "db.sqlite3")) as database:
        database.executescript(DUMP.read_text())
    environment = os.environ | {
        "SHIOL_VAR": str(folder),
        "DATABASE_URL": f"sqlite:///{folder / 'db.sqlite3'}",
        "SHIOL_SECRET_KEY": SECRET_KEY,
        "DJANGO_SETTINGS_MODULE": "shiolplus.settings",
    }
    run(environment, "manage.py", "migrate", "-v", "0")
    return environment


def run(environment: dict[str, str], *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments], cwd=settings.BASE_DIR, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def rows(environment: dict[str, str], query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(Path(environment["SHIOL_VAR"], "db.sqlite3"))) as database:
        return database.execute(query).fetchall()


@pytest.mark.parametrize(("name", "can_import"), [("viewer", False), ("operator", True)])
def test_staff_sign_in_and_keep_their_permissions(
    name: str, can_import: bool, upgraded: dict[str, str]
) -> None:
    visit = json.loads(run(upgraded, "-c", VISIT, name))

    import_page = visit["statuses"].pop("/admin/predictions/draw/import/")
    assert import_page == (200 if can_import else 403)
    assert set(visit["statuses"].values()) == {200}
    assert {"predictions.view_backtestfold", "tickets.view_quotausage"} <= set(visit["permissions"])
    assert not [permission for permission in visit["permissions"] if "stretch" in permission]


def test_rows_keep_their_values_under_the_new_names(upgraded: dict[str, str]) -> None:
    assert rows(upgraded, "SELECT count(*) FROM predictions_trainedmodel WHERE pinned AND active") == [(1,)]
    assert rows(upgraded, "SELECT used FROM tickets_quotausage") == [(2,)]
    assert rows(upgraded, "SELECT slot, short FROM tickets_claimhour") == [(3, 4)]
    assert rows(upgraded, "SELECT count(*) > 0 FROM predictions_backtestfold") == [(1,)]
    assert rows(upgraded, "SELECT last_heartbeat_at FROM predictions_cluster") == [("2026-11-24 12:00:00",)]


@contextmanager
def cluster_of(environment: dict[str, str]) -> Iterator[None]:
    process = subprocess.Popen(
        [*dies_with_parent(), sys.executable, "manage.py", "run_cluster"],
        cwd=settings.BASE_DIR,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait(60)


def test_task_queued_before_upgrade_is_executed(upgraded: dict[str, str]) -> None:
    query = "SELECT status, stored FROM tickets_ticketbatch ORDER BY id"
    assert rows(upgraded, query) == [("ready", 5), ("queued", 0)]

    with cluster_of(upgraded):
        wait_until(lambda: rows(upgraded, query)[1] == ("ready", 5), 60, "the queued batch")

    functions = rows(upgraded, "SELECT func FROM django_q_task WHERE success AND name LIKE 'generate%'")
    assert functions == [] or {str(function) for (function,) in functions} == {
        "tickets.tasks.generate_ticket_batch"
    }
