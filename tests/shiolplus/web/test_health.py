"""/healthz and /readyz, including while the database is unavailable."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from socket import socket
from typing import Any

import pytest
import time_machine
from django.conf import LazySettings
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client
from django.utils import timezone

from predictions.models import Cluster
from predictions.modes.registry import MODE_NAMES
from tests.callers import ask
from tests.factories import WEDNESDAY, make_draw, some_tickets
from tests.processes import web_server
from tests.tickets.api.test_problems import checked_problem
from tickets.models.policies import ModePolicy
from tickets.store import insert_batch_tickets

PARTS = (
    *("database", "migrations", "disk", "cache", "secret_key", "heartbeats"),
    *("worker", "stock", "draws"),
)
TUESDAY = "2026-11-24T12:00:00Z"


def make_cluster(queue: str = "shiolplus", heartbeat_age: float = 3, **values: Any) -> Cluster:
    """Create a cluster that its watchdog has just seen, with a heartbeat `heartbeat_age` seconds ago."""
    last_heartbeat_at = timezone.now() - timedelta(seconds=heartbeat_age)
    defaults = {
        "holder": f"a/{queue}",
        "queue": queue,
        "host": "a",
        "status": "running",
        "last_heartbeat_at": last_heartbeat_at,
    }
    return Cluster.objects.create(**defaults | values)


def make_healthy() -> None:
    """Create both clusters, a ticket of each mode for the next draw, and Monday's draw."""
    make_cluster()
    make_cluster("heavy", heartbeat_age=9)
    for powerball, mode in enumerate(MODE_NAMES, start=1):
        insert_batch_tickets(some_tickets(1, powerball), mode, draw_date=WEDNESDAY)
    make_draw(WEDNESDAY - timedelta(days=2))


def parts_of(client: Client, query: str = "", status: int = 200) -> tuple[str, dict[str, Any]]:
    """Return the overall status and the parts."""
    response = client.get(f"/readyz{query}")
    assert (response.status_code, response["Content-Type"]) == (status, "application/json")
    assert response["Cache-Control"] == "no-store"
    body = response.json()
    return body["status"], body["parts"]


def states(parts: dict[str, Any]) -> dict[str, str]:
    return {name: part["status"] for name, part in parts.items()}


# /healthz


def test_healthz_needs_no_database(client: Client) -> None:
    response, head = client.get("/healthz"), client.head("/healthz")

    assert (response.status_code, response.json()) == (200, {"status": "ok"})
    assert (response["Content-Type"], response["Cache-Control"]) == ("application/json", "no-store")
    assert (head.status_code, head.content) == (200, b"")
    assert not any(name.startswith("RateLimit") for name in response.headers)
    assert not response.cookies


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_probe_only_reads(method: str, path: str, client: Client) -> None:
    response = client.generic(method, path)

    checked_problem(response, 405)
    assert response["Allow"] == "GET, HEAD, OPTIONS"


def test_probe_needs_no_tls(client: Client, settings: LazySettings) -> None:
    settings.SECURE_SSL_REDIRECT = True

    assert client.get("/healthz").status_code == 200
    assert client.get("/healthz/more").status_code == 301


def test_probe_with_disallowed_host_is_rejected(client: Client) -> None:
    checked_problem(client.get("/healthz", headers={"host": "10.1.2.3"}), 400)


# /readyz


@pytest.mark.django_db
@time_machine.travel(TUESDAY, tick=False)
def test_ready_response_lists_each_part_with_figures(client: Client) -> None:
    make_healthy()

    state, parts = parts_of(client, "?require=worker,stock,draws")

    assert state == "ready"
    assert [(name, part["status"], part["required"]) for name, part in parts.items()] == [
        (name, "ok", name not in ("cache", "secret_key", "heartbeats")) for name in PARTS
    ]
    assert parts["worker"]["figures"] == {
        "shiolplus": {"clusters": 1, "last_heartbeat_seconds": 3.0},
        "heavy": {"clusters": 1, "last_heartbeat_seconds": 9.0},
    }
    assert parts["stock"]["figures"] == {
        "draw_date": "2026-11-25",
        "available": dict.fromkeys(MODE_NAMES, 1),
        "paused": [],
    }
    assert parts["draws"]["detail"] == "Newest draw 2026-11-23, 1 day old."
    assert parts["draws"]["figures"] == {"newest": "2026-11-23", "age_days": 1}


@pytest.mark.django_db
def test_web_process_without_workers_or_tickets_stays_ready(client: Client) -> None:
    state, parts = parts_of(client)

    assert state == "degraded"
    unhealthy = {"worker": "failed", "stock": "failed", "draws": "failed"}
    assert states(parts) == dict.fromkeys(PARTS, "ok") | unhealthy
    assert not any(parts[name]["required"] for name in unhealthy)
    assert "run_cluster" in parts["worker"]["detail"]
    assert parts["draws"]["detail"] == "No draw is stored."


