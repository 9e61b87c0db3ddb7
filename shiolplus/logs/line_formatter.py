"""Log records as plain text in which untrusted data cannot forge a line."""

import logging
from types import TracebackType

from shiolplus.logs.safe_text import sanitize_line

INDENT = "    "  # so that no line of a traceback looks like a record
_ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class LineFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        if record.exc_info:
            record.exc_text = None  # possibly cached unsanitized
        return super().format(record)

    def formatMessage(self, record: logging.LogRecord) -> str:
        return sanitize_line(super().formatMessage(record))

    def formatException(self, ei: _ExcInfo) -> str:
        return indent_lines(super().formatException(ei))

    def formatStack(self, stack_info: str) -> str:
        return indent_lines(super().formatStack(stack_info))


def indent_lines(text: str) -> str:
    return "\n".join(INDENT + sanitize_line(line) for line in text.split("\n"))
