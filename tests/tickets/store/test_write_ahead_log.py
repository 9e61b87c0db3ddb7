"""SQLite's write-ahead log is truncated after a long-running reader has finished."""

import sqlite3

import pytest
from django.conf import LazySettings
from django.db import connection
from django.utils import timezone

from predictions.powerball import next_draw
from tests.factories import make_prediction
from tickets.generation.generator import BatchTicketGenerator
from tickets.store.write_ahead_log import log_bytes, truncate_log

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif("connection.vendor != 'sqlite'", reason="only SQLite has this file"),
]


def test_the_log_is_truncated_once_the_reader_has_left(settings: LazySettings) -> None:
    settings.WAL_BYTES = 500_000
    day = next_draw(timezone.now())
    make_prediction(draw_date=day)
    reader = sqlite3.connect(connection.settings_dict["NAME"])
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM pre_generated_tickets").fetchone()

    BatchTicketGenerator(10_000, ["random_forest"]).generate_batch("large", False, day)
    grown = log_bytes()
    assert grown > 1_000_000
    assert not truncate_log()
    assert log_bytes() == grown

    reader.close()
    BatchTicketGenerator(10, ["random_forest"]).generate_batch("small", False, day)
    assert log_bytes() <= 500_000


def test_truncating_keeps_the_time_that_writers_wait(settings: LazySettings) -> None:
    settings.WAL_BYTES = 0
    make_prediction()
    assert log_bytes() > 0

    assert truncate_log()

    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout")
        assert cursor.fetchone() == (20_000,)
        cursor.execute("PRAGMA journal_size_limit")
        assert cursor.fetchone() == (8_000_000,)
