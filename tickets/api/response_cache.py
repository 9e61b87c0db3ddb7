"""Rendered answers of `cached`, and those that are asked for often kept in this process for a second.

A second is also their invalidation between processes: a ticket claimed elsewhere is offered no longer. Only a
web server's entry point switches the keeping on, with `start`; a thread of it makes the answers anew before
they are too old, so that hardly any request waits for the database.
"""

import json
import logging
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from hashlib import blake2b
from typing import Any

from django.conf import settings
from django.db import close_old_connections
from django.http import HttpRequest, HttpResponse, HttpResponseNotModified
from django.utils.http import parse_etags

from predictions.draws.sources import upcoming_draw
from predictions.modes.registry import MODE_NAMES
from tickets.api.problems import DATABASE_UNAVAILABLE
from tickets.api.request_params import DEFAULT_LIMIT
from tickets.models import TicketBatch
from tickets.models.claims import Claim
from tickets.store import get_batch_ticket_stats, get_cached_tickets

logger = logging.getLogger(__name__)

REFRESH_SECONDS = 0.4  # well under the second, so that an answer is replaced before it is too old
ASKED_LATELY = 10.0  # seconds
BATCHES_WATCHED = 20  # the newest: when one of them is published, the answers are made anew

Key = tuple[str, int]  # mode and limit, of the next draw and without stats: there are 500
_dumps = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


@dataclass(frozen=True)
class CachedResponse:
    """An answer of `cached` but for its last value, the time that it took."""

    made_at: float  # by the monotonic clock, before the tickets were read
    body: bytes
    etag: str
    tickets: frozenset[tuple[int, ...]] = frozenset()


def cache_key(query: Mapping[str, Any]) -> Key | None:
    """Under which key the answer to the parameters of `cached` is kept; None for what is not."""
    if query["draw_date"] is not None or query["include_stats"]:
        return None
    return query["mode"], query["limit"]


def render(
    mode: str, limit: int, draw_date: date | None = None, include_stats: bool = False
) -> CachedResponse:
    """What `cached` answers; its ETag changes when what it shows does."""
    made_at = time.monotonic()
    day = draw_date or upcoming_draw()
    tickets = get_cached_tickets(mode, limit, day)
    shown: dict[str, Any] = {
        "mode": mode,
        "count": len(tickets),
        "draw_date": day.isoformat(),
        "tickets": tickets,
        "cached": True,
    }
    if include_stats:
        shown["db_stats"] = get_batch_ticket_stats()
    body = _dumps(shown).encode()[:-1] + b',"response_time_ms":'
    etag = f'W/"{blake2b(body, digest_size=12).hexdigest()}"'
    numbers = frozenset((*one["white_balls"], one["powerball"]) for one in tickets)
    return CachedResponse(made_at, body, etag, numbers)


def to_response(request: HttpRequest, answer: CachedResponse, started: float) -> HttpResponse:
    """The answer, timed from `started`; 304 for who has it already."""
    response: HttpResponse
    if etag_matches(answer, request.META.get("HTTP_IF_NONE_MATCH")):
        response = HttpResponseNotModified()
    else:
        response = HttpResponse(body_with_timing(answer, started), content_type="application/json")
    response.headers["ETag"] = answer.etag
    response.headers["Cache-Control"] = "max-age=1"
    return response


def body_with_timing(answer: CachedResponse, started: float) -> bytes:
    """The whole body, with the milliseconds since `started` of the performance counter."""
    return b"%b%.2f}" % (answer.body, (time.perf_counter() - started) * 1000)


def etag_matches(answer: CachedResponse, given: str | None) -> bool:
    """Whether an If-None-Match header names the answer.

    By the weak comparison of RFC 9110, 8.8.3.2, as it asks for here: the prefix does not count.
    """
    if given is None:
        return False
    known = {one.removeprefix("W/") for one in parse_etags(given)}
    return not known.isdisjoint({answer.etag.removeprefix("W/"), "*"})


@dataclass
class ResponseCache:
    """The kept answers of one process; `seconds` 0 keeps none."""

    seconds: float = 0.0
    kept: dict[Key, CachedResponse] = field(default_factory=dict)
    asked: dict[Key, float] = field(default_factory=dict)

    def get(self, key: Key) -> CachedResponse | None:
        """A kept answer that is young enough."""
        now = time.monotonic()
        self.asked[key] = now
        answer = self.kept.get(key)
        return answer if answer is not None and now - answer.made_at < self.seconds else None

    def set(self, key: Key, answer: CachedResponse) -> None:
        if self.seconds:
            self.kept[key] = answer

    def invalidate(self, claim: Claim) -> None:
        """Drop what shows a ticket of a claim, which this process has just granted."""
        claimed = {tuple(numbers) for numbers in claim.numbers}
        for key, answer in list(self.kept.items()):
            if not claimed.isdisjoint(answer.tickets):
                self.kept.pop(key, None)

    def recent_keys(self) -> list[Key]:
        since = time.monotonic() - ASKED_LATELY
        return [key for key, asked in list(self.asked.items()) if asked > since]

    def warm(self, keys: Iterable[Key]) -> None:
        """Render these and keep them."""
        for key in keys:
            self.set(key, render(*key))


response_cache = ResponseCache()


def enable() -> None:
    """Keep answers in this process from now on, with those that most ask for made already."""
    if settings.ANSWER_SECONDS:
        response_cache.seconds = settings.ANSWER_SECONDS
        CacheRefresher().start()


class CacheRefresher(threading.Thread):
    """Makes the usual answers at start-up and when a batch is published, and those asked for lately anew."""

    def __init__(self) -> None:
        super().__init__(name="warmer", daemon=True)
        self.published: list[int] | None = None
        self.is_away = False

    def run(self) -> None:
        while True:
            try:
                self.refresh()
                self.is_away = False
            except DATABASE_UNAVAILABLE as error:
                if not self.is_away:
                    logger.warning("answers are not kept warm while the database is away: %s", error)
                self.is_away = True
            finally:
                close_old_connections()
            time.sleep(REFRESH_SECONDS)

    def refresh(self) -> None:
        """One pass."""
        newest = TicketBatch.objects.order_by("-id").values_list("id", "status")[:BATCHES_WATCHED]
        published = [pk for pk, status in newest if status == TicketBatch.Status.READY]
        usual = [] if published == self.published else [(mode, DEFAULT_LIMIT) for mode in MODE_NAMES]
        response_cache.warm({*usual, *response_cache.recent_keys()})
        self.published = published
