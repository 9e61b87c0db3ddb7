"""Conditions of the installation in /readyz, `status`, the dashboard and the system checks."""

import json
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.core.cache import caches
from django.core.checks import run_checks
from django.db import connection
from django.test import Client
from django.utils import timezone

from predictions.models import Cluster
from predictions.workqueue.clusters import secret_key_fingerprint
from tests.postgres_server import free_port
from tests.redis_server import RedisServer, redis_server
from tests.staff import superuser
from tickets.monitoring import probes
from tickets.monitoring.collector import take_snapshot
from tickets.monitoring.conditions import find_conditions
from tickets.monitoring.diagnostics import diagnose

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _probed_anew() -> Iterator[None]:
    probes.forget()
    yield
    probes.forget()


def ready_part(name: str, status: int) -> tuple[str, dict[str, Any]]:
    """Return the status of /readyz and one of its parts."""
    response = Client().get("/readyz")
    assert response.status_code == status, response.content
    body = response.json()
    return body["status"], body["parts"][name]


def diagnostics() -> dict[str, dict[str, str]]:
    """Return the diagnostics of the present state by code."""
    return {diagnostic.code: asdict(diagnostic) for diagnostic in diagnose(take_snapshot(timezone.now()))}


@pytest.fixture
def writes_refused() -> Iterator[None]:
    with connection.cursor() as cursor:
        is_sqlite = connection.vendor == "sqlite"
        cursor.execute("PRAGMA query_only = ON" if is_sqlite else "SET transaction_read_only = on")
    yield
    if is_sqlite:
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA query_only = OFF")


def test_nothing_is_found_on_a_sound_system() -> None:
    assert find_conditions() == []


def test_a_read_only_database_makes_the_service_unready(writes_refused: None) -> None:
    state, part = ready_part("database", 503)

    assert (state, part["status"], part["figures"]["codes"]) == ("unready", "failed", ["database_read_only"])
    assert part["detail"].startswith("The database is read-only (")
    diagnostic = diagnostics()["database_read_only"]
    assert (diagnostic["level"], diagnostic["message"]) == (
        "error",
        part["detail"].partition(" Run `manage.py")[0],
    )
    assert ("query_only" in diagnostic["message"]) == (connection.vendor == "sqlite")


def test_the_dashboard_shows_a_read_only_database(request: pytest.FixtureRequest) -> None:
    staff = superuser()
    request.getfixturevalue("writes_refused")

    page = staff.get("/admin/dashboard/")

    assert page.status_code == 200
    assert "The database is read-only" in page.text


def test_signing_in_is_503_while_the_database_is_read_only(request: pytest.FixtureRequest) -> None:
    User.objects.create_superuser("admin", password="right")
    request.getfixturevalue("writes_refused")
    client = Client(raise_request_exception=False)

    response = client.post("/admin/login/", {"username": "admin", "password": "right"})

    assert (response.status_code, response["Retry-After"]) == (503, "5")
    assert "Database read-only" in response.text


# Redis


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    with redis_server(tmp_path) as server:
        yield server


def use_redis(settings: LazySettings, port: int, password: str = "") -> None:
    user = f":{password}@" if password else ""
    settings.CACHES = settings.CACHES | {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": f"redis://{user}127.0.0.1:{port}/0",
            "OPTIONS": {"socket_connect_timeout": 1, "socket_timeout": 1},
        }
    }


def cache_checks() -> list[str | None]:
    return [message.id for message in run_checks(tags=["caches"])]


def test_a_redis_that_accepts_writes_is_well(redis: RedisServer, settings: LazySettings) -> None:
    use_redis(settings, redis.port)

    assert find_conditions() == []
    assert ready_part("cache", 200)[1]["figures"] == {"kind": "redis"}
    assert cache_checks() == []


