"""A full, read-only or unavailable database gives a clear error, corrupts nothing, and work resumes."""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from django.db import OperationalError, connection
from django.test import override_settings

from predictions.models import LeasedModel
from tests.faults.hosts import START_SECONDS
from tests.faults.marks import IN_FULL, ON_POSTGRES
from tests.faults.world import FINAL_SECONDS, World
from tests.postgres_server import PostgresServer
from tests.processes import wait_until
from tickets.generation.worker import run_batch
from tickets.models import GenerationRun, TicketBatch


def test_batch_reports_full_disk_and_resumes_with_space(world: World) -> None:
    run = world.order(15_000)
    batch = run.batches.get()
    most = _pragma("max_page_count")

    def fill_up(_: TicketBatch) -> None:
        _pragma(f"max_page_count = {_pragma('page_count')}")

    assert run_batch(batch.pk, watch=fill_up)
    batch.refresh_from_db()
    assert (batch.status, batch.error) == ("queued", "OperationalError: database or disk is full")
    assert batch.stored == batch.tickets.count() == 5000
    assert _pragma("integrity_check") == "ok"
    assert not run_batch(batch.pk)  # not immediately: the disk is still full

    _pragma(f"max_page_count = {most}")
    _wait_for_lease(batch)
    assert run_batch(batch.pk)
    world.check(run)


def test_batch_keeps_tickets_and_resumes_after_read_only_database(
    world: World,
) -> None:
    run = world.order(15_000)
    batch = run.batches.get()
    with override_settings(LEASE_SECONDS=1):
        assert run_batch(batch.pk, watch=lambda _: _pragma("query_only = ON"))
        with pytest.raises(OperationalError, match="attempt to write a readonly database"):
            TicketBatch.objects.update(error="")
        batch.refresh_from_db()
        assert (batch.status, batch.stored, batch.tickets.count()) == ("running", 5000, 5000)

        _pragma("query_only = OFF")
        _wait_for_lease(batch)
        assert run_batch(batch.pk)
    world.check(run)


def _pragma(text: str) -> object:
    with connection.cursor() as cursor:
        cursor.execute(f"PRAGMA {text}")
        row = cursor.fetchone()
    return None if row is None else row[0]


def _wait_for_lease(row: LeasedModel) -> None:
    wait_until(lambda: type(row).objects.unleased().filter(pk=row.pk).exists(), 30, "the end of the lease")


@IN_FULL
@ON_POSTGRES
def test_batch_resumes_after_15_seconds_without_database(world: World, server: PostgresServer) -> None:
    run = _start_batch(world, 40_000)
    server.stop()
    connection.close()
    time.sleep(15)
    server.start()

    world.wait_until_ended(run)
    world.check(run)
    later = world.order(1000)
    assert world.wait_until_ended(later) < 60
    assert "Database unavailable" in world.hosts[0].log.read_text()
    world.hosts[0].end()
    world.hosts[0].wait_until_gone()


@IN_FULL
@ON_POSTGRES
def test_batch_resumes_after_read_only_postgresql(world: World, server: PostgresServer) -> None:
    run = _start_batch(world, 40_000)
    with psycopg.connect(server.url, autocommit=True) as away:
        name = connection.settings_dict["NAME"]
        _set_read_only(away, name, "on")
        time.sleep(15)
        assert GenerationRun.objects.get().status == "running"
        assert "cannot execute UPDATE in a read-only transaction" in world.hosts[0].log.read_text()
        _set_read_only(away, name, "off")
    connection.close()

    world.wait_until_ended(run)
    world.check(run)
    world.hosts[0].end()
    world.hosts[0].wait_until_gone()


def _set_read_only(away: psycopg.Connection, name: str, value: str) -> None:
    """Set whether new sessions are read-only, and end the existing ones."""
    away.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = {value}")
    away.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
    connection.close()


@IN_FULL
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
def test_clusters_report_full_disk_and_resume_with_space(world: World, tmp_path: Path) -> None:
    run = world.order(60_000)
    with _small_disk(tmp_path / "disk", megabytes=8) as disk:
        world.move(disk)
        batch = TicketBatch.objects.get()
        host = world.host()
        wait_until(
            lambda: _has_disk_error(batch) or "disk is full" in host.log.read_text(),
            START_SECONDS,
            "the error",
        )
        assert _pragma("integrity_check") == "ok"
        subprocess.run(["mount", "-o", "remount,size=200m", str(disk)], check=True)

        world.wait_until_ended(run, seconds=FINAL_SECONDS + 60)
        world.check(run)
        host.end()
        host.wait_until_gone()
        connection.close()


def _has_disk_error(batch: TicketBatch) -> bool:
    batch.refresh_from_db()
    return "disk is full" in batch.error


@contextmanager
def _small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def _start_batch(world: World, size: int) -> GenerationRun:
    """Return a run of one batch that has its first tickets."""
    run = world.order(size)
    world.host().wait_until_up()
    wait_until(lambda: TicketBatch.objects.get().generated > 0, 60, "the first tickets")
    return run
