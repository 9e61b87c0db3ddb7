"""Request id middleware and logging filters."""

import logging
import re
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse

from shiolplus.logs.context import current_ids, log_ids

_VALID_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")


def choose_request_id(headers: Mapping[str, Any]) -> str:
    """Return a well-formed X-Request-ID header, else a new id."""
    request_id = headers.get("HTTP_X_REQUEST_ID", "")
    return request_id if _VALID_REQUEST_ID.fullmatch(request_id) else uuid.uuid4().hex


class RequestIdMiddleware:
    """Set `request.request_id`, in log lines and in the X-Request-ID response header too."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request_id = choose_request_id(request.META)
        request.request_id = request_id  # type: ignore[attr-defined]
        with log_ids(request=request_id):
            response = self.get_response(request)
        response["X-Request-ID"] = request_id
        return response


class ContextFilter(logging.Filter):
    """Set `named_ids` on a record, and `ids` as text: " [run=… batch=…]"."""

    def filter(self, record: logging.LogRecord) -> bool:
        ids = dict(current_ids())
        # Some lines are logged after the middleware has returned.
        if request_id := getattr(getattr(record, "request", None), "request_id", None):
            ids["request"] = request_id
        text = " ".join(f"{name}={value}" for name, value in ids.items())
        record.named_ids = ids
        record.ids = f" [{text}]" if text else ""
        return True


class SecurityTracebackFilter(logging.Filter):
    """Drop the tracebacks of requests that Django rejects."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.startswith("django.security."):
            record.exc_info = record.exc_text = None
        return True
