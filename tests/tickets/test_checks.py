"""Each system check, with its hint."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.core.checks import CheckMessage, run_checks
from django.db import connection
from django.utils import timezone

from predictions.models import Cluster
from predictions.workqueue.clusters import secret_key_fingerprint
from tests.commands import call
from tests.factories import make_model

Q_CLUSTER = {"name": "q", "workers": 1, "queue_limit": 1, "bulk": 1, "timeout": 120, "retry": 600}


def run_check(identifier: str, databases: list[str] | None = None) -> list[CheckMessage]:
    messages = [
        message for message in run_checks(databases=databases) if message.id == f"shiolplus.{identifier}"
    ]
    assert all(message.hint for message in messages)
    return messages


@contextmanager
def as_somebody_else() -> Iterator[None]:
    """Run as `nobody` if root, who may write anywhere."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_sound_installation_has_no_errors() -> None:
    assert [message for message in run_checks() if message.is_serious()] == []


def test_a_folder_that_cannot_be_written_is_an_error(settings: Any, tmp_path: Path) -> None:
    settings.VAR = tmp_path
    assert run_check("E001") == []
    tmp_path.chmod(0o555)
    with as_somebody_else():
        (message,) = run_check("E001")
    tmp_path.chmod(0o755)
    assert str(tmp_path) in message.msg


@pytest.mark.parametrize(("retry", "errors"), [(369, 1), (370, 0)])
def test_a_queue_that_retries_before_a_task_can_have_ended_is_an_error(
    settings: Any, retry: int, errors: int
) -> None:
    settings.Q_CLUSTER = Q_CLUSTER | {"retry": retry}
    assert len(run_check("E002")) == errors


def test_each_queue_is_checked_with_what_it_takes_from_the_main_one(settings: Any) -> None:
    settings.Q_CLUSTER = Q_CLUSTER | {"ALT_CLUSTERS": {"heavy": {"timeout": 1800, "retry": 5409}}}
    (message,) = run_check("E002")
    assert message.msg == "Queue heavy: retry is 5409 s, but a task may wait and run for 5409 s."


@pytest.mark.parametrize(
    ("changes", "lease", "fault"),
    [
        ({"timeout": 60}, 60, "timeout is 60 s, but a task generates tickets for 60 s before it requeues."),
        ({"timeout": 61}, 60, None),
        ({"retry": 400}, 400, "retry is 400 s, but the lease of a dead worker lasts 400 s"),
        ({"retry": 401}, 400, None),
    ],
)
def test_a_timeout_within_a_slice_and_a_lease_that_outlasts_a_retry_are_errors(
    settings: Any, changes: dict[str, int], lease: int, fault: str | None
) -> None:
    settings.Q_CLUSTER, settings.LEASE_SECONDS = Q_CLUSTER | changes, lease

    faults = [message.msg for message in run_check("E002")]

    assert len(faults) == (fault is not None)
    assert all(message.startswith(f"Queue q: {fault}") for message in faults)


@pytest.mark.parametrize(
    ("debug", "hosts", "warnings"),
    [
        (True, ["localhost", "tickets.example"], 1),
        (False, ["tickets.example"], 0),
        (True, ["localhost", "127.0.0.1", "[::1]"], 0),
    ],
)
def test_a_development_server_s_settings_in_public_are_a_warning(
    settings: Any, debug: bool, hosts: list[str], warnings: int
) -> None:
    settings.DEBUG, settings.ALLOWED_HOSTS = debug, hosts
    assert len(run_check("W003")) == warnings


@pytest.mark.django_db
def test_an_installation_without_draws_is_warned_when_the_database_is_checked() -> None:
    (message,) = run_check("W004", ["default"])
    assert message.msg == "The draws are not up to date: no draw is stored."
    assert run_check("W004") == []


@pytest.mark.django_db
@pytest.mark.parametrize(("day", "warnings"), [(27, 0), (28, 1)])
def test_draws_are_stale_after_five_days(real_draws: None, day: int, warnings: int) -> None:
    with time_machine.travel(datetime(2025, 12, day, 12, tzinfo=UTC)):
        assert len(run_check("W004", ["default"])) == warnings


@pytest.mark.django_db
def test_a_mode_never_trained_and_a_lost_model_file_are_warnings(settings: Any, tmp_path: Path) -> None:
    settings.MODELS_DIR = tmp_path
    model = make_model("random_forest", file="there.skops", active=True)
    (tmp_path / "there.skops").touch()
    assert [message.msg for message in run_check("W005", ["default"])] == [
        f"Mode {mode} has no trained model." for mode in ("lstm", "v1", "v2", "hybrid")
    ]

    (tmp_path / model.file).unlink()

    assert run_check("W005", ["default"])[0].msg == "Mode random_forest has no model file there.skops."


