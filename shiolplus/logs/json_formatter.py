"""Log lines as JSON, one object a line: for programs that collect logs (SHIOL_LOG_FORMAT=json).

It stands alone, for gunicorn's first process loads it, and keeps what it has loaded when the code changes.
"""

import json
import logging
from datetime import UTC, datetime
from typing import Any


class JsonFormatter(logging.Formatter):
    """{time, level, logger, message}, then the ids that there are, and the exception's text.

    Everything is ASCII, so whatever a message holds stays one line, and no encoding refuses it.
    """

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "level": record.levelname,
            "logger": record.name,
            "message": _message(record),
        }
        entry |= getattr(record, "named_ids", {})
        if record.exc_info and not record.exc_text:
            record.exc_text = self.formatException(record.exc_info)
        if texts := [text for text in (record.exc_text, record.stack_info) if text]:
            entry["exception"] = _whole("\n".join(texts))
        return json.dumps(entry)


def _message(record: logging.LogRecord) -> str:
    try:
        return _whole(record.getMessage())
    except (TypeError, ValueError, KeyError):  # arguments that do not fit: the line is worth more than they
        return _whole(f"{record.msg} {record.args!r}")


def _whole(text: str) -> str:
    """Escape lone surrogates, which strict readers of JSON refuse."""
    return text.encode("utf-8", "backslashreplace").decode()
