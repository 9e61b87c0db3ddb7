"""Middleware for all API responses, including errors that Django produces itself."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from tickets.api.throttling import count_anonymous_request

API_PREFIX = "/api/"


class RateLimitHeadersMiddleware:
    """Add the RateLimit-* headers to every API response.

    Requests that no view has counted, such as those to unknown URLs, are counted here.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if request.path_info.startswith(API_PREFIX):
            window = getattr(request, "rate_window", None) or count_anonymous_request(request)
            for name, value in window.headers().items():
                response.headers[name] = value
        return response
