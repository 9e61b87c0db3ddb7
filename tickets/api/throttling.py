"""How often one may ask: so many requests a minute, counted for each client and each anonymous address.

The count is in the default cache: with CACHE_URL all processes share it, without it each enforces the rate
for its own part of the requests. It keeps the API for all; what must be exact, the quota of claims, is
counted in the database.
"""

import logging
import math
import time
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network
from threading import Lock
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.cache import BaseCache, caches
from django.http import HttpRequest
from redis import RedisError
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from tickets.api.callers import UNKNOWN_CLIENT_KEY
from tickets.models.clients import ApiClient

if TYPE_CHECKING:  # DRF's views import this module
    from rest_framework.views import APIView

logger = logging.getLogger(__name__)

WINDOW = 60  # seconds
COOLDOWN = 5.0  # seconds that a shared cache which did not answer is not asked again


@dataclass(frozen=True)
class Window:
    """What is left of a minute's requests."""

    limit: int
    used: int
    resets_in: int  # seconds

    @property
    def is_over(self) -> bool:
        return self.used > self.limit

    def headers(self) -> dict[str, str]:
        return {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(max(0, self.limit - self.used)),
            "RateLimit-Reset": str(self.resets_in),
        }


class ClientRateThrottle(BaseThrottle):
    """DRF's side of it: a client has its own rate, an anonymous address the set one."""

    window: Window

    def allow_request(self, request: Request, view: "APIView") -> bool:
        if isinstance(request.user, ApiClient):
            self.window = _count(f"client:{request.user.pk}", request.user.rate)
            request._request.rate_window = self.window
        else:
            self.window = count_anonymous_request(request)
        return not self.window.is_over

    def wait(self) -> float:
        return self.window.resets_in


def count_anonymous_request(request: HttpRequest | Request) -> Window:
    """Count a request of nobody in particular; the request keeps the window for the answer's headers."""
    django_request = request._request if isinstance(request, Request) else request
    meta = django_request.META
    window = hit(meta.get("REMOTE_ADDR", ""), UNKNOWN_CLIENT_KEY in meta)
    django_request.rate_window = window  # type: ignore[attr-defined]
    return window


def hit(address: str, is_unknown: bool = False) -> Window:
    """Count a request from an IP address, or from all clients whose address is unknown together."""
    identity = "unknown" if is_unknown else f"address:{_bucket(address)}"
    return _count(identity, settings.ANONYMOUS_RATE)


def _count(identity: str, limit: int) -> Window:
    now = time.time()
    minute = int(now // WINDOW)
    return Window(
        limit, _increment_with_fallback(f"rate:{identity}:{minute}"), math.ceil(WINDOW - now % WINDOW)
    )


@lru_cache(maxsize=4096)
def _bucket(address: str) -> str:
    """An IPv6 address counts as its /64, for that is what one household or server has.

    An IPv4 address within one, as a socket for both kinds gives it, counts as itself: a /64 holds them all.
    """
    try:
        ip = ip_address(address)
    except ValueError:
        return address
    if not isinstance(ip, IPv6Address):
        return str(ip)
    return str(ip.ipv4_mapped or ip_network((ip, 64), strict=False))


class CircuitBreaker:
    """Whether the shared cache is asked: always while it answers, and else by one request now and then.

    So an outage costs one warning, and one request in `LEFT_ALONE` seconds the time that a hanging one takes.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._asked_again_at: float | None = None  # while it is away

    def allows(self) -> bool:
        if self._asked_again_at is None:
            return True
        with self._lock:
            if self._asked_again_at is None:  # it has answered meanwhile
                return True
            if (now := time.monotonic()) < self._asked_again_at:
                return False
            self._asked_again_at = now + COOLDOWN
            return True

    def success(self, asked_at: float) -> None:
        """Note an answer; one to a request from before the outage, which came late, says nothing."""
        if self._asked_again_at is None:
            return
        with self._lock:
            if self._asked_again_at is None or asked_at < self._asked_again_at - COOLDOWN:
                return
            self._asked_again_at = None
        logger.warning("the shared cache answers again, so requests are counted for all processes")

    def failure(self, error: RedisError) -> None:
        with self._lock:
            is_news = self._asked_again_at is None
            self._asked_again_at = time.monotonic() + COOLDOWN
        if is_news:
            logger.warning("the shared cache is away, so each process counts its own requests: %s", error)


_shared_cache = CircuitBreaker()


def _increment_with_fallback(key: str) -> int:
    """The count of a key with one more; in this process's own memory while the shared cache is away."""
    if _shared_cache.allows():
        asked_at = time.monotonic()
        try:
            count = _increment(caches["default"], key)
        except RedisError as error:
            _shared_cache.failure(error)
        else:
            _shared_cache.success(asked_at)
            return count
    return _increment(caches["memory"], key)


def _increment(cache: BaseCache, key: str) -> int:
    for _ in range(2):
        try:
            return cache.incr(key)
        except ValueError:  # the first of its minute, or dropped since by a cache that is full
            if cache.add(key, 1, 2 * WINDOW):
                return 1
    return 1
