"""Log lines as JSON, without imports from this project, since gunicorn's master never reloads it."""

import json
import logging
from datetime import UTC, datetime
from typing import Any


class JsonFormatter(logging.Formatter):
    """Format a record as one line of ASCII, with context ids and any exception."""

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "level": record.levelname,
            "logger": record.name,
            "message": format_message(record),
        }
        entry |= getattr(record, "named_ids", {})
        if record.exc_info and not record.exc_text:
            record.exc_text = self.formatException(record.exc_info)
        if texts := [text for text in (record.exc_text, record.stack_info) if text]:
            entry["exception"] = escape_surrogates("\n".join(texts))
        return json.dumps(entry)


def format_message(record: logging.LogRecord) -> str:
    try:
        return escape_surrogates(record.getMessage())
    except (TypeError, ValueError, KeyError):  # arguments do not match the format
        return escape_surrogates(f"{record.msg} {record.args!r}")


def escape_surrogates(text: str) -> str:
    # Strict JSON parsers reject lone surrogates.
    return text.encode("utf-8", "backslashreplace").decode()
