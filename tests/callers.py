"""Clients that call a running server over its socket."""

import http.client
import json
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from django.db import connections

CLAIMS = "/api/v1/tickets/claims"
T = TypeVar("T")
Item = TypeVar("Item")


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: Any


def ask(
    port: int, path: str, method: str = "GET", headers: dict[str, str] | None = None, body: Any = None
) -> Answer:
    """Send one request on its own connection. Raise ConnectionError or HTTPException without a response."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        sent = None if body is None else json.dumps(body)
        more = {} if body is None else {"Content-Type": "application/json"}
        connection.request(method, path, sent, (headers or {}) | more)
        response = connection.getresponse()
        content = response.read()
    finally:
        connection.close()
    return Answer(response.status, response.headers, json.loads(content) if content else None)


def at_once(callers: int, call: Callable[[Item], T], items: Iterable[Item]) -> list[T]:
    """Return the results of a call per item, from a number of threads with their own database connections."""

    def closing(item: Item) -> T:
        try:
            return call(item)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(callers) as pool:
        return list(pool.map(closing, items))
