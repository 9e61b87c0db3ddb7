"""Around the API's views: what many ask for is answered before them, and each answer says one's rate."""

import time
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from tickets.api.answers import ANSWERS, Answer, kept_key, respond
from tickets.api.problems import BadValues
from tickets.api.queries import CachedQuery, checked_query
from tickets.api.throttles import count_address

API_PREFIX = "/api/"
CACHED = "/api/v1/tickets/cached"

Handler = Callable[[HttpRequest], HttpResponse]


class KeptAnswers:
    """Answers `GET /api/v1/tickets/cached` of anonymous callers from memory where that is possible.

    Everything else, each error too, is the view's: so both say the same.
    """

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path_info == CACHED and ANSWERS.seconds and _is_plain(request):
            started = time.perf_counter()
            answer = _kept_answer(request.META["QUERY_STRING"])
            if answer and not count_address(request).is_over:
                request.get_host()  # one that is not allowed is refused here as elsewhere
                return respond(request, answer, started)
        return self.get_response(request)


def _is_plain(request: HttpRequest) -> bool:
    return request.method == "GET" and "HTTP_AUTHORIZATION" not in request.META


def _kept_answer(query_string: str) -> Answer | None:
    try:
        key = kept_key(checked_query(CachedQuery, query_string))
    except BadValues:
        return None
    return ANSWERS.get(key) if key else None


class RateHeaders:
    """Say in each answer what is left of the minute's requests.

    What no view counted, such as an address that does not exist, counts against its sender here.
    """

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if request.path_info.startswith(API_PREFIX):
            window = getattr(request, "rate_window", None) or count_address(request)
            for name, value in window.headers().items():
                response.headers[name] = value
        return response
