"""Ids of the current run, batch and request."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_ids: ContextVar[dict[str, str]] = ContextVar("log_ids", default={})  # noqa: B039 - replaced, never mutated


@contextmanager
def log_ids(**ids: object) -> Iterator[None]:
    """Add ids such as `run` or `request` to all log lines within the block."""
    added = {name: str(value) for name, value in ids.items() if value != ""}
    token = _ids.set(_ids.get() | added)
    try:
        yield
    finally:
        _ids.reset(token)


def current_request() -> str:
    return _ids.get().get("request", "")


def current_ids() -> dict[str, str]:
    return _ids.get()
