"""The errors of the API: what each status means, and an example, for the schema and its pages."""

from dataclasses import dataclass
from typing import Any

from tickets.api.problems import UNAVAILABLE, UNEXPECTED, title_of
from tickets.api.request_params import ALLOWED_VALUES

CLAIMS = "/api/v1/tickets/claims"
CACHED = "/api/v1/tickets/cached"
EVERYWHERE = (400, 401, 429, 500, 503)  # whatever is asked


@dataclass(frozen=True)
class Error:
    """A status, and a problem that has it."""

    meaning: str
    instance: str
    detail: str
    errors: tuple[dict[str, Any], ...] = ()


def _one(name: str, value: object, allowed: str) -> tuple[dict[str, Any], ...]:
    return ({"name": name, "value": value, "allowed": allowed},)


ERRORS = {
    400: Error(
        "A parameter, field or header is unknown, missing, doubled or of a value that is not allowed. "
        "`errors` names up to 20 of them.",
        CACHED,
        f"limit '0': {ALLOWED_VALUES['limit']}",
        _one("limit", "0", ALLOWED_VALUES["limit"]),
    ),
    401: Error(
        "The API key is missing where it is needed, or unknown, revoked or expired, wherever it is sent.",
        CLAIMS,
        "The API key is revoked.",
    ),
    403: Error(
        "The client may not claim this mode.",
        CLAIMS,
        "This client may not claim tickets of v1.",
        _one("mode", "v1", "one of lstm, v2"),
    ),
    404: Error(
        "There is nothing at this address, or nothing that this client may see.",
        "/api/v1/draws/2026-11-26",
        "Not found.",
    ),
    405: Error(
        "The address has no such method; `Allow` names those that it has.",
        CACHED,
        'Method "POST" not allowed.',
    ),
    409: Error(
        "Fewer tickets are free than were asked for, or the sale for this draw has closed. "
        "Nothing was taken; the same Idempotency-Key may be used again.",
        CLAIMS,
        "5 tickets of v1 for 2026-11-25 were asked for; 2 are free.",
        _one("count", 5, "at most 2 at present"),
    ),
    413: Error("The body is larger than 64 KiB.", CLAIMS, "The body is too large; allowed are 65536 bytes."),
    415: Error(
        "The body is not `application/json` in UTF-8, or it is compressed.",
        CLAIMS,
        "Content-Type 'text/plain': allowed is application/json.",
        _one("Content-Type", "text/plain", "application/json"),
    ),
    422: Error(
        "The Idempotency-Key was used with another body.",
        CLAIMS,
        "This Idempotency-Key was used for another request, which is claim 7.",
        _one("Idempotency-Key", "order-1", "a new key, or the same body as before"),
    ),
    429: Error(
        "More requests in this minute than the rate allows, or more tickets in this day than the quota does.",
        CLAIMS,
        "The daily quota of 100 tickets has 2 left; it is renewed at 2026-11-25T05:00:00Z.",
        _one("count", 5, "at most 2 until then"),
    ),
    500: Error(
        "A mistake of ours; the log has it under the request id.",
        CACHED,
        UNEXPECTED,
    ),
    503: Error(
        "The database is not available.",
        CACHED,
        UNAVAILABLE,
    ),
}
# What the web server answers itself, as HTML, before anything of ours is asked.
BY_SERVER = {
    414: "The request line is longer than the web server reads: some thousand characters.",
    431: "There are more or longer headers than the web server reads.",
}
MEANINGS = dict(sorted(({status: error.meaning for status, error in ERRORS.items()} | BY_SERVER).items()))


def example(status: int) -> dict[str, Any]:
    """A problem of this status."""
    error = ERRORS[status]
    return {
        "type": "about:blank",
        "title": title_of(status),
        "status": status,
        "detail": error.detail,
        "instance": error.instance,
        "request_id": "6f1c0a3be2d34c1f8a9b7d5e4c3b2a10",
        "errors": list(error.errors),
    }
