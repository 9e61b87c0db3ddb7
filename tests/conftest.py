"""Test settings: a temporary `var/` and a SQLite file in it.

Set before Django reads its settings, so that no test can reach the project's own files.
"""

import logging
import os
import shutil
import tempfile
from collections.abc import Generator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from django.test import Client

VAR = Path(tempfile.mkdtemp(prefix="shiol-tests-"))
os.environ |= {
    "DJANGO_SETTINGS_MODULE": "shiolplus.settings",
    "SHIOL_VAR": str(VAR),
    "SHIOL_SECRET_KEY": "tests-Jq3vTn8wXc2yLr6zBk5mHd9sFg4p",
    # On SQLite, the thread that renews a lease would wait for a test's long transaction.
    "SHIOL_LEASE_SECONDS": "300",
}
SETTINGS = (
    *("DEBUG", "WORKERS", "ALLOWED_HOSTS", "DRAWS_SOURCE", "DB_POOL", "CLAIM_KEEP_DAYS", "SALES_CUTOFF"),
    *("ANONYMOUS_RATE", "ANSWER_SECONDS", "HTTPS", "TRUSTED_PROXIES", "METRICS_FROM", "LOG_FORMAT"),
)
for name in ("CACHE_URL", "WEB_CONCURRENCY", *(f"SHIOL_{setting}" for setting in SETTINGS)):
    os.environ.pop(name, None)
ON_GIVEN_DATABASE = bool(os.environ.get("SHIOL_TESTS_ON_GIVEN_DATABASE"))  # run by a test of this suite
if not ON_GIVEN_DATABASE:
    os.environ.pop("DATABASE_URL", None)

import pytest  # noqa: E402
import time_machine  # noqa: E402
from django.apps import apps  # noqa: E402
from django.conf import LazySettings, settings  # noqa: E402
from django.db.models.signals import post_migrate  # noqa: E402

from shiolplus.cli import APPS  # noqa: E402


def pytest_configure() -> None:
    assert VAR.resolve() == settings.VAR, "unset DJANGO_SETTINGS_MODULE: settings were read before this file"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes() -> None:
    """Let each worker create its own environment."""
    for name in ("DJANGO_SETTINGS_MODULE", "SHIOL_VAR"):
        os.environ.pop(name, None)


def pytest_report_header() -> str:
    return f"database: {settings.DATABASES['default']['ENGINE']}"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Run the longest test first, to keep all cores busy. On a given database, run only tests that use it."""
    items.sort(key=lambda item: not item.nodeid.startswith("tests/test_postgres.py"))
    if ON_GIVEN_DATABASE:
        config.hook.pytest_deselected(items=[item for item in items if not uses_database(item)])
        items[:] = filter(uses_database, items)


def uses_database(item: pytest.Item) -> bool:
    """Return whether pytest-django lets a test use its database. Browser tests do not depend on its type."""
    if item.nodeid.startswith("tests/browser/"):
        return False
    fixtures = getattr(item, "fixturenames", [])
    return bool(item.get_closest_marker("django_db") or {"db", "transactional_db"} & set(fixtures))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Escape lone surrogates in captured output: parallel workers send their reports as UTF-8."""
    report = yield
    report.sections = [
        (title, text.encode(errors="backslashreplace").decode()) for title, text in report.sections
    ]
    return report


def pytest_unconfigure() -> None:
    shutil.rmtree(VAR, ignore_errors=True)


@pytest.fixture(scope="session", autouse=True)
def _restore_policies() -> None:
    """Restore the policies from the migration after a transactional test has emptied all tables."""
    post_migrate.connect(make_policies, sender=apps.get_app_config("tickets"))


def make_policies(**kwargs: object) -> None:
    """Create the policy per mode that the migration creates."""
    from predictions.modes.registry import MODE_NAMES
    from tickets.models.policies import ModePolicy

    for mode in MODE_NAMES:
        ModePolicy.objects.get_or_create(mode=mode)


@pytest.fixture
def real_draws(db: None) -> None:
    """Store the 1,879 draws of New York's file, through 2025-12-22, with its six gaps."""
    from predictions.draws import feeds
    from predictions.draws.bundled import BUNDLED_FILES
    from predictions.draws.sources import import_rows

    import_rows(feeds.read(feeds.decode(BUNDLED_FILES[0].read_bytes()), "bundled"), "bundled")


@pytest.fixture
def admin() -> "Client":
    """Return a client logged in as a superuser."""
    from tests.staff import superuser

    return superuser()


@pytest.fixture(autouse=True)
def _clear_demand_models() -> None:
    """Clear the demand models, which a process computes once from past sales."""
    from tickets.demand.inventory import fit_models

    fit_models.cache_clear()


@pytest.fixture
def on_tuesday() -> Iterator[None]:
    """Start the clock of this process at noon (UTC) of the day before factories.WEDNESDAY."""
    with time_machine.travel(datetime(2026, 11, 24, 12, tzinfo=UTC)):
        yield


@pytest.fixture
def small_models(settings: LazySettings) -> None:
    """Use real but much smaller models."""
    small = {"random_forest": {"trees": 4}, "lstm": {"units": 4, "epochs": 1}, "v2": {"rounds": 5}}
    settings.MODE_PARAMETERS = {**settings.MODE_PARAMETERS, **small}


@pytest.fixture(autouse=True)
def _log_levels() -> Iterator[None]:
    """Restore the log levels that commands change."""
    changed = [*(logging.getLogger(name) for name in APPS), *logging.getLogger().handlers]
    before = [one.level for one in changed]
    yield
    for one, level in zip(changed, before, strict=True):
        one.setLevel(level)
