"""Sanitize untrusted text and validate names, without Django, for gunicorn's master and fit processes."""

import re
from typing import Any

MAX_STORED = 10_000  # characters
MARKER = " […]"

# Databases reject NUL and lone surrogates; the others start lines in logs or change the displayed order.
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_UNSAFE_IN_LINE = re.compile(_UNSAFE.pattern + "|[\t\n]")

_SHORT_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def _escape(match: re.Match[str]) -> str:
    if name := _SHORT_ESCAPES.get(match.group()):
        return name
    code = ord(match.group())
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def sanitize_text(text: str, max_length: int = MAX_STORED) -> str:
    """Escape characters unsafe to store, except newlines and tabs, and truncate."""
    safe = _UNSAFE.sub(_escape, text[: max_length + 1])  # may be megabytes long
    if len(safe) <= max_length:
        return safe
    return safe[: max(0, max_length - len(MARKER))] + MARKER[:max_length]


def sanitize_line(text: str) -> str:
    return _UNSAFE_IN_LINE.sub(_escape, text)


def sanitize_json(value: Any) -> Any:
    if isinstance(value, str):
        return sanitize_text(value)
    if isinstance(value, dict):
        return {
            sanitize_text(key) if isinstance(key, str) else key: sanitize_json(item)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [sanitize_json(item) for item in value]
    return value


def describe_error(error: BaseException) -> str:
    """Return "Type: text", even if the error's `__str__` raises."""
    try:
        text = str(error)
    except Exception as str_error:  # noqa: BLE001 - recording a failure must not fail
        text = f"(str() raised {type(str_error).__name__})"
    return sanitize_text(f"{type(error).__name__}: {text}")


def is_storable(text: str) -> bool:
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def is_name(text: str) -> bool:
    return bool(text.strip()) and not _UNSAFE_IN_LINE.search(text)


def check_name(field: str, name: object, max_length: int) -> str:
    """Return the name. Raise ValueError if it is too long or not a name."""
    if not isinstance(name, str) or len(name) > max_length or not is_name(name):
        raise ValueError(
            f"{field} {shorten_value(name)}: allowed is a text of 1 to {max_length} characters, not blank "
            "and without control characters"
        )
    return name


def shorten_value(value: object) -> str:
    text = sanitize_line(repr(value))
    return text if len(text) <= 80 else f"{text[:80]}…"
