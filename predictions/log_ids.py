"""Which run, batch or request a log line belongs to, without handing the ids from call to call."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_ids: ContextVar[dict[str, str]] = ContextVar("log_ids", default={})  # noqa: B039 - replaced, never changed


@contextmanager
def log_ids(**ids: object) -> Iterator[None]:
    """Within the block every log line carries these ids beside those around it: run, batch, request."""
    token = _ids.set(_ids.get() | {name: str(value) for name, value in ids.items()})
    try:
        yield
    finally:
        _ids.reset(token)


def current_ids() -> dict[str, str]:
    """The ids in force here."""
    return _ids.get()