@pytest.mark.parametrize("password", ["", "wrong-secret"])
def test_a_wrong_redis_password_is_named_and_not_shown(
    password: str, redis: RedisServer, settings: LazySettings
) -> None:
    redis.client().config_set("requirepass", "right-secret")
    use_redis(settings, redis.port, password)

    state, part = ready_part("cache", 200)

    assert (state, part["status"], part["figures"]["codes"]) == ("degraded", "failed", ["redis_password"])
    assert "127.0.0.1" not in part["detail"]
    diagnostic = diagnostics()["redis_password"]
    assert diagnostic["subject"] == f"127.0.0.1:{redis.port}"
    assert diagnostic["message"].startswith(
        f"Redis at 127.0.0.1:{redis.port} refuses the user name or password"
    )
    assert "secret" not in json.dumps(diagnostic)
    assert cache_checks() == ["shiolplus.E020"]
    assert "refuses the user name" in superuser().get("/admin/dashboard/").text


def test_an_unreachable_redis_leaves_the_service_ready_but_degraded(settings: LazySettings) -> None:
    use_redis(settings, port := free_port())

    state, part = ready_part("cache", 200)

    assert (state, part["figures"]["codes"]) == ("degraded", ["redis_unreachable"])
    assert f"`redis-cli -h 127.0.0.1 -p {port} ping`" in diagnostics()["redis_unreachable"]["hint"]
    assert cache_checks() == ["shiolplus.W032"]


def test_hanging_redis_is_probed_for_at_most_a_second(settings: LazySettings) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(1)
        use_redis(settings, silent.getsockname()[1])

        assert [condition.code for condition in find_conditions()] == ["redis_unreachable"]
        caches["default"].close()


def test_a_redis_replica_that_refuses_writes_is_named(redis: RedisServer, settings: LazySettings) -> None:
    redis.client().replicaof("127.0.0.1", str(free_port()))
    use_redis(settings, redis.port)

    assert [condition.code for condition in find_conditions()] == ["redis_unreachable"]


def test_a_cache_error_is_ignored_once_redis_is_no_longer_configured(settings: LazySettings) -> None:
    use_redis(settings, free_port())
    assert probes.cache_error() is not None
    in_memory = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
    settings.CACHES = settings.CACHES | {"default": in_memory}

    assert find_conditions() == []


# Disks


def test_a_full_disk_makes_the_service_unready(tmp_path: Path, settings: LazySettings) -> None:
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", tmp_path], check=False).returncode:
        pytest.skip("only root can mount a small disk")
    try:
        settings.VAR = tmp_path
        (tmp_path / "filler").write_bytes(bytes(1024**2))

        state, part = ready_part("disk", 503)

        assert (state, part["figures"]["codes"]) == ("unready", ["disk_full"])
        assert str(tmp_path) not in part["detail"]
        diagnostic = diagnostics()["disk_full"]
        assert (diagnostic["level"], diagnostic["subject"]) == ("error", str(tmp_path))
        assert f"df -h {tmp_path}" in diagnostic["hint"]
        assert "unknown_worker" in diagnostics()
        assert "no_worker" not in diagnostics()
        assert f"The disk of {tmp_path} is full: 0 MB free" in superuser().get("/admin/dashboard/").text
    finally:
        subprocess.run(["umount", "-l", tmp_path], check=True)


def test_a_disk_with_little_space_is_a_warning(
    settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probes, "LOW_BELOW", 2**62)

    assert {(condition.level, condition.code) for condition in find_conditions()} == {("warning", "disk_low")}
    assert ready_part("disk", 200)[1]["status"] == "ok"


def test_a_data_folder_that_is_gone_is_named(tmp_path: Path, settings: LazySettings) -> None:
    settings.VAR = tmp_path / "gone"

    assert [(condition.code, condition.subject) for condition in find_conditions()] == [
        ("disk_not_writable", str(settings.VAR))
    ]


# Secret keys


def test_a_cluster_with_another_secret_key_is_named() -> None:
    values = {"queue": "shiolplus", "host": "far", "status": "running"}
    Cluster.objects.create(**values, holder="far/1", key_fingerprint="0" * 16)
    Cluster.objects.create(
        **values | {"queue": "heavy"}, holder="far/2", key_fingerprint=secret_key_fingerprint()
    )

    state, part = ready_part("secret_key", 200)

    assert (state, part["figures"]["codes"]) == ("degraded", ["secret_key_mismatch"])
    diagnostic = diagnostics()["secret_key_mismatch"]
    assert (diagnostic["level"], diagnostic["subject"]) == ("error", "shiolplus on far")
    page = superuser().get("/admin/dashboard/").text
    assert "running, with another secret key" in page
    assert "var/secret-key" in page
