"""What ties a request to its answer and each log line to its run, batch and request: their ids."""

import logging
import re
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse

from shiolplus.logs.context import current_ids, log_ids

_GIVEN_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")


def request_id_of(headers: Mapping[str, Any]) -> str:
    """A request's id: a well-formed one that came with it, so that it is followed across proxies, or new."""
    given = headers.get("HTTP_X_REQUEST_ID", "")
    return given if _GIVEN_ID.fullmatch(given) else uuid.uuid4().hex


class RequestIdMiddleware:
    """Give each request a `request_id`, in its log lines and in the answer's `X-Request-ID` header."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request_id = request_id_of(request.META)
        request.request_id = request_id  # type: ignore[attr-defined]
        with log_ids(request=request_id):
            response = self.get_response(request)
        response["X-Request-ID"] = request_id
        return response


class ContextFilter(logging.Filter):
    """Add to a record `named_ids`, and as text `ids`: " [run=… batch=…]", or nothing where there is none."""

    def filter(self, record: logging.LogRecord) -> bool:
        ids = dict(current_ids())
        # Django's own lines of a request are written after the middleware, but name the request.
        if request_id := getattr(getattr(record, "request", None), "request_id", None):
            ids["request"] = request_id
        text = " ".join(f"{name}={value}" for name, value in ids.items())
        record.named_ids = ids
        record.ids = f" [{text}]" if text else ""
        return True


class SecurityTracebackFilter(logging.Filter):
    """A request that Django refuses, such as one for another host, is a line and no traceback.

    It tells of the client and not of our code, and whoever tries addresses would fill the log.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.startswith("django.security."):
            record.exc_info = record.exc_text = None
        return True
