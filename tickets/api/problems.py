"""API errors as `application/problem+json` (RFC 9457)."""

import logging
import math
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from typing import Any

from django.db import InterfaceError, InternalError, OperationalError, ProgrammingError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views import defaults
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response

from shiolplus.logs.outages import outage_of
from tickets.claims.allocation import (
    ClaimRefused,
    IdempotencyKeyReused,
    InsufficientStock,
    ModeNotAllowed,
    QuotaExceeded,
    SalesClosed,
)

logger = logging.getLogger(__name__)

CONTENT_TYPE = "application/problem+json"
JSON_TYPES = (CONTENT_TYPE, "application/json")  # errors with these types are left as they are
# Paths for programs; errors of all others are HTML pages.
API_PATH = re.compile(r"/(api|healthz|readyz|metrics|favicon\.ico)(/|$)")
MAX_ERRORS = 20  # 64 KiB of unknown fields would give a megabyte of errors
# The database or its tables are unavailable. A DataError or IntegrityError is a bug, and so a 500.
DATABASE_UNAVAILABLE = (OperationalError, ProgrammingError, InterfaceError, InternalError)
UNAVAILABLE = "The database is unavailable. Try again shortly."
UNEXPECTED = "Internal error. Quote the request id when reporting it."


class InvalidParameters(exceptions.APIException):
    """Invalid values of a request, each with its name, the value and what is allowed."""

    status_code = HTTPStatus.BAD_REQUEST

    def __init__(self, errors: list[dict[str, Any]]) -> None:
        self.errors = errors[:MAX_ERRORS]
        texts = [
            f"{error['name']} {_value_text(error['value'])}: {error['allowed']}" for error in self.errors
        ]
        if len(errors) > MAX_ERRORS:
            texts.append(f"and {len(errors) - MAX_ERRORS} more")
        super().__init__("; ".join(texts))


def _value_text(value: str | None) -> str:
    return "is missing" if value is None else repr(value)


def problem(
    request: HttpRequest | Request, status: int, detail: str, errors: list[dict[str, Any]] | None = None
) -> dict[str, Any]:
    """Return the body of a problem; `errors` lists the invalid values as {name, value, allowed}."""
    return {
        "type": "about:blank",
        "title": status_title(status),
        "status": int(status),
        "detail": detail,
        "instance": request.path,
        "request_id": getattr(request, "request_id", ""),
        "errors": errors or [],
    }


def status_title(status: int) -> str:
    """Return the reason phrase of RFC 9110; some phrases differ in Python before 3.13."""
    return _TITLES.get(status) or HTTPStatus(status).phrase


_TITLES = {413: "Content Too Large", 414: "URI Too Long", 422: "Unprocessable Content"}


def problem_from_exception(error: Exception, context: Mapping[str, Any]) -> Response | None:
    """Handle exceptions for DRF. Return None to leave the error to Django, which calls `server_error`."""
    request: Request = context["request"]
    if isinstance(error, DATABASE_UNAVAILABLE):
        logger.error("Database unavailable for %s: %s", request.path, error)
        return _response(problem(request, HTTPStatus.SERVICE_UNAVAILABLE, UNAVAILABLE), {"Retry-After": "5"})
    if isinstance(error, ClaimRefused):
        return _claim_refused(request, error)
    if isinstance(error, Http404):
        error = exceptions.NotFound()
    if not isinstance(error, exceptions.APIException):
        return None
    headers: dict[str, str] = {}
    if (wait := getattr(error, "wait", None)) is not None:
        headers["Retry-After"] = str(int(wait))
    if scheme := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = scheme
    errors = list(getattr(error, "errors", [])) or list(_errors(error.detail))
    return _response(problem(request, error.status_code, _sentence(error.detail), errors), headers)


