"""`cached` from memory before Django is asked, whose handling of a request takes longer than all the rest."""

import time
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.http.request import split_domain_port, validate_host

from shiolplus.logs.filters import request_id_of
from shiolplus.web.trusted_proxies import Proxies
from tickets.api.problems import InvalidParameters
from tickets.api.request_params import CachedQuery, validate_query
from tickets.api.response_cache import (
    CachedResponse,
    body_with_timing,
    cache_key,
    etag_matches,
    response_cache,
)
from tickets.api.throttling import hit

CACHED = "/api/v1/tickets/cached"
# What differs from one answer to the next.
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
    """A WSGI application around Django's: answers what Django would answer just so, hands the rest on.

    That is a GET of `cached` without a key, for an allowed host, over TLS where plain ones are redirected,
    within the rate, whose answer is kept. The headers are those that Django gave with such an answer before.
    """

    def __init__(self, application: Application) -> None:
        self.application = application
        self.proxies = Proxies()
        self.headers: dict[bool, Headers] = {}  # of requests over TLS, and of plain ones

    def __call__(self, environ: Environ, start_response: Start) -> Iterable[bytes]:
        if environ["PATH_INFO"] != CACHED or environ["REQUEST_METHOD"] != "GET":
            return self.application(environ, start_response)
        if "HTTP_AUTHORIZATION" in environ or not response_cache.seconds:
            return self.application(environ, start_response)
        started = time.perf_counter()
        origin = self.proxies.client_address_and_scheme(environ)
        is_secure = (origin.scheme or environ["wsgi.url_scheme"]) == "https"
        answer = self._lookup(environ, is_secure)
        if answer is not None and not (window := hit(origin.address, bool(origin.unknown))).is_over:
            environ["REMOTE_ADDR"] = origin.address  # for the access log; Django would read it as the peer's
            own = {"X-Request-ID": request_id_of(environ), "ETag": answer.etag} | window.headers()
            return self._send(environ, start_response, answer, started, self.headers[is_secure], own)
        return self.application(environ, self._capture_headers(is_secure, start_response))

    def _lookup(self, environ: Environ, is_secure: bool) -> CachedResponse | None:
        """A kept answer to this request, if that is what Django would give."""
        if is_secure not in self.headers or (settings.SECURE_SSL_REDIRECT and not is_secure):
            return None
        if not _is_allowed(environ.get("HTTP_HOST", "")):
            return None
        try:
            key = cache_key(validate_query(CachedQuery, environ["QUERY_STRING"]))
        except InvalidParameters:
            return None
        return response_cache.get(key) if key else None

    def _send(
        self,
        environ: Environ,
        start_response: Start,
        answer: CachedResponse,
        started: float,
        headers: Headers,
        own: dict[str, str],
    ) -> Iterable[bytes]:
        if etag_matches(answer, environ.get("HTTP_IF_NONE_MATCH")):
            plain = [one for one in headers if one[0] not in BODY_HEADERS]
            start_response("304 Not Modified", [*plain, *own.items()])
            return []
        body = body_with_timing(answer, started)
        start_response("200 OK", [*headers, *own.items(), ("Content-Length", str(len(body)))])
        return [body]

    def _capture_headers(self, is_secure: bool, start_response: Start) -> Start:
        """Note the headers with which Django answers."""

        def start(status: str, headers: Headers, *error: Any) -> Any:
            if status.startswith("200 "):
                self.headers[is_secure] = [one for one in headers if one[0] not in PER_RESPONSE_HEADERS]
            return start_response(status, headers, *error)

        return start


@lru_cache(maxsize=256)
def _is_allowed(host: str) -> bool:
    return validate_host(split_domain_port(host)[0], settings.ALLOWED_HOSTS)
