"""Rate limits per minute, by client or by anonymous IP address.

Counters are in the default cache; without CACHE_URL each process counts its own requests only.
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
COOLDOWN = 5.0  # seconds between attempts to use the shared cache after it failed


@dataclass(frozen=True)
class Window:
    """State of one rate limit in the current minute."""

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
    """Count an anonymous request and attach the window to it, for RateLimitHeadersMiddleware."""
    django_request = request._request if isinstance(request, Request) else request
    meta = django_request.META
    window = hit(meta.get("REMOTE_ADDR", ""), UNKNOWN_CLIENT_KEY in meta)
    django_request.rate_window = window  # type: ignore[attr-defined]
    return window


def hit(address: str, is_unknown: bool = False) -> Window:
    """Count an anonymous request; all requests from unknown addresses share one counter."""
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
            used = increment_counter(caches["default"], key)
        except RedisError as error:
            circuit_breaker.record_failure(error)
        else:
            circuit_breaker.record_success(started_at)
    if used is None:
        used = increment_counter(caches["memory"], key)
    return Window(limit, used, resets_in=math.ceil(WINDOW - now % WINDOW))


def increment_counter(cache: BaseCache, key: str) -> int:
    for _ in range(2):
        try:
            return cache.incr(key)
        except ValueError:  # not set yet in this minute, or evicted from a full cache
            if cache.add(key, 1, 2 * WINDOW):
                return 1
    return 1


@lru_cache(maxsize=4096)
def address_bucket(address: str) -> str:
    """Return the /64 network of an IPv6 address, and other addresses as they are.

    An IPv4-mapped address counts as IPv4, since a single /64 contains all of them.
    """
    try:
        ip = ip_address(address)
    except ValueError:
        return address
    if not isinstance(ip, IPv6Address):
        return str(ip)
    return str(ip.ipv4_mapped or ip_network((ip, 64), strict=False))


class CircuitBreaker:
    """Limit attempts to use a failed cache to one per COOLDOWN seconds, since each waits for a timeout."""

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

    def record_success(self, started_at: float) -> None:
        """End the outage, unless the successful call was started before it."""
        with self._lock:
            if self._retry_at is None or started_at < self._retry_at - COOLDOWN:
                return
            self._retry_at = None
        logger.warning("Shared cache available again; rate limits are shared by all processes")

    def record_failure(self, error: RedisError) -> None:
        with self._lock:
            is_first = self._retry_at is None
            self._retry_at = time.monotonic() + COOLDOWN
        if is_first:
            logger.warning("Shared cache unavailable; each process counts its own requests: %s", error)


circuit_breaker = CircuitBreaker()


class RateLimitHeadersMiddleware:
    """Add the RateLimit-* headers to every API response, and count requests that no view has counted."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if request.path_info.startswith(API_PREFIX):
            window = getattr(request, "rate_window", None) or count_anonymous_request(request)
            for name, value in window.headers().items():
                response[name] = value
        return response
