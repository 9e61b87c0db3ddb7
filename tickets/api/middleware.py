"""What every answer of the API carries, whoever gave it: a view, DRF's errors, or Django's own."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from tickets.api.throttling import count_anonymous_request

API_PREFIX = "/api/"


class RateLimitHeadersMiddleware:
    """Say in each answer what is left of the minute's requests.

    What no view counted, such as an address that does not exist, counts against its sender here.
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
