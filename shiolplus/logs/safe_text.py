"""Make text from outside safe to store and to log, and check names that users choose.

Without Django: gunicorn's first process, the fit processes and both databases use the same rules.
"""

import re
from typing import Any

MAX_STORED = 10_000  # characters of an error or a summary
MARKER = " […]"  # ends a text that was cut

# NUL is refused by PostgreSQL and lone surrogates by both databases. C0, DEL, C1 and the Unicode line
# separators start new lines in logs; the bidi controls change the order in which a line is displayed.
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_UNSAFE_IN_LINE = re.compile(_UNSAFE.pattern.replace(r"\x08\x0b", "") + "|[\t\n]")

_NAMES = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def _escape(match: re.Match[str]) -> str:
    if name := _NAMES.get(match.group()):
        return name
    code = ord(match.group())
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def sanitize_text(text: str, max_length: int = MAX_STORED) -> str:
    """Return text that both databases store: unsafe characters as visible escapes, cut to `max_length`.

    Newlines and tabs are kept. A text that was cut ends in a marker.
    """
    safe = _UNSAFE.sub(_escape, text[: max_length + 1])  # an error text may be megabytes long
    if len(safe) <= max_length:
        return safe
    return safe[: max(0, max_length - len(MARKER))] + MARKER[:max_length]


def sanitize_line(text: str) -> str:
    """Return text that stays one line of a log: newlines and tabs are escaped too."""
    return _UNSAFE_IN_LINE.sub(_escape, text)


def sanitize_json(value: Any) -> Any:
    """Return a JSON value with every text in it, keys included, made safe to store."""
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
    """Return "Type: text" of an exception, safe to store, even if its own `__str__` fails."""
    try:
        text = str(error)
    except Exception as broken:  # noqa: BLE001 - recording a failure must not fail
        text = f"(its text cannot be read: {type(broken).__name__})"
    return sanitize_text(f"{type(error).__name__}: {text}")


def is_storable(text: str) -> bool:
    """Return whether every database can hold a text: no NUL and no lone surrogate."""
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def is_name(text: str) -> bool:
    """Return whether a text can name something: not blank, and without control characters."""
    return bool(text.strip()) and not _UNSAFE_IN_LINE.search(text)


def check_name(field: str, name: object, max_length: int) -> str:
    """Return the name, or raise ValueError unless it is a text of 1 to `max_length` safe characters."""
    if not isinstance(name, str) or len(name) > max_length or not is_name(name):
        raise ValueError(
            f"{field} {_shortened(name)}: allowed is a text of 1 to {max_length} characters, not blank and "
            "without control characters"
        )
    return name


def _shortened(value: object) -> str:
    text = sanitize_line(repr(value))  # repr escapes whatever cannot be printed
    return text if len(text) <= 80 else f"{text[:80]}…"
