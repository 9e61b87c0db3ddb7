"""Reading the body of a request: JSON in UTF-8, of a modest size, that says each thing once.

Whatever else it is, is refused with what is allowed: what one program reads differently from another must not
decide what is claimed.
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
MAX_NESTING = 16  # levels; no body of ours has more than two
MAX_DIGITS = 18  # of an integer: what every language's 64 bits hold
# Half a surrogate pair cannot be written in any encoding, NUL not be stored by every database.
UNSTORABLE = re.compile("[\0\ud800-\udfff]")


class TooLarge(APIException):
    """A body of more bytes than are read."""

    status_code = 413
    default_detail = f"The body is too large; allowed are {MAX_BYTES} bytes."


class StrictJSONParser(BaseParser):
    """DRF's side of it."""

    media_type = MEDIA_TYPE

    def parse(self, stream: IO[Any], media_type: Any = None, parser_context: Any = None) -> Any:
        return parse_request_body(parser_context["request"])


def parse_request_body(request: Request) -> Any:
    """What a request's body says.

    Raise 415 for anything but JSON in UTF-8, 413 for more than 64 KiB, and InvalidParameters otherwise.
    Call this instead of `request.data`, which treats a body without content type or length as empty.
    """
    _check_type(request)
    body = _read(request)
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        _refuse(f"{body[:50]!r}", "JSON in UTF-8")
    return parse_json(text)


def parse_json(text: str) -> Any:
    """Return the value of a JSON text. Raise InvalidParameters for invalid JSON or a duplicate key."""
    try:
        value = json.loads(
            text,
            object_pairs_hook=_object,
            parse_int=_integer,
            parse_float=_number,
            parse_constant=_reject_constant,
        )
    except RecursionError:
        _refuse(text, f"at most {MAX_NESTING} levels of nesting")
    except ValueError as error:
        _refuse(text, f"a JSON object: {error}")
    _check_values(value, text)
    return value


def _check_type(request: Request) -> None:
    header = Message()
    header["Content-Type"] = content_type = request.META.get("CONTENT_TYPE") or "none"
    if header.get_content_type() != MEDIA_TYPE or "," in content_type:
        raise _unsupported("Content-Type", content_type, MEDIA_TYPE)
    if not all(_is_charset(*parameter) for parameter in header.get_params(failobj=[])[1:]):
        raise _unsupported("Content-Type", content_type, f"{MEDIA_TYPE}, with charset=utf-8 or without")
    encoding = request.META.get("HTTP_CONTENT_ENCODING", "identity")
    if encoding.lower() != "identity":
        raise _unsupported("Content-Encoding", encoding, "none")


def _is_charset(name: str, value: str | tuple[str, str, str]) -> bool:
    return name == "charset" and isinstance(value, str) and value.lower() == "utf-8"


def _unsupported(header: str, value: str, allowed: str) -> UnsupportedMediaType:
    error = UnsupportedMediaType(value, f"{header} {value[:200]!r}: allowed is {allowed}.")
    error.errors = [invalid_parameter(header, value, allowed)]  # type: ignore[attr-defined]
    return error


def _read(request: Request) -> bytes:
    """All bytes of a body, also of one in chunks, which Django takes for empty; at most one too many."""
    length = request.META.get("CONTENT_LENGTH") or ""
    if length.isdecimal() and int(length) > MAX_BYTES:
        raise TooLarge
    chunked = not length and request.META.get("wsgi.input_terminated")
    try:
        body: bytes = (request.META["wsgi.input"] if chunked else request._request).read(MAX_BYTES + 1)
    except (ParseException, OSError) as error:
        _refuse(str(error), "a body of whole chunks, sent to its end")
    if len(body) > MAX_BYTES:
        raise TooLarge
    return body


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"{name[:50]!r} is named twice")
        found[name] = value
    return found


def _integer(digits: str) -> int:
    if len(digits.lstrip("-")) > MAX_DIGITS:
        raise ValueError(f"an integer has at most {MAX_DIGITS} digits")
    return int(digits)


def _number(digits: str) -> float:
    if not math.isfinite(number := float(digits)):
        raise ValueError("a number is finite")
    return number


def _reject_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _check_values(value: Any, text: str) -> None:
    """Refuse deep nesting, which the code that shows a bad value could not follow, and broken strings."""
    level = [value]
    for _ in range(MAX_NESTING + 1):
        if any(isinstance(one, str) and UNSTORABLE.search(one) for one in level):
            _refuse(text, "strings of whole characters, none of them NUL")
        level = [part for one in level for part in _children(one)]
        if not level:
            return
    _refuse(text, f"at most {MAX_NESTING} levels of nesting")


def _children(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return [*value.keys(), *value.values()]
    return value if isinstance(value, list) else []


def _refuse(value: str, allowed: str) -> NoReturn:
    raise InvalidParameters([invalid_parameter("body", value, allowed)])
