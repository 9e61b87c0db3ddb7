"""Fixtures that connect the models to a world's database.

pytest reads this file before Django is ready, so models are imported inside the fixtures.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pytest_django import DjangoDbBlocker

from tests.postgres_server import PostgresServer, postgres_server

if TYPE_CHECKING:
    from tests.faults.databases import Template
    from tests.faults.world import World


@pytest.fixture(scope="session")
def sqlite_template(
    tmp_path_factory: pytest.TempPathFactory, django_db_blocker: DjangoDbBlocker
) -> "Template":
    from tests.faults.databases import SqliteTemplate

    with django_db_blocker.unblock():
        return SqliteTemplate(tmp_path_factory.mktemp("sqlite"))


@pytest.fixture(scope="session")
def server() -> Iterator[PostgresServer]:
    with postgres_server("fsync=off") as server:
        yield server


@pytest.fixture(scope="session")
def postgres_template(
    server: PostgresServer, tmp_path_factory: pytest.TempPathFactory, django_db_blocker: DjangoDbBlocker
) -> "Template":
    from tests.faults.databases import PostgresTemplate

    with django_db_blocker.unblock():
        return PostgresTemplate(tmp_path_factory.mktemp("postgres"), server)


@pytest.fixture(params=["sqlite"])
def world(
    request: pytest.FixtureRequest, tmp_path: Path, django_db_blocker: DjangoDbBlocker
) -> "Iterator[World]":
    """Return a world on SQLite, or on PostgreSQL with the indirect parameter "postgres"."""
    from tests.faults.world import new_world

    template: Template = request.getfixturevalue(f"{request.param}_template")
    with django_db_blocker.unblock(), new_world(template, tmp_path) as world:
        yield world
