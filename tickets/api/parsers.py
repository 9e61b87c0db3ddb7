"""Strict parsing of request bodies: JSON in UTF-8, limited in size, without duplicate keys.

JSON that parsers interpret differently is rejected, so that it cannot decide what is claimed.
"""

import json
import math
import re
from http import HTTPStatus
from typing import IO, Any

from gunicorn.http.errors import ParseException
from rest_framework.exceptions import APIException
from rest_framework.parsers import BaseParser
from rest_framework.request import Request

from tickets.api.exceptions import ApiProblem, InvalidParameters, invalid_parameter

MEDIA_TYPE = "application/json"
JSON_CONTENT_TYPE = re.compile(
    rf'{MEDIA_TYPE}(\s*;\s*charset\s*=\s*(utf-8|"utf-8"))?\s*', re.IGNORECASE | re.ASCII
)
MAX_BYTES = 64 * 1024
MAX_NESTING = 16  # levels; valid bodies have at most two
TOO_DEEP = f"at most {MAX_NESTING} levels of nesting"
MAX_DIGITS = 18  # of an integer, to fit 64 bits in every language
# Lone surrogates cannot be encoded, and PostgreSQL cannot store NUL.
UNSTORABLE = re.compile("[\0\ud800-\udfff]")


class TooLarge(APIException):
    status_code = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    default_detail = f"The body is too large; the limit is {MAX_BYTES} bytes."


class StrictJSONParser(BaseParser):
    media_type = MEDIA_TYPE

    def parse(self, stream: IO[Any], media_type: Any = None, parser_context: Any = None) -> Any:
        return parse_request_body(parser_context["request"])


def parse_request_body(request: Request) -> Any:
    """Return the parsed body. Raise ApiProblem 415, TooLarge or InvalidParameters.

    Use this instead of `request.data`, which treats a body without a content type or length as empty.
    """
    content_type = request.META.get("CONTENT_TYPE") or "none"
    if not JSON_CONTENT_TYPE.fullmatch(content_type):
        is_json = content_type.lower().startswith(f"{MEDIA_TYPE};")
        allowed = f"{MEDIA_TYPE}, optionally with charset=utf-8" if is_json else MEDIA_TYPE
        raise unsupported_header("Content-Type", content_type, allowed)
    encoding = request.META.get("HTTP_CONTENT_ENCODING", "identity")
    if encoding.lower() != "identity":
        raise unsupported_header("Content-Encoding", encoding, "none")
    body = read_body(request)
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise invalid_body(f"{body[:50]!r}", "JSON in UTF-8") from error
    return parse_json(text)


def read_body(request: Request) -> bytes:
    """Return the body, even if chunked, which Django treats as empty. Raise TooLarge above the limit."""
    length = request.META.get("CONTENT_LENGTH") or ""
    if length.isdecimal() and int(length) > MAX_BYTES:
        raise TooLarge
    chunked = not length and request.META.get("wsgi.input_terminated")
    try:
        body: bytes = (request.META["wsgi.input"] if chunked else request._request).read(MAX_BYTES + 1)
    except (ParseException, OSError) as error:
        raise invalid_body(str(error), "a complete body with valid chunks") from error
    if len(body) > MAX_BYTES:
        raise TooLarge
    return body


def parse_json(text: str) -> Any:
    try:
        value = json.loads(
            text,
            object_pairs_hook=unique_keys,
            parse_int=parse_int,
            parse_float=parse_float,
            parse_constant=parse_float,
        )
    except RecursionError as error:
        raise invalid_body(text, TOO_DEEP) from error
    except ValueError as error:
        raise invalid_body(text, f"a JSON object: {error}") from error
    if reason := find_violation(value):
        raise invalid_body(text, reason)
    return value


def unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for name, value in pairs:
        if name in result:
            raise ValueError(f"duplicate key {name[:50]!r}")
        result[name] = value
    return result


def parse_int(digits: str) -> int:
    if len(digits.lstrip("-")) > MAX_DIGITS:
        raise ValueError(f"integers are limited to {MAX_DIGITS} digits")
    return int(digits)


def parse_float(digits: str) -> float:
    if not math.isfinite(number := float(digits)):
        raise ValueError("numbers must be finite")
    return number


def find_violation(value: Any, levels: int = MAX_NESTING) -> str | None:
    """Return the rule that a value breaks, or None."""
    if isinstance(value, str) and UNSTORABLE.search(value):
        return "strings without lone surrogates or NUL"
    children = [*value, *value.values()] if isinstance(value, dict) else value
    if not isinstance(children, list) or not children:
        return None
    if not levels:
        return TOO_DEEP
    return next(filter(None, (find_violation(child, levels - 1) for child in children)), None)


def invalid_body(value: str, allowed: str) -> InvalidParameters:
    return InvalidParameters([invalid_parameter("body", value, allowed)])


def unsupported_header(header: str, value: str, allowed: str) -> ApiProblem:
    return ApiProblem(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        f"{header} {value[:200]!r}: must be {allowed}.",
        [invalid_parameter(header, value, allowed)],
    )
