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

from tickets.api.problems import BadValues
from tickets.api.request_params import bad_value

MEDIA_TYPE = "application/json"
MAX_BYTES = 64 * 1024
MAX_NESTING = 16  # levels; no body of ours has more than two
MAX_DIGITS = 18  # of an integer: what every language's 64 bits hold
# Half a surrogate pair cannot be written in any encoding, NUL not be stored by every database.
_NO_TEXT = re.compile("[\0\ud800-\udfff]")


class TooLarge(APIException):
    """A body of more bytes than are read."""

    status_code = 413
    default_detail = f"The body is too large; allowed are {MAX_BYTES} bytes."


class StrictJson(BaseParser):
    """DRF's side of it."""

    media_type = MEDIA_TYPE

    def parse(self, stream: IO[Any], media_type: Any = None, parser_context: Any = None) -> Any:
        return json_body(parser_context["request"])


def json_body(request: Request) -> Any:
    """What a request's body says.

    415 for what is not plain JSON in UTF-8, 413 for more than 64 KiB, and BadValues for the rest. To be
    called instead of `request.data`, which takes a body without a content type or a length for none.
    """
    _check_type(request)
    body = _read(request)
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        _refuse(f"{body[:50]!r}", "JSON in UTF-8")
    return parsed(text)


def parsed(text: str) -> Any:
    """The value of a JSON text; BadValues where it is none, or says something twice or beyond measure."""
    try:
        value = json.loads(
            text,
            object_pairs_hook=_object,
            parse_int=_integer,
            parse_float=_number,
            parse_constant=_constant,
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
    error.errors = [bad_value(header, value, allowed)]  # type: ignore[attr-defined]
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


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _check_values(value: Any, text: str) -> None:
    """Refuse deep nesting, which the code that shows a bad value could not follow, and broken strings."""
    level = [value]
    for _ in range(MAX_NESTING + 1):
        if any(isinstance(one, str) and _NO_TEXT.search(one) for one in level):
            _refuse(text, "strings of whole characters, none of them NUL")
        level = [part for one in level for part in _parts(one)]
        if not level:
            return
    _refuse(text, f"at most {MAX_NESTING} levels of nesting")


def _parts(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return [*value.keys(), *value.values()]
    return value if isinstance(value, list) else []


def _refuse(value: str, allowed: str) -> NoReturn:
    raise BadValues([bad_value("body", value, allowed)])
