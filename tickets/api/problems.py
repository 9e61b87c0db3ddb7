"""Every error of the API as `application/problem+json` (RFC 9457)."""

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
JSON_TYPES = (CONTENT_TYPE, "application/json")  # an error that comes in one of these says what it is
# Addresses for programs; elsewhere errors are pages.
API_ADDRESS = re.compile(r"/(api|healthz|readyz|metrics|favicon\.ico)(/|$)")
MAX_ERRORS = 20  # that are named: 64 KiB of unknown fields would be a megabyte of errors
# The database is away, or its tables are; a value that it refuses would be our mistake, and a 500.
DATABASE_UNAVAILABLE = (OperationalError, ProgrammingError, InterfaceError, InternalError)
UNAVAILABLE = "The database is not available; nothing is known of the stock. Try again shortly."
UNEXPECTED = "An unexpected error; the request id finds it in the log."


class InvalidParameters(exceptions.APIException):
    """Values of a request that are not allowed: each with its name, the value and what is allowed."""

    status_code = HTTPStatus.BAD_REQUEST

    def __init__(self, errors: list[dict[str, Any]]) -> None:
        self.errors = errors[:MAX_ERRORS]
        texts = [f"{one['name']} {_given(one['value'])}: {one['allowed']}" for one in self.errors]
        if len(errors) > MAX_ERRORS:
            texts.append(f"and {len(errors) - MAX_ERRORS} more")
        super().__init__("; ".join(texts))


def _given(value: str | None) -> str:
    return "is missing" if value is None else repr(value)


def problem(
    request: HttpRequest | Request, status: int, detail: str, errors: list[dict[str, Any]] | None = None
) -> dict[str, Any]:
    """The body of one problem; `errors` names each bad value: {name, value, allowed}."""
    return {
        "type": "about:blank",
        "title": title_of(status),
        "status": int(status),
        "detail": detail,
        "instance": request.path,
        "request_id": getattr(request, "request_id", ""),
        "errors": errors or [],
    }


def title_of(status: int) -> str:
    """A status in the words of RFC 9110, of which Python before 3.13 has some otherwise."""
    return _TITLES.get(status) or HTTPStatus(status).phrase


_TITLES = {413: "Content Too Large", 414: "URI Too Long", 422: "Unprocessable Content"}


def problem_from_exception(error: Exception, context: Mapping[str, Any]) -> Response | None:
    """DRF's exception handler. None leaves the error to Django, and so to `server_error`."""
    request: Request = context["request"]
    if isinstance(error, DATABASE_UNAVAILABLE):
        logger.error("the database did not answer %s: %s", request.path, error)
        return _response(problem(request, HTTPStatus.SERVICE_UNAVAILABLE, UNAVAILABLE), {"Retry-After": "5"})
    if isinstance(error, ClaimRefused):
        return _refused(request, error)
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


_REFUSALS: dict[type[ClaimRefused], HTTPStatus] = {
    ModeNotAllowed: HTTPStatus.FORBIDDEN,
    IdempotencyKeyReused: HTTPStatus.UNPROCESSABLE_ENTITY,
    SalesClosed: HTTPStatus.CONFLICT,
    InsufficientStock: HTTPStatus.CONFLICT,
    QuotaExceeded: HTTPStatus.TOO_MANY_REQUESTS,
}


def _refused(request: Request, error: ClaimRefused) -> Response:
    """A claim that is not granted."""
    headers = {}
    if isinstance(error, QuotaExceeded):
        wait = (error.quota.resets_at - timezone.now()).total_seconds()
        headers["Retry-After"] = str(math.ceil(wait))
    errors = [{"name": error.field, "value": error.value, "allowed": error.allowed}]
    return _response(problem(request, _REFUSALS[type(error)], str(error), errors), headers)


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


# Outside DRF: Django's own handlers


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """400: a request that Django itself refuses, such as a host that is not allowed."""
    return _problem_response(
        request, HTTPStatus.BAD_REQUEST, "The request is malformed."
    ) or defaults.bad_request(request, exception)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """404: no such address."""
    return _problem_response(
        request, HTTPStatus.NOT_FOUND, f"There is nothing at {request.path}."
    ) or defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """500: a mistake of ours; the log has it under the request id. 503 for an outage."""
    if kind := outage_of(sys.exc_info()[1]):  # Django calls this while it handles the exception
        return _unavailable(request, kind)
    return _problem_response(request, HTTPStatus.INTERNAL_SERVER_ERROR, UNEXPECTED) or defaults.server_error(
        request
    )


def _unavailable(request: HttpRequest, kind: str) -> HttpResponse:
    """Return 503 for what a database, disk or cache refused: the page names it, the log has the details."""
    status, reason = HTTPStatus.SERVICE_UNAVAILABLE, f"{kind[0].upper()}{kind[1:]}"
    response = _problem_response(request, status, UNAVAILABLE) or HttpResponse(
        f"<!doctype html><title>Service unavailable</title><h1>Service unavailable</h1><p>{reason}. "
        "<code>manage.py status</code> on the server and <a href='/readyz'>/readyz</a> say more.",
        status=status,
    )
    response["Retry-After"] = "5"
    return response


def _problem_response(request: HttpRequest, status: HTTPStatus, detail: str) -> HttpResponse | None:
    """The problem for an address of the API; None elsewhere, where pages are HTML."""
    if not API_ADDRESS.match(request.path):
        return None
    return JsonResponse(problem(request, status, detail), status=status, content_type=CONTENT_TYPE)


class ProblemJsonMiddleware:
    """Whatever answers an address of the API with an error of its own, a view or middleware of Django's.

    The status and headers stay, the body becomes a problem. JSON is ours: `readyz` says what is wrong.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if response.status_code < 400 or response.get("Content-Type") in JSON_TYPES:
            return response
        status = HTTPStatus(response.status_code)
        answer = _problem_response(request, status, _plain_detail(request, response))
        if answer is None:
            return response
        for name, value in response.items():
            if name not in ("Content-Type", "Content-Length"):
                answer[name] = value
        return answer


def _plain_detail(request: HttpRequest, response: HttpResponse) -> str:
    if response.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        return f'Method "{request.method}" not allowed; allowed are {response.get("Allow")}.'
    return f"{HTTPStatus(response.status_code).description or response.reason_phrase}."
