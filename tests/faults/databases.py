"""A migrated database with draws and predictions, created once and copied for each world."""

import os
import shutil
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from itertools import count
from pathlib import Path

import dj_database_url
import psycopg
from django.conf import settings
from django.db import connections
from django.db.utils import load_backend
from django_q.models import Schedule

from predictions.models import PipelineRun
from tests.factories import dealt_component, make_prediction, random_component, tilted_component
from tests.postgres_server import PostgresServer, postgres_server
from tickets.cluster.schedules import sync_schedules

# A past draw, so that no completed pipeline run is taken for a missed one, and later than the bundled draws,
# so that no batch is scored.
DRAW = date(2026, 8, 22)
MODES = ("random_forest", "v1", "v2")


@contextmanager
def connected(url: str) -> Iterator[None]:
    """Connect this thread's models to another database within the block."""
    before = connections["default"]
    connections["default"] = _connection(url)
    try:
        yield
    finally:
        connections["default"].close()
        connections["default"] = before


def _connection(url: str) -> object:
    values = dj_database_url.parse(url)
    if values["ENGINE"].endswith("sqlite3"):
        values["OPTIONS"] = {"transaction_mode": "IMMEDIATE", "timeout": 20}
    complete = connections.configure_settings({"default": values})["default"]
    return load_backend(complete["ENGINE"]).DatabaseWrapper(complete, "default")


class Template(ABC):
    """A database to copy for worlds."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.made = count(1)

    @abstractmethod
    def copy(self) -> str:
        """Create a copy of the database and return its URL."""

    def _fill(self, url: str) -> None:
        for command in ("migrate", "import_draws"):
            subprocess.run(
                [sys.executable, "manage.py", command, "-v", "0", "--skip-checks"],
                cwd=settings.BASE_DIR,
                env=os.environ | {"DATABASE_URL": url, "SHIOL_VAR": str(self.folder / "var")},
                check=True,
            )
        with connected(url):
            make_prediction("random_forest", DRAW)
            halves = [replace(tilted_component("tilted"), share=0.5), dealt_component("deck", share=0.5)]
            make_prediction("v1", DRAW, halves)
            make_prediction("v2", DRAW, [random_component(7)])
            PipelineRun.objects.update(status=PipelineRun.Status.COMPLETED)
            sync_schedules()
            Schedule.objects.update(repeats=0)  # paused: scheduled tasks belong to no scenario


class SqliteTemplate(Template):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self.file = folder / "template.sqlite3"
        self._fill(f"sqlite:///{self.file}")

    def copy(self) -> str:
        file = self.folder / f"world-{next(self.made)}.sqlite3"
        shutil.copy(self.file, file)
        return f"sqlite:///{file}"


class PostgresTemplate(Template):
    def __init__(self, folder: Path, server: PostgresServer) -> None:
        super().__init__(folder)
        self.server = server
        self._fill(self._create("template_world"))

    def copy(self) -> str:
        return self._create(f"world_{next(self.made)}", "TEMPLATE template_world")

    def _create(self, name: str, more: str = "") -> str:
        with psycopg.connect(self.server.url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} {more}")
        return self.server.url.rpartition("/")[0] + f"/{name}"


@contextmanager
def new_template(database: str, folder: Path) -> Iterator[Template]:
    """Create a template on "sqlite", or on "postgresql" with a new server."""
    if database == "sqlite":
        yield SqliteTemplate(folder)
        return
    with postgres_server("fsync=off") as server:
        yield PostgresTemplate(folder, server)
