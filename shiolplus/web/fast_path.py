"""WSGI fast path that serves `/tickets/cached` from memory."""

import time
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.http.request import split_domain_port, validate_host

from shiolplus.logs.filters import choose_request_id
from shiolplus.web.trusted_proxies import Proxies
from tickets.api.exceptions import InvalidParameters
from tickets.api.request_params import CachedQuery, validate_query
from tickets.api.response_cache import (
    CachedResponse,
    body_with_timing,
    cache_key,
    etag_matches,
    response_cache,
)
from tickets.api.throttling import hit

CACHED_TICKETS = "/api/v1/tickets/cached"
PER_RESPONSE_HEADERS = {
    "ETag",
    "Content-Length",
    "X-Request-ID",
    "RateLimit-Limit",
    "RateLimit-Remaining",
    "RateLimit-Reset",
}
BODY_HEADERS = {"Content-Type"}

Environ = dict[str, Any]
Headers = list[tuple[str, str]]
Start = Callable[..., Any]
Application = Callable[[Environ, Start], Iterable[bytes]]


class CachedTicketsFastPath:
    """Serve a cached response if Django would send the same, with the headers of its last response."""

    def __init__(self, application: Application) -> None:
        self.application = application
        self.proxies = Proxies()
        self.headers: dict[bool, Headers] = {}  # key: whether the request used TLS

    def __call__(self, environ: Environ, start_response: Start) -> Iterable[bytes]:
        if environ["PATH_INFO"] != CACHED_TICKETS or environ["REQUEST_METHOD"] != "GET":
            return self.application(environ, start_response)
        if "HTTP_AUTHORIZATION" in environ or not response_cache.seconds:
            return self.application(environ, start_response)
        started = time.perf_counter()
        origin = self.proxies.client_address_and_scheme(environ)
        is_secure = (origin.scheme or environ["wsgi.url_scheme"]) == "https"
        response = self.find_response(environ, is_secure)
        if response is not None and not (window := hit(origin.address, bool(origin.unknown))).is_exceeded:
            # For the access log; Django would take it for the peer's IP address.
            environ["REMOTE_ADDR"] = origin.address
            headers = {"X-Request-ID": choose_request_id(environ), "ETag": response.etag} | window.headers()
            all_headers = [*self.headers[is_secure], *headers.items()]
            return self.send_response(environ, start_response, response, started, all_headers)
        return self.application(environ, self.capture_headers(is_secure, start_response))

    def find_response(self, environ: Environ, is_secure: bool) -> CachedResponse | None:
        if is_secure not in self.headers or (settings.SECURE_SSL_REDIRECT and not is_secure):
            return None
        if not is_allowed_host(environ.get("HTTP_HOST", "")):
            return None
        try:
            key = cache_key(validate_query(CachedQuery, environ["QUERY_STRING"]))
        except InvalidParameters:
            return None
        return response_cache.get(key) if key else None

    def send_response(
        self,
        environ: Environ,
        start_response: Start,
        response: CachedResponse,
        started: float,
        headers: Headers,
    ) -> Iterable[bytes]:
        if etag_matches(response, environ.get("HTTP_IF_NONE_MATCH")):
            start_response("304 Not Modified", [item for item in headers if item[0] not in BODY_HEADERS])
            return []
        body = body_with_timing(response, started)
        start_response("200 OK", [*headers, ("Content-Length", str(len(body)))])
        return [body]

    def capture_headers(self, is_secure: bool, start_response: Start) -> Start:
        """Return a `start_response` that stores the headers of Django's successful responses."""

        def start(status: str, headers: Headers, *error: Any) -> Any:
            if status.startswith("200 "):
                self.headers[is_secure] = [item for item in headers if item[0] not in PER_RESPONSE_HEADERS]
            return start_response(status, headers, *error)

        return start


@lru_cache(maxsize=256)
def is_allowed_host(host: str) -> bool:
    return validate_host(split_domain_port(host)[0], settings.ALLOWED_HOSTS)
