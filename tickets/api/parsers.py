"""Strict parsing of request bodies: JSON in UTF-8, limited in size, without duplicate keys.

JSON that parsers interpret differently is rejected, so that it cannot decide what is claimed.
"""

import json
import math
import re
from collections.abc import Iterable
from email.message import Message
from typing import IO, Any, NoReturn

from gunicorn.http.errors import ParseException
from rest_framework.exceptions import APIException, UnsupportedMediaType
from rest_framework.parsers import BaseParser
from rest_framework.request import Request

from tickets.api.problems import InvalidParameters
from tickets.api.request_params import invalid_parameter

MEDIA_TYPE = "application/json"
MAX_BYTES = 64 * 1024
MAX_NESTING = 16  # levels; valid bodies have at most two
MAX_DIGITS = 18  # of an integer, to fit 64 bits in every language
# Lone surrogates cannot be encoded, and PostgreSQL cannot store NUL.
UNSTORABLE = re.compile("[\0\ud800-\udfff]")


class TooLarge(APIException):
    status_code = 413
    default_detail = f"The body is too large; the limit is {MAX_BYTES} bytes."


class StrictJSONParser(BaseParser):
    media_type = MEDIA_TYPE

    def parse(self, stream: IO[Any], media_type: Any = None, parser_context: Any = None) -> Any:
        return parse_request_body(parser_context["request"])


def parse_request_body(request: Request) -> Any:
    """Return the parsed JSON body of a request.

    Raise UnsupportedMediaType unless it is JSON in UTF-8, TooLarge above 64 KiB, and InvalidParameters if it
    cannot be parsed. Use this instead of `request.data`, which treats a body without a content type or length
    as empty.
    """
    _check_type(request)
    body = _read(request)
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        _reject(f"{body[:50]!r}", "JSON in UTF-8")
    return parse_json(text)


def parse_json(text: str) -> Any:
    """Return the value of a JSON text. Raise InvalidParameters for invalid JSON or a duplicate key."""
    try:
        value = json.loads(
            text,
            object_pairs_hook=_unique_keys,
            parse_int=_parse_int,
            parse_float=_parse_float,
            parse_constant=_reject_constant,
        )
    except RecursionError:
        _reject(text, f"at most {MAX_NESTING} levels of nesting")
    except ValueError as error:
        _reject(text, f"a JSON object: {error}")
    _check_values(value, text)
    return value


def _check_type(request: Request) -> None:
    header = Message()
    header["Content-Type"] = content_type = request.META.get("CONTENT_TYPE") or "none"
    if header.get_content_type() != MEDIA_TYPE or "," in content_type:
        raise _unsupported("Content-Type", content_type, MEDIA_TYPE)
    if not all(_is_charset(*parameter) for parameter in header.get_params(failobj=[])[1:]):
        raise _unsupported("Content-Type", content_type, f"{MEDIA_TYPE}, optionally with charset=utf-8")
    encoding = request.META.get("HTTP_CONTENT_ENCODING", "identity")
    if encoding.lower() != "identity":
        raise _unsupported("Content-Encoding", encoding, "none")


def _is_charset(name: str, value: str | tuple[str, str, str]) -> bool:
    return name == "charset" and isinstance(value, str) and value.lower() == "utf-8"


def _unsupported(header: str, value: str, allowed: str) -> UnsupportedMediaType:
    error = UnsupportedMediaType(value, f"{header} {value[:200]!r}: must be {allowed}.")
    error.errors = [invalid_parameter(header, value, allowed)]  # type: ignore[attr-defined]
    return error


def _read(request: Request) -> bytes:
    """Read the body, even if chunked, which Django treats as empty. Raise TooLarge above the limit."""
    length = request.META.get("CONTENT_LENGTH") or ""
    if length.isdecimal() and int(length) > MAX_BYTES:
        raise TooLarge
    chunked = not length and request.META.get("wsgi.input_terminated")
    try:
        body: bytes = (request.META["wsgi.input"] if chunked else request._request).read(MAX_BYTES + 1)
    except (ParseException, OSError) as error:
        _reject(str(error), "a complete body with valid chunks")
    if len(body) > MAX_BYTES:
        raise TooLarge
    return body


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for name, value in pairs:
        if name in result:
            raise ValueError(f"duplicate key {name[:50]!r}")
        result[name] = value
    return result


def _parse_int(digits: str) -> int:
    if len(digits.lstrip("-")) > MAX_DIGITS:
        raise ValueError(f"integers are limited to {MAX_DIGITS} digits")
    return int(digits)


def _parse_float(digits: str) -> float:
    if not math.isfinite(number := float(digits)):
        raise ValueError("numbers must be finite")
    return number


def _reject_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not valid JSON")


def _check_values(value: Any, text: str) -> None:
    """Reject unstorable strings, and nesting too deep for the code that shows an invalid value."""
    level = [value]
    for _ in range(MAX_NESTING + 1):
        if any(isinstance(item, str) and UNSTORABLE.search(item) for item in level):
            _reject(text, "strings without lone surrogates or NUL")
        level = [child for item in level for child in _children(item)]
        if not level:
            return
    _reject(text, f"at most {MAX_NESTING} levels of nesting")


def _children(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return [*value.keys(), *value.values()]
    return value if isinstance(value, list) else []


def _reject(value: str, allowed: str) -> NoReturn:
    raise InvalidParameters([invalid_parameter("body", value, allowed)])
