"""Parsing of request bodies; `test_raw_requests` sends more of them to a real server."""

from typing import Any

import pytest
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from tickets.api.exceptions import ApiProblem, InvalidParameters
from tickets.api.parsers import StrictJSONParser, TooLarge, parse_json, parse_request_body


def posted(body: bytes, content_type: str = "application/json") -> Request:
    request = APIRequestFactory().generic("POST", "/api/v1/tickets/claims", body, content_type)
    return Request(request, parsers=[StrictJSONParser()])


def test_body_is_parsed_as_json() -> None:
    assert parse_request_body(posted(b'{"mode": "v1", "count": 3, "draw_date": null}')) == {
        "mode": "v1",
        "count": 3,
        "draw_date": None,
    }


def test_request_data_of_drf_is_parsed_as_strictly() -> None:
    assert posted(b"[1, 2.5]").data == [1, 2.5]
    with pytest.raises(InvalidParameters):
        _ = posted(b"[NaN]").data
    with pytest.raises(TooLarge):
        _ = posted(b" " * 65_537).data
    with pytest.raises(ApiProblem) as refused:
        _ = posted(b"{}", "text/plain").data
    assert refused.value.status_code == 415


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        ("", "a JSON object: Expecting value"),
        ("{'a': 1}", "a JSON object: Expecting property name"),
        ('{"a": 1, "a": 1}', "a JSON object: duplicate key 'a'"),
        ("[NaN]", "a JSON object: numbers must be finite"),
        ("[-1e400]", "a JSON object: numbers must be finite"),
        ("1" * 19, "a JSON object: integers are limited to 18 digits"),
        ('["\\udc00"]', "strings without lone surrogates or NUL"),
        ('{"\\u0000": 1}', "strings without lone surrogates or NUL"),
        ("[" * 18 + "]" * 18, "at most 16 levels of nesting"),
        ("[" * 100_000, "at most 16 levels of nesting"),
    ],
    ids=lambda value: value[:20],
)
def test_rejected_text_error_names_what_is_allowed(text: str, allowed: str) -> None:
    with pytest.raises(InvalidParameters) as refused:
        parse_json(text)

    (error,) = refused.value.errors
    assert (error["name"], error["value"]) == ("body", text[:200])
    assert error["allowed"].startswith(allowed)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[" * 16 + "1" + "]" * 16, 1),
        ("-" + "9" * 18, -(10**18 - 1)),
        ('"\\ud83c\\udfb1"', "\N{BILLIARDS}"),
        ("1.5e3", 1500.0),
    ],
    ids=["16 levels", "18 digits", "a surrogate pair", "a float"],
)
def test_limits_are_inclusive(text: str, value: Any) -> None:
    found = parse_json(text)
    while isinstance(found, list):
        (found,) = found

    assert found == value