@pytest.mark.django_db
def test_table_missing_before_an_upgrade_is_not_queried() -> None:
    """`migrate` runs the checks before it adds the columns that they read."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE predictions_trainedmodel RENAME COLUMN pinned TO kept")

    assert run_check("W005", ["default"]) == []


@pytest.mark.django_db(transaction=True)
def test_dropped_index_is_a_warning_until_the_command_recreates_it() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DROP INDEX idx_pre_generated_mode")
    (message,) = run_check("W006", ["default"])
    assert "idx_pre_generated_mode" in message.msg

    assert call("create_indexes") == ("Created idx_pre_generated_mode.\n", "")

    assert run_check("W006", ["default"]) == []
    assert call("create_indexes") == ("No indexes are missing.\n", "")


# Several processes, several hosts

LOCMEM = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
DUMMY = {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}
REDIS = {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "redis://127.0.0.1:9"}
HERE = socket.gethostname()


def alive_on(host: str, queue: str = "shiolplus", **values: Any) -> Cluster:
    defaults = {"holder": f"{host}/{queue}", "queue": queue, "host": host, "status": "running"}
    return Cluster.objects.create(**(defaults | {"key_fingerprint": secret_key_fingerprint()} | values))


@pytest.mark.parametrize(
    ("workers", "cache", "warnings"),
    [("2", LOCMEM, 1), ("2", DUMMY, 1), ("2", REDIS, 0), ("1", LOCMEM, 0), ("", LOCMEM, 0), ("x", LOCMEM, 0)],
)
def test_several_web_workers_without_a_shared_cache_are_a_warning(
    settings: Any, monkeypatch: pytest.MonkeyPatch, workers: str, cache: dict[str, str], warnings: int
) -> None:
    monkeypatch.setenv("WEB_CONCURRENCY", workers)
    settings.CACHES = settings.CACHES | {"default": cache}

    messages = run_check("W007")

    assert len(messages) == warnings
    assert all("but WEB_CONCURRENCY is 2" in message.msg for message in messages)


@pytest.mark.django_db
def test_clusters_on_several_hosts_without_a_shared_cache_are_a_warning(settings: Any) -> None:
    alive_on(HERE)
    alive_on(HERE, "heavy")
    assert run_check("W007", ["default"]) == []

    alive_on("elsewhere")

    (message,) = run_check("W007", ["default"])
    assert f"clusters are alive on {', '.join(sorted([HERE, 'elsewhere']))}" in message.msg
    assert run_check("W007") == []
    settings.CACHES = settings.CACHES | {"default": REDIS}
    assert run_check("W007", ["default"]) == []


@pytest.mark.django_db
def test_a_sqlite_file_that_another_host_s_cluster_writes_is_an_error() -> None:
    alive_on(HERE)
    alive_on("gone", status="stopped")
    alive_on("lost", seen_at=timezone.now() - timedelta(minutes=1))
    assert run_check("E008", ["default"]) == []

    alive_on("elsewhere")
    alive_on("elsewhere", "heavy")

    messages = run_check("E008", ["default"])
    if connection.vendor == "sqlite":
        (message,) = messages
        assert "clusters are alive on elsewhere too" in message.msg
    else:
        assert messages == []


# The secret key

RANDOM = "Jq3vTn8wXc2yLr6zBk5mHd9sFg4pWx7e"
PUBLIC, LOCAL = ["tickets.example", "localhost"], ["localhost", "127.0.0.1", "[::1]"]


@pytest.mark.parametrize(
    ("key", "hosts", "identifier"),
    [
        (RANDOM, PUBLIC, None),
        (RANDOM[:31], PUBLIC, "W009"),
        (RANDOM[:31], LOCAL, "W009"),
        ("change-me", LOCAL, "W009"),
        ("change-me", PUBLIC, "E009"),
        ("Change_Me", PUBLIC, "E009"),
        ("secret", PUBLIC, "E009"),
        ("only-for-tests", PUBLIC, "E009"),
        (f"django-insecure-{RANDOM}", PUBLIC, "E009"),
        (f"django-insecure-{RANDOM}", LOCAL, "W009"),
    ],
)
def test_a_key_that_can_be_guessed_is_a_warning_and_one_that_all_know_is_an_error_in_public(
    settings: Any, key: str, hosts: list[str], identifier: str | None
) -> None:
    settings.SECRET_KEY, settings.ALLOWED_HOSTS = key, hosts

    messages = run_check("W009") + run_check("E009")

    assert [message.id for message in messages] == [f"shiolplus.{identifier}"] * (identifier is not None)
    assert all(key not in message.msg for message in messages if key != "secret")
    settings.DEBUG = True
    assert run_check("W009") + run_check("E009") == []


@pytest.mark.django_db
def test_a_cluster_alive_with_another_secret_key_is_an_error(settings: Any) -> None:
    alive_on(HERE)
    other = alive_on("elsewhere", status="starting")
    alive_on("gone", status="stopped", key_fingerprint="0" * 16)
    assert run_check("E010", ["default"]) == []

    Cluster.objects.filter(pk=other.pk).update(key_fingerprint="0" * 16)

    (message,) = run_check("E010", ["default"])
    assert message.msg.startswith("Cluster elsewhere/shiolplus has another secret key than this process: ")
    assert run_check("E010") == []
    settings.SECRET_KEY = RANDOM
    assert len(run_check("E010", ["default"])) == 2


def test_the_print_of_a_key_is_the_same_for_the_same_key_and_does_not_show_it(settings: Any) -> None:
    settings.SECRET_KEY = RANDOM
    fingerprint = secret_key_fingerprint()

    assert (len(fingerprint), fingerprint) == (16, secret_key_fingerprint())
    assert not set(fingerprint) - set("0123456789abcdef")
    settings.SECRET_KEY = RANDOM[:-1]
    assert secret_key_fingerprint() != fingerprint