@pytest.mark.django_db
@time_machine.travel(TUESDAY, tick=False)
@pytest.mark.parametrize(
    "values",
    [
        {"heartbeat_age": 61},  # seen by its watchdog, but stalled
        {"last_heartbeat_at": None},
        {"status": "stopped"},
        {"queue": "another"},
    ],
)
def test_queue_without_workers_fails_and_is_named(values: dict[str, Any], client: Client) -> None:
    make_healthy()
    Cluster.objects.filter(queue="heavy").delete()
    make_cluster(**{"queue": "heavy", "holder": "b"} | values)

    state, parts = parts_of(client, "?require=worker", status=503)

    assert (state, parts["worker"]["status"]) == ("unready", "failed")
    assert parts["worker"]["detail"] == "No active cluster for heavy: start `manage.py run_cluster`."
    assert parts_of(client)[0] == "degraded"


@pytest.mark.django_db
@time_machine.travel(TUESDAY, tick=False)
def test_unpaused_mode_without_available_tickets_is_named(client: Client) -> None:
    make_healthy()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE tickets_ticketbatch SET stored = 0 WHERE mode IN ('v1', 'lstm')")
    ModePolicy.objects.filter(mode="v1").update(paused=True)

    state, parts = parts_of(client, "?require=stock", status=503)

    assert (state, parts["stock"]["detail"]) == ("unready", "No available tickets for 2026-11-25: lstm.")
    assert parts["stock"]["figures"]["paused"] == ["v1"]


def test_unknown_required_part_is_rejected_with_allowed_parts(client: Client) -> None:
    body = checked_problem(client.get("/readyz?require=worker,luck&require=&verbose=1"), 400)

    assert [(error["name"], error["value"]) for error in body["errors"]] == [
        ("verbose", "1"),
        ("require", ""),
        ("require", "luck"),
    ]
    assert ", ".join(PARTS) in body["errors"][2]["allowed"]


@pytest.mark.django_db
def test_unapplied_migrations_are_unready_and_named(client: Client) -> None:
    ((_, newest),) = MigrationLoader(connection).graph.leaf_nodes("tickets")
    MigrationRecorder(connection).record_unapplied("tickets", newest)

    state, parts = parts_of(client, status=503)

    assert (state, parts["migrations"]["status"]) == ("unready", "failed")
    assert "manage.py migrate" in parts["migrations"]["detail"]
    assert parts["migrations"]["figures"] == {"missing": [f"tickets.{newest}"]}
    MigrationRecorder(connection).record_applied("tickets", newest)
    assert parts_of(client)[1]["migrations"]["status"] == "ok"  # the failure was not cached


@pytest.mark.django_db
def test_an_unapplied_migration_before_an_applied_one_is_named(client: Client) -> None:
    MigrationRecorder(connection).record_unapplied("tickets", "0005_clients_and_claims")

    parts = parts_of(client, status=503)[1]

    assert parts["migrations"]["figures"] == {"missing": ["tickets.0005_clients_and_claims"]}


@pytest.fixture
def _batches_are_gone(transactional_db: None) -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE tickets_ticketbatch RENAME TO gone")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE gone RENAME TO tickets_ticketbatch")


@pytest.mark.usefixtures("_batches_are_gone")
def test_unreadable_part_is_unknown_and_reason_is_only_logged(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    state, parts = parts_of(client)

    assert (state, parts["stock"]["status"], parts["draws"]["status"]) == ("degraded", "unknown", "unknown")
    assert "ticketbatch" not in str(parts)
    assert "tickets_ticketbatch" in caplog.text
    assert parts_of(client, "?require=stock", status=503)[0] == "unready"


@pytest.mark.django_db(transaction=True)
def test_unresponsive_database_makes_process_unready_within_seconds(
    tmp_path: Path,
) -> None:
    with socket() as silent:  # accepts connections and never responds
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"postgres://somebody:topsecret@127.0.0.1:{silent.getsockname()[1]}/away"
        with (
            web_server(tmp_path / "log", "--threads", "4", DATABASE_URL=url) as (_, port),
            ThreadPoolExecutor() as pool,
        ):
            ask(port, "/healthz")  # waits until the worker has loaded its code
            started = time.monotonic()
            ready, metrics = (pool.submit(ask, port, path) for path in ("/readyz", "/metrics"))
            health = ask(port, "/healthz")
            assert time.monotonic() - started < 4  # while the others still wait
            response, scraped = ready.result(), metrics.result()
            assert time.monotonic() - started < 15

    assert (health.status, health.body) == (200, {"status": "ok"})
    assert (response.status, response.body["status"]) == (503, "unready")
    assert states(response.body["parts"]) == {
        "database": "failed",
        **dict.fromkeys(("migrations", "secret_key", "worker", "stock", "draws"), "unknown"),
        **dict.fromkeys(("disk", "cache", "heartbeats"), "ok"),  # these do not need the database
    }
    assert (scraped.status, scraped.body["title"]) == (503, "Service Unavailable")
    assert "topsecret" not in str(response.body)
    assert "127.0.0.1" not in str(response.body)
