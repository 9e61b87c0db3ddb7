"""Meaning and example of each error status."""

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest

from tickets.api.exceptions import InvalidValue
from tickets.api.openapi.parameters import COMMON_HEADERS, header_refs
from tickets.api.problems import CONTENT_TYPE, UNAVAILABLE, UNEXPECTED, problem_body, status_title
from tickets.api.request_params import ALLOWED_VALUES

CLAIMS = "/api/v1/tickets/claims"
CACHED = "/api/v1/tickets/cached"
EXAMPLE_ID = "6f1c0a3be2d34c1f8a9b7d5e4c3b2a10"
COMMON_STATUSES = (400, 401, 414, 429, 431, 500, 503)  # possible for every operation
EXTRA_HEADERS = {401: ["WWW-Authenticate"], 405: ["Allow"], 429: ["Retry-After"], 503: ["Retry-After"]}


@dataclass(frozen=True)
class Error:
    """What a status means, with an example: the path, the detail and at most one invalid value."""

    meaning: str
    instance: str
    detail: str
    invalid: InvalidValue | None = None


ERRORS = {
    400: Error(
        "A parameter, field or header is unknown, missing, repeated or invalid. "
        "`errors` lists up to 20 of them.",
        CACHED,
        f"limit '0': {ALLOWED_VALUES['limit']}",
        {"name": "limit", "value": "0", "allowed": ALLOWED_VALUES["limit"]},
    ),
    401: Error(
        "The API key is required but missing, or is unknown, revoked or expired.",
        CLAIMS,
        "The API key is revoked.",
    ),
    403: Error(
        "The client may not claim this mode.",
        CLAIMS,
        "This client may not claim tickets of v1.",
        {"name": "mode", "value": "v1", "allowed": "one of lstm, v2"},
    ),
    404: Error(
        "No such resource, or it belongs to another client.", "/api/v1/draws/2026-11-26", "Not found."
    ),
    405: Error(
        "Method not supported; `Allow` lists the supported methods.", CACHED, 'Method "POST" not allowed.'
    ),
    409: Error(
        "Fewer tickets are available than requested, or sales for this draw have closed. "
        "Nothing was claimed; the same Idempotency-Key may be used again.",
        CLAIMS,
        "Tickets of v1 available for 2026-11-25: 2; requested: 5.",
        {"name": "count", "value": 5, "allowed": "at most 2 at present"},
    ),
    413: Error("The body is larger than 64 KiB.", CLAIMS, "The body is too large; the limit is 65536 bytes."),
    415: Error(
        "The body is not `application/json` in UTF-8, or is compressed.",
        CLAIMS,
        "Content-Type 'text/plain': must be application/json.",
        {"name": "Content-Type", "value": "text/plain", "allowed": "application/json"},
    ),
    422: Error(
        "The Idempotency-Key was already used with a different body.",
        CLAIMS,
        "This Idempotency-Key was already used with a different body, for claim 7.",
        {
            "name": "Idempotency-Key",
            "value": "order-1",
            "allowed": "a new key, or the body of the first request",
        },
    ),
    429: Error(
        "The rate limit per minute or the daily ticket quota is exceeded.",
        CLAIMS,
        "The daily quota of 100 tickets has 2 left; it resets at 2026-11-25T05:00:00Z.",
        {"name": "count", "value": 5, "allowed": "at most 2 until then"},
    ),
    500: Error("Internal error. Quote the request id when reporting it.", CACHED, UNEXPECTED),
    503: Error("The database is not available.", CACHED, UNAVAILABLE),
}
# Responses of the web server itself, as HTML.
BY_SERVER = {
    414: "The request line exceeds the web server's limit of a few thousand characters.",
    431: "The headers exceed the web server's limits.",
}
MEANINGS = dict(sorted(({status: error.meaning for status, error in ERRORS.items()} | BY_SERVER).items()))


def error_response(status: int) -> dict[str, Any]:
    """Return the response component of a status."""
    if status in BY_SERVER:
        return {"description": BY_SERVER[status], "content": {"text/html": {"schema": {"type": "string"}}}}
    error = ERRORS[status]
    request = HttpRequest()
    request.path = error.instance
    request.request_id = EXAMPLE_ID  # type: ignore[attr-defined]
    example = problem_body(request, status, error.detail, [error.invalid] if error.invalid else [])
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        "description": error.meaning,
        "headers": header_refs([*COMMON_HEADERS, *EXTRA_HEADERS.get(status, [])]),
        "content": {CONTENT_TYPE: {"schema": schema, "example": example}},
    }


def component_name(status: int) -> str:
    return status_title(status).replace(" ", "")
