"""API errors as `application/problem+json` (RFC 9457)."""

import json
import logging
import math
import re
import sys
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any

from django.db import InterfaceError, InternalError, OperationalError, ProgrammingError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views import defaults
from rest_framework import exceptions, views
from rest_framework.request import Request
from rest_framework.response import Response

from shiolplus.logs.outages import classify_outage
from tickets.api.exceptions import ApiProblem, InvalidValue
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
JSON_TYPES = (CONTENT_TYPE, "application/json")  # such as the 503 of `readyz`
# Errors of all other paths are HTML pages.
API_PATH = re.compile(r"/(api|healthz|readyz|metrics|favicon\.ico)(/|$)")
RETRY_SECONDS = 5  # after an outage
TITLES = {413: "Content Too Large", 414: "URI Too Long", 422: "Unprocessable Content"}
# The database or its tables are unavailable. A DataError or IntegrityError is a bug, and so a 500.
DATABASE_UNAVAILABLE = (OperationalError, ProgrammingError, InterfaceError, InternalError)
UNAVAILABLE = "The database is unavailable. Try again shortly."
UNEXPECTED = "Internal error. Quote the request id when reporting it."
STATUS_BY_REFUSAL: dict[type[ClaimRefused], HTTPStatus] = {
    ModeNotAllowed: HTTPStatus.FORBIDDEN,
    IdempotencyKeyReused: HTTPStatus.UNPROCESSABLE_ENTITY,
    SalesClosed: HTTPStatus.CONFLICT,
    InsufficientStock: HTTPStatus.CONFLICT,
    QuotaExceeded: HTTPStatus.TOO_MANY_REQUESTS,
}


def problem_body(
    request: HttpRequest | Request, status: int, detail: str, errors: Sequence[InvalidValue] = ()
) -> dict[str, Any]:
    return {
        "type": "about:blank",
        "title": status_title(status),
        "status": int(status),
        "detail": detail,
        "instance": request.path,
        "request_id": getattr(request, "request_id", ""),
        "errors": list(errors),
    }


def status_title(status: int) -> str:
    """Return the reason phrase of RFC 9110; some phrases differ in Python before 3.13."""
    return TITLES.get(status) or HTTPStatus(status).phrase


def problem_from_exception(error: Exception, context: dict[str, Any]) -> Response | None:
    """Handle exceptions for DRF. Return None to leave the error to Django, which calls `server_error`."""
    request: Request = context["request"]
    if isinstance(error, DATABASE_UNAVAILABLE):
        logger.error("Database unavailable for %s: %s", request.path, error)
        error = ApiProblem(HTTPStatus.SERVICE_UNAVAILABLE, UNAVAILABLE, wait=RETRY_SECONDS)
    elif isinstance(error, ClaimRefused):
        error = claim_problem(error)
    elif isinstance(error, Http404):
        error = exceptions.NotFound()  # Django's message names the model
    response = views.exception_handler(error, context)
    if response is not None:
        errors = getattr(error, "errors", ())
        response.data = problem_body(request, response.status_code, str(response.data["detail"]), errors)
        response.content_type = CONTENT_TYPE
    return response


def claim_problem(error: ClaimRefused) -> ApiProblem:
    wait = None
    if isinstance(error, QuotaExceeded):
        wait = math.ceil((error.quota.resets_at - timezone.now()).total_seconds())
    errors = [{"name": error.field, "value": error.value, "allowed": error.allowed}]
    return ApiProblem(STATUS_BY_REFUSAL[type(error)], str(error), errors, wait)


def server_error(request: HttpRequest) -> HttpResponse:
    """Handle 500 for Django; an outage of database, disk or cache is a 503, whose page names it."""
    outage = classify_outage(sys.exc_info()[1])  # Django calls this while it handles the exception
    status = HTTPStatus.SERVICE_UNAVAILABLE if outage else HTTPStatus.INTERNAL_SERVER_ERROR
    if API_PATH.match(request.path):
        body = problem_body(request, status, UNAVAILABLE if outage else UNEXPECTED)
        response: HttpResponse = JsonResponse(body, status=status, content_type=CONTENT_TYPE)
    elif outage:
        response = HttpResponse(
            "<!doctype html><title>Service unavailable</title><h1>Service unavailable</h1>"
            f"<p>{outage[0].upper()}{outage[1:]}. See <code>manage.py status</code> on the server, "
            "or <a href='/readyz'>/readyz</a>.",
            status=status,
        )
    else:
        return defaults.server_error(request)
    if outage:
        response["Retry-After"] = str(RETRY_SECONDS)
    return response


class ProblemJsonMiddleware:
    """Replace the body of Django's own error responses on API paths by a problem."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        status = response.status_code
        if status < 400 or response.get("Content-Type") in JSON_TYPES or not API_PATH.match(request.path):
            return response
        details = {
            400: "The request is malformed",  # for example, an unknown host
            404: f"No resource at {request.path}",
            405: f'Method "{request.method}" not allowed; use {response.get("Allow")}',
        }
        detail = details.get(status) or HTTPStatus(status).description or response.reason_phrase
        response["Content-Type"] = CONTENT_TYPE
        response.content = json.dumps(problem_body(request, status, f"{detail}."))
        response["Content-Length"] = str(len(response.content))
        return response
