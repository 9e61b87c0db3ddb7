"""Which run, batch or request a log line belongs to, without handing the ids from call to call."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_ids: ContextVar[dict[str, str]] = ContextVar("log_ids", default={})  # noqa: B039 - replaced, never changed


@contextmanager
def log_ids(**ids: object) -> Iterator[None]:
    """Within the block every log line carries these ids beside those around it: run, batch, request.

    One that is empty is left out: not all work comes from a request.
    """
    given = {name: str(value) for name, value in ids.items() if value != ""}
    token = _ids.set(_ids.get() | given)
    try:
        yield
    finally:
        _ids.reset(token)


def current_request() -> str:
    """The id of the request in force here, for the row that comes of it; empty where there is none."""
    return _ids.get().get("request", "")


def current_ids() -> dict[str, str]:
    """The ids in force here."""
    return _ids.get()
