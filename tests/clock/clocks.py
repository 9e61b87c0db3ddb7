"""Tests that tests/test_clock.py runs at another instant, given as EXPECTED_INSTANT."""

import os
import subprocess
import time
from datetime import datetime, timedelta

import psycopg
import pytest
from django.db import connection
from django.utils import timezone

from tests.postgres_server import postgres_server


def assert_expected(instant: datetime) -> None:
    late = instant - datetime.fromisoformat(os.environ["EXPECTED_INSTANT"])
    assert timedelta(seconds=-2) < late < timedelta(minutes=5)


def test_clock_of_this_process() -> None:
    assert_expected(timezone.now())


def test_clock_of_another_program() -> None:
    shown = subprocess.run(["date", "--iso-8601=seconds"], capture_output=True, text=True, check=True).stdout
    assert_expected(datetime.fromisoformat(shown.strip()))


@pytest.mark.django_db
def test_clock_of_database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT CURRENT_TIMESTAMP")
        (now,) = cursor.fetchone()
    assert_expected(datetime.fromisoformat(f"{now}+00:00"))


def test_clock_of_postgresql() -> None:
    with postgres_server("fsync=off") as server, psycopg.connect(server.url) as client:
        (now,) = client.execute("SELECT clock_timestamp()").fetchone() or [None]
        assert_expected(now)


def test_sleep_duration_is_not_affected() -> None:
    started = time.monotonic()
    time.sleep(0.5)
    with pytest.raises(subprocess.TimeoutExpired):
        subprocess.run(["sleep", "20"], timeout=0.5, check=False)
    assert 1 <= time.monotonic() - started < 5
