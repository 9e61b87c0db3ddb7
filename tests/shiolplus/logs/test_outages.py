"""Outages are classified, and logged as one line with a count."""

import errno
import logging
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from django.db import OperationalError, connection
from redis import AuthenticationError, ConnectionError, ResponseError

from shiolplus.logs import outages
from shiolplus.logs.outages import LogFile, OutageFilter, classify_outage


@pytest.fixture
def log() -> Iterator[tuple[logging.Logger, StringIO]]:
    """Return a logger with two handlers that share one filter, as in the settings, and the output of one."""
    logger, output = logging.getLogger("outage-test"), StringIO()
    logger.propagate = False
    shared = OutageFilter()
    handlers = [logging.StreamHandler(output), logging.StreamHandler(StringIO())]
    for handler in handlers:
        handler.addFilter(shared)
        logger.addHandler(handler)
    yield logger, output
    for handler in handlers:
        logger.removeHandler(handler)


def log_failure(logger: logging.Logger, text: str = "away") -> None:
    try:
        raise OperationalError(text)
    except OperationalError as error:
        logger.exception("it failed: %s", error)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "disk full"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "disk full"),
        (OSError(errno.ENOENT, "No such file"), None),
        (OperationalError("connection refused"), "database away"),
        (AuthenticationError("invalid username-password pair"), "Redis password"),
        (ResponseError("WRONGPASS invalid"), "Redis password"),
        (ConnectionError("refused"), "Redis away"),
        (ValueError("x"), None),
        (None, None),
    ],
)
def test_error_is_classified(error: Exception | None, kind: str | None) -> None:
    assert classify_outage(error) == kind


@pytest.mark.django_db
def test_sqlite_error_is_classified_by_cause() -> None:
    if connection.vendor != "sqlite":
        pytest.skip("about SQLite")
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA query_only = ON")
        try:
            with pytest.raises(OperationalError) as raised:
                cursor.execute("DELETE FROM django_session")
        finally:
            cursor.execute("PRAGMA query_only = OFF")

    assert classify_outage(raised.value) == "database read-only"


def test_outage_is_one_line_without_traceback(log: tuple[logging.Logger, StringIO]) -> None:
    logger, output = log
    for _ in range(50):
        log_failure(logger, "server\nis away")

    assert output.getvalue() == "it failed: server is away: server is away (repetitions will be counted)\n"


def test_other_location_and_kind_are_logged_separately(
    log: tuple[logging.Logger, StringIO],
) -> None:
    logger, output = log
    log_failure(logger)
    logger.warning("no beat: %s", OperationalError("away"))
    logger.warning("no file: %s", OSError(errno.ENOSPC, "full"))

    assert len(output.getvalue().splitlines()) == 3


def test_other_errors_are_never_suppressed(log: tuple[logging.Logger, StringIO]) -> None:
    logger, output = log
    for number in range(3):
        logger.warning("batch %s broke: %s", number, ValueError("x"))

    assert output.getvalue().splitlines() == [f"batch {number} broke: x" for number in range(3)]


def test_end_of_outage_is_logged_with_count(
    log: tuple[logging.Logger, StringIO], monkeypatch: pytest.MonkeyPatch
) -> None:
    logger, output = log
    for _ in range(7):
        log_failure(logger)
    monkeypatch.setattr(outages, "ENDED_AFTER", -1.0)
    logger.info("well")
    logger.warning("well again")

    lines = output.getvalue().splitlines()
    assert lines[1:] == ["outage ended after 0 s, 7 occurrences: it failed: away: away", "well again"]


def test_long_outage_is_repeated_with_count(
    log: tuple[logging.Logger, StringIO], monkeypatch: pytest.MonkeyPatch
) -> None:
    logger, output = log
    for _ in range(3):
        log_failure(logger)
    monkeypatch.setattr(outages, "REPEATED_EVERY", 0.0)
    log_failure(logger)

    assert output.getvalue().splitlines()[1:] == ["it failed: away: away (4 occurrences)"]


def test_traceback_of_failed_task_is_removed(log: tuple[logging.Logger, StringIO]) -> None:
    _, output = log
    text = (
        "Failed 'tickets.tasks.x' (a-b) - the connection is closed : Traceback (most recent call last):\n"
        "  File x\ndjango.db.utils.OperationalError: the connection is closed\n"
    )
    handler = logging.getLogger("outage-test").handlers[0]
    for _ in range(3):
        record = logging.LogRecord("django-q", logging.ERROR, "monitor.py", 66, text, None, None)
        handler.handle(record)

    assert output.getvalue() == (
        "Failed 'tickets.tasks.x' (a-b) - the connection is closed (repetitions will be counted)\n"
    )


def test_unwritable_log_file_is_one_line_on_stderr(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    handler = LogFile(str(tmp_path / "log"))
    for number in range(20):
        try:
            raise OSError(errno.ENOSPC, "No space left on device")
        except OSError:
            handler.handleError(logging.makeLogRecord({"msg": str(number)}))

    assert capsys.readouterr().err.splitlines() == [
        f"the log file {tmp_path / 'log'} cannot be written: [Errno 28] No space left on device"
    ]
