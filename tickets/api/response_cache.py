"""In-process cache of rendered responses of `cached`, for ANSWER_SECONDS (one second by default).

The short lifetime bounds how long a ticket claimed through another process is still shown. A thread refreshes
recently requested responses before they expire, so hardly any request waits for the database.
"""

import json
import logging
import threading
import time
from collections.abc import Mapping
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

REFRESH_SECONDS = 0.4  # well below the lifetime of a response
RECENT_SECONDS = 10.0  # responses requested within this time are refreshed
WATCHED_BATCHES = 20  # latest batches

Key = tuple[str, int]  # mode and limit; 500 keys, all for the next draw and without db_stats
_dumps = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


@dataclass(frozen=True)
class CachedResponse:
    """A response of `cached` without its last value, the response time."""

    rendered_at: float  # time.monotonic() before the tickets were read
    body: bytes
    etag: str
    tickets: frozenset[tuple[int, ...]] = frozenset()


def cache_key(query: Mapping[str, Any]) -> Key | None:
    """Return the key of a response to these parameters, or None if it is not cached."""
    if query["draw_date"] is not None or query["include_stats"]:
        return None
    return query["mode"], query["limit"]


def render_tickets(
    mode: str, limit: int, draw_date: date | None = None, include_stats: bool = False
) -> CachedResponse:
    rendered_at = time.monotonic()
    day = draw_date or upcoming_draw()
    tickets = get_cached_tickets(mode, limit, day)
    content: dict[str, Any] = {
        "mode": mode,
        "count": len(tickets),
        "draw_date": day.isoformat(),
        "tickets": tickets,
        "cached": True,
    }
    if include_stats:
        content["db_stats"] = get_batch_ticket_stats()
    body = _dumps(content).encode()[:-1] + b',"response_time_ms":'
    etag = f'W/"{blake2b(body, digest_size=12).hexdigest()}"'
    numbers = frozenset((*ticket["white_balls"], ticket["powerball"]) for ticket in tickets)
    return CachedResponse(rendered_at, body, etag, numbers)


def to_response(request: HttpRequest, cached: CachedResponse, started: float) -> HttpResponse:
    response: HttpResponse
    if etag_matches(cached, request.META.get("HTTP_IF_NONE_MATCH")):
        response = HttpResponseNotModified()
    else:
        response = HttpResponse(body_with_timing(cached, started), content_type="application/json")
    response.headers["ETag"] = cached.etag
    response.headers["Cache-Control"] = "max-age=1"
    return response


def body_with_timing(cached: CachedResponse, started: float) -> bytes:
    """Append the milliseconds since `started`, a value of `time.perf_counter()`."""
    return b"%b%.2f}" % (cached.body, (time.perf_counter() - started) * 1000)


def etag_matches(cached: CachedResponse, if_none_match: str | None) -> bool:
    """Compare with an If-None-Match header by weak comparison (RFC 9110, 8.8.3.2)."""
    if if_none_match is None:
        return False
    etags = {etag.removeprefix("W/") for etag in parse_etags(if_none_match)}
    return not etags.isdisjoint({cached.etag.removeprefix("W/"), "*"})


@dataclass
class ResponseCache:
    """Responses cached in this process for `seconds`; 0 disables the cache."""

    seconds: float = 0.0
    responses: dict[Key, CachedResponse] = field(default_factory=dict)
    requested_at: dict[Key, float] = field(default_factory=dict)

    def get(self, key: Key) -> CachedResponse | None:
        """Return the response unless it has expired, and record the request."""
        now = time.monotonic()
        self.requested_at[key] = now
        cached = self.responses.get(key)
        return cached if cached is not None and now - cached.rendered_at < self.seconds else None

    def set(self, key: Key, response: CachedResponse) -> None:
        if self.seconds:
            self.responses[key] = response

    def invalidate_claimed(self, claim: Claim) -> None:
        """Drop responses that contain a ticket of the claim."""
        claimed = {tuple(numbers) for numbers in claim.numbers}
        for key, response in list(self.responses.items()):
            if not claimed.isdisjoint(response.tickets):
                self.responses.pop(key, None)

    def recent_keys(self) -> list[Key]:
        since = time.monotonic() - RECENT_SECONDS
        return [key for key, instant in list(self.requested_at.items()) if instant > since]


response_cache = ResponseCache()


def enable_cache() -> None:
    """Turn the cache on; only the web server's entry points do."""
    if settings.ANSWER_SECONDS:
        response_cache.seconds = settings.ANSWER_SECONDS
        CacheRefresher().start()


class CacheRefresher(threading.Thread):
    """Refresh recent responses, and the default ones at startup and when a batch becomes ready."""

    def __init__(self) -> None:
        super().__init__(name="cache-refresher", daemon=True)
        self.ready_batches: list[int] | None = None
        self.is_unavailable = False

    def run(self) -> None:
        while True:
            try:
                self.refresh()
                self.is_unavailable = False
            except DATABASE_UNAVAILABLE as error:
                if not self.is_unavailable:
                    logger.warning(
                        "Response cache is not refreshed while the database is unavailable: %s", error
                    )
                self.is_unavailable = True
            finally:
                close_old_connections()
            time.sleep(REFRESH_SECONDS)

    def refresh(self) -> None:
        latest = TicketBatch.objects.order_by("-id").values_list("id", "status")[:WATCHED_BATCHES]
        ready_batches = [pk for pk, status in latest if status == TicketBatch.Status.READY]
        keys = set(response_cache.recent_keys())
        if ready_batches != self.ready_batches:
            keys.update((mode, DEFAULT_LIMIT) for mode in MODE_NAMES)
        for key in keys:
            response_cache.set(key, render_tickets(*key))
        self.ready_batches = ready_batches
