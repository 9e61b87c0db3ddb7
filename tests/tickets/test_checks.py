"""`manage.py check` finds each misconfiguration and says what to do."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.core.checks import CheckMessage, run_checks
from django.db import connection

from tests.commands import call
from tests.factories import make_model

Q_CLUSTER = {"name": "q", "workers": 1, "queue_limit": 1, "bulk": 1, "timeout": 120, "retry": 600}


def found(identifier: str, databases: list[str] | None = None) -> list[CheckMessage]:
    messages = [one for one in run_checks(databases=databases) if one.id == f"shiolplus.{identifier}"]
    assert all(one.hint for one in messages)
    return messages


@contextmanager
def as_somebody_else() -> Iterator[None]:
    """Root may write anywhere; `nobody` may not."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_sound_installation_has_no_errors() -> None:
    assert [one for one in run_checks() if one.is_serious()] == []


def test_a_folder_that_cannot_be_written_is_an_error(settings: Any, tmp_path: Path) -> None:
    settings.VAR = tmp_path
    assert found("E001") == []
    tmp_path.chmod(0o555)
    with as_somebody_else():
        (message,) = found("E001")
    tmp_path.chmod(0o755)
    assert str(tmp_path) in message.msg


@pytest.mark.parametrize(("retry", "errors"), [(369, 1), (370, 0)])
def test_a_queue_that_retries_before_a_task_can_have_ended_is_an_error(
    settings: Any, retry: int, errors: int
) -> None:
    settings.Q_CLUSTER = Q_CLUSTER | {"retry": retry}
    assert len(found("E002")) == errors


def test_each_queue_is_checked_with_what_it_takes_from_the_main_one(settings: Any) -> None:
    settings.Q_CLUSTER = Q_CLUSTER | {"ALT_CLUSTERS": {"heavy": {"timeout": 1800, "retry": 5409}}}
    (message,) = found("E002")
    assert message.msg == "Queue heavy: retry is 5409 s, but a task may wait and run for 5409 s."


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
    assert len(found("W003")) == warnings


@pytest.mark.django_db
def test_an_installation_without_draws_is_warned_when_the_database_is_checked() -> None:
    (message,) = found("W004", ["default"])
    assert message.msg == "The draws are not up to date: no draw is stored."
    assert found("W004") == []


@pytest.mark.django_db
@pytest.mark.parametrize(("day", "warnings"), [(27, 0), (28, 1)])
def test_draws_are_stale_after_five_days(real_draws: None, day: int, warnings: int) -> None:
    with time_machine.travel(datetime(2025, 12, day, 12, tzinfo=UTC)):
        assert len(found("W004", ["default"])) == warnings


@pytest.mark.django_db
def test_a_mode_never_trained_and_a_lost_model_file_are_warnings(settings: Any, tmp_path: Path) -> None:
    settings.MODELS_DIR = tmp_path
    model = make_model("random_forest", file="there.skops", active=True)
    (tmp_path / "there.skops").touch()
    assert [one.msg for one in found("W005", ["default"])] == [
        f"Mode {mode} has no trained model." for mode in ("lstm", "v1", "v2", "hybrid")
    ]

    (tmp_path / model.file).unlink()

    assert found("W005", ["default"])[0].msg == "Mode random_forest has lost its model file there.skops."


@pytest.mark.django_db(transaction=True)
def test_a_dropped_index_is_a_warning_until_the_command_has_made_it_again() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DROP INDEX idx_pre_generated_mode")
    (message,) = found("W006", ["default"])
    assert "idx_pre_generated_mode" in message.msg

    assert call("create_indexes") == ("created: idx_pre_generated_mode\n", "")

    assert found("W006", ["default"]) == []
    assert call("create_indexes") == ("no index is missing\n", "")
