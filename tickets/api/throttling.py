"""Rate limits: requests per minute and client, or per minute and anonymous IP address.

Counters are in the default cache. With CACHE_URL all processes share them; otherwise each process enforces
the limit on its own requests. Exact limits, such as the quota of claims, are counted in the database.
"""

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network
from threading import Lock
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.cache import BaseCache, caches
from django.http import HttpRequest, HttpResponse
from redis import RedisError
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from tickets.api.callers import UNKNOWN_CLIENT_KEY
from tickets.models.clients import ApiClient

if TYPE_CHECKING:  # DRF's views import this module
    from rest_framework.views import APIView

logger = logging.getLogger(__name__)

API_PREFIX = "/api/"
WINDOW = 60  # seconds
COOLDOWN = 5.0  # seconds without requests to the shared cache after it failed


@dataclass(frozen=True)
class Window:
    """The state of one rate limit in the current minute."""

    limit: int
    used: int
    resets_in: int  # seconds

    @property
    def is_exceeded(self) -> bool:
        return self.used > self.limit

    def headers(self) -> dict[str, str]:
        return {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(max(0, self.limit - self.used)),
            "RateLimit-Reset": str(self.resets_in),
        }


class ClientRateThrottle(BaseThrottle):
    """Apply a client's own rate, or ANONYMOUS_RATE per anonymous IP address."""

    window: Window

    def allow_request(self, request: Request, view: "APIView") -> bool:
        if isinstance(request.user, ApiClient):
            self.window = count_request(f"client:{request.user.pk}", request.user.rate)
            request._request.rate_window = self.window
        else:
            self.window = count_anonymous_request(request)
        return not self.window.is_exceeded

    def wait(self) -> float:
        return self.window.resets_in


def count_anonymous_request(request: HttpRequest | Request) -> Window:
    """Count an anonymous request and attach the window to it, for the response's headers."""
    django_request = request._request if isinstance(request, Request) else request
    meta = django_request.META
    window = hit(meta.get("REMOTE_ADDR", ""), UNKNOWN_CLIENT_KEY in meta)
    django_request.rate_window = window  # type: ignore[attr-defined]
    return window


def hit(address: str, is_unknown: bool = False) -> Window:
    """Count a request from an IP address; all requests with an unknown address share one counter."""
    identity = "unknown" if is_unknown else f"address:{address_bucket(address)}"
    return count_request(identity, settings.ANONYMOUS_RATE)


def count_request(identity: str, limit: int) -> Window:
    """Count a request in the shared cache, or in process memory while the cache is down."""
    now = time.time()
    key = f"rate:{identity}:{int(now // WINDOW)}"
    used = None
    if circuit_breaker.allows():
        started_at = time.monotonic()
        try:
            used = increment(caches["default"], key)
        except RedisError as error:
            circuit_breaker.failure(error)
        else:
            circuit_breaker.success(started_at)
    if used is None:
        used = increment(caches["memory"], key)
    return Window(limit, used, resets_in=math.ceil(WINDOW - now % WINDOW))


def increment(cache: BaseCache, key: str) -> int:
    for _ in range(2):
        try:
            return cache.incr(key)
        except ValueError:  # not set yet in this minute, or evicted from a full cache
            if cache.add(key, 1, 2 * WINDOW):
                return 1
    return 1


@lru_cache(maxsize=4096)
def address_bucket(address: str) -> str:
    """Return the counter's key for an IP address: IPv6 addresses are counted per /64 network.

    An IPv4-mapped IPv6 address counts as its IPv4 address, since a single /64 contains all of them.
    """
    try:
        ip = ip_address(address)
    except ValueError:
        return address
    if not isinstance(ip, IPv6Address):
        return str(ip)
    return str(ip.ipv4_mapped or ip_network((ip, 64), strict=False))


class CircuitBreaker:
    """Decide whether to use the shared cache; during an outage, allow one attempt per COOLDOWN seconds.

    An outage is logged once, and at most one request per COOLDOWN waits for the cache's timeout.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._retry_at: float | None = None  # set during an outage

    def allows(self) -> bool:
        with self._lock:
            now = time.monotonic()
            if self._retry_at is None:
                return True
            if now < self._retry_at:
                return False
            self._retry_at = now + COOLDOWN
            return True

    def success(self, started_at: float) -> None:
        """End the outage, unless the successful call was started before it."""
        with self._lock:
            if self._retry_at is None or started_at < self._retry_at - COOLDOWN:
                return
            self._retry_at = None
        logger.warning("Shared cache available again; rate limits are shared by all processes")

    def failure(self, error: RedisError) -> None:
        with self._lock:
            is_first = self._retry_at is None
            self._retry_at = time.monotonic() + COOLDOWN
        if is_first:
            logger.warning("Shared cache unavailable; each process counts its own requests: %s", error)


circuit_breaker = CircuitBreaker()


class RateLimitHeadersMiddleware:
    """Add the RateLimit-* headers to every API response, including errors that Django produces itself.

    Requests that no view has counted, such as those to unknown URLs, are counted here.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if request.path_info.startswith(API_PREFIX):
            window = getattr(request, "rate_window", None) or count_anonymous_request(request)
            for name, value in window.headers().items():
                response[name] = value
        return response
