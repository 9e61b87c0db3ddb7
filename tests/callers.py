"""Programs that call a running server over its socket, one or many at once."""

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
    """One request on a connection of its own; ConnectionError or HTTPException when no answer comes."""
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
    """What a call returns for each item, by so many threads with a database connection each."""

    def closing(item: Item) -> T:
        try:
            return call(item)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(callers) as pool:
        return list(pool.map(closing, items))