_STATUS_BY_REFUSAL: dict[type[ClaimRefused], HTTPStatus] = {
    ModeNotAllowed: HTTPStatus.FORBIDDEN,
    IdempotencyKeyReused: HTTPStatus.UNPROCESSABLE_ENTITY,
    SalesClosed: HTTPStatus.CONFLICT,
    InsufficientStock: HTTPStatus.CONFLICT,
    QuotaExceeded: HTTPStatus.TOO_MANY_REQUESTS,
}


def _claim_refused(request: Request, error: ClaimRefused) -> Response:
    headers = {}
    if isinstance(error, QuotaExceeded):
        wait = (error.quota.resets_at - timezone.now()).total_seconds()
        headers["Retry-After"] = str(math.ceil(wait))
    errors = [{"name": error.field, "value": error.value, "allowed": error.allowed}]
    return _response(problem(request, _STATUS_BY_REFUSAL[type(error)], str(error), errors), headers)


def _response(body: dict[str, Any], headers: dict[str, str]) -> Response:
    return Response(body, status=body["status"], headers=headers, content_type=CONTENT_TYPE)


def _sentence(detail: Any) -> str:
    if isinstance(detail, Mapping):
        return "; ".join(f"{name}: {_sentence(texts)}" for name, texts in detail.items())
    if isinstance(detail, list):
        return " ".join(map(str, detail))
    return str(detail)


def _errors(detail: Any) -> Iterator[dict[str, Any]]:
    if isinstance(detail, Mapping):
        for name, texts in detail.items():
            yield {"name": name, "value": None, "allowed": _sentence(texts)}


# Django's error handlers, for errors outside DRF


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Handle 400 for requests that Django rejects, for example with an unknown host."""
    return _problem_response(
        request, HTTPStatus.BAD_REQUEST, "The request is malformed."
    ) or defaults.bad_request(request, exception)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _problem_response(
        request, HTTPStatus.NOT_FOUND, f"No resource at {request.path}."
    ) or defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """Return 503 for an outage, and otherwise 500."""
    if kind := outage_of(sys.exc_info()[1]):  # Django calls this while it handles the exception
        return _unavailable(request, kind)
    return _problem_response(request, HTTPStatus.INTERNAL_SERVER_ERROR, UNEXPECTED) or defaults.server_error(
        request
    )


def _unavailable(request: HttpRequest, kind: str) -> HttpResponse:
    """Return 503 for an outage of database, disk or cache; a page names it, the log has the details."""
    status, reason = HTTPStatus.SERVICE_UNAVAILABLE, f"{kind[0].upper()}{kind[1:]}"
    response = _problem_response(request, status, UNAVAILABLE) or HttpResponse(
        f"<!doctype html><title>Service unavailable</title><h1>Service unavailable</h1><p>{reason}. "
        "See <code>manage.py status</code> on the server, or <a href='/readyz'>/readyz</a>.",
        status=status,
    )
    response["Retry-After"] = "5"
    return response


def _problem_response(request: HttpRequest, status: HTTPStatus, detail: str) -> HttpResponse | None:
    """Return a problem response for an API path, and None for other paths."""
    if not API_PATH.match(request.path):
        return None
    return JsonResponse(problem(request, status, detail), status=status, content_type=CONTENT_TYPE)


class ProblemJsonMiddleware:
    """Convert error responses of Django's own views and middleware on API paths into problems.

    Keep status and headers and replace the body, unless it is JSON already, such as that of `readyz`.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if response.status_code < 400 or response.get("Content-Type") in JSON_TYPES:
            return response
        status = HTTPStatus(response.status_code)
        converted = _problem_response(request, status, _status_detail(request, response))
        if converted is None:
            return response
        for name, value in response.items():
            if name not in ("Content-Type", "Content-Length"):
                converted[name] = value
        return converted


def _status_detail(request: HttpRequest, response: HttpResponse) -> str:
    if response.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        return f'Method "{request.method}" not allowed; use {response.get("Allow")}.'
    return f"{HTTPStatus(response.status_code).description or response.reason_phrase}."
