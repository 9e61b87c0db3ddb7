"""What a request may say in its query, and how it is told what is allowed."""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import date
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from django.http import QueryDict
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail

from predictions.modes.registry import MODE_NAMES
from predictions.powerball import check_ticket_day
from tickets.api.problems import InvalidParameters
from tickets.claims.allocation import MAX_COUNT

KEY_HEADER = "Idempotency-Key"
KEY_PATTERN = r"[\x21-\x2b\x2d-\x7e]{1,255}"  # without the comma, which joins two headers of a name
DEFAULT_LIMIT, MAX_LIMIT = 10, 100  # tickets that `cached` gives
CURSOR = "a cursor from `next` or `previous` of another page"
ALLOWED_VALUES = {
    "mode": f"one of {', '.join(MODE_NAMES)}",
    "limit": f"an integer from 1 to {MAX_LIMIT}",
    "include_stats": "true or false",
    "cursor": CURSOR,
    "draw_date": "a day with a draw, as YYYY-MM-DD",
    "format": "yaml or json",
    "count": f"an integer from 1 to {MAX_COUNT}",
}
NO_DRAW = "no_draw"
_DAY = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _draw_day(day: date) -> None:
    try:
        check_ticket_day(day)
    except ValueError as error:
        raise serializers.ValidationError(str(error), code=NO_DRAW) from error


class PlainInteger(serializers.IntegerField):
    """Digits and nothing else: DRF also takes "+5", "1_0", "5.0" and digits of other scripts."""

    def to_internal_value(self, data: Any) -> int:
        if not str(data).isascii() or not str(data).isdigit():
            self.fail("invalid")
        return super().to_internal_value(data)


class PlainDate(serializers.DateField):
    """YYYY-MM-DD and nothing else: DRF also takes 2026-1-5 and digits of other scripts."""

    def to_internal_value(self, value: Any) -> date:
        if not isinstance(value, str) or not _DAY.fullmatch(value):
            self.fail("invalid", format="YYYY-MM-DD")
        return super().to_internal_value(value)


class CachedQuery(serializers.Serializer[dict[str, Any]]):
    """The parameters of `GET /api/v1/tickets/cached`."""

    mode = serializers.ChoiceField(choices=MODE_NAMES, default="random_forest")
    limit = PlainInteger(
        min_value=1, max_value=MAX_LIMIT, default=DEFAULT_LIMIT, help_text="The most tickets to be given."
    )
    include_stats = serializers.BooleanField(default=False, help_text="Adds `db_stats`.")
    draw_date = PlainDate(
        default=None,
        validators=[_draw_day],
        help_text="A day with a draw, since 2015-10-07; without it the next draw by the clock.",
    )


class StrictInteger(serializers.IntegerField):
    """A JSON integer: not 5.0, "5" or true."""

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or not isinstance(data, int):
            self.fail("invalid")
        return super().to_internal_value(data)


class ClaimBody(serializers.Serializer[dict[str, Any]]):
    """The body of `POST /api/v1/tickets/claims`."""

    mode = serializers.ChoiceField(choices=MODE_NAMES)
    count = StrictInteger(min_value=1, max_value=MAX_COUNT)
    draw_date = PlainDate(
        default=None,
        allow_null=True,
        validators=[_draw_day],
        help_text="A day with a draw; null: the next one.",
    )


class CursorQuery(serializers.Serializer[dict[str, Any]]):
    """The parameter of a list: `next` and `previous` of its pages hold it."""

    cursor = serializers.CharField(
        default=None, max_length=200, help_text="From `next` or `previous` of another page."
    )


class SchemaQuery(serializers.Serializer[dict[str, Any]]):
    """The parameter of `GET /api/schema`."""

    format = serializers.ChoiceField(choices=["yaml", "json"], default=None, help_text="Instead of Accept.")


class NoQuery(serializers.Serializer[dict[str, Any]]):
    """The parameters of an endpoint that has none."""


@lru_cache(maxsize=1024)
def validate_query(
    serializer: type[serializers.Serializer[dict[str, Any]]], query_string: str
) -> Mapping[str, Any]:
    """The values of a query; InvalidParameters naming every unknown, doubled or bad parameter at once.

    The same text means the same values, so those asked for often are kept; errors are not.
    """
    query = QueryDict(query_string)
    fields = list(serializer().fields)
    errors = [
        invalid_parameter(
            name, query.get(name), f"no such parameter; allowed are {', '.join(fields) or 'none'}"
        )
        for name in query
        if name not in fields
    ]
    errors += [
        invalid_parameter(name, ", ".join(query.getlist(name)), f"given once, {ALLOWED_VALUES[name]}")
        for name in fields
        if len(query.getlist(name)) > 1
    ]
    checked = serializer(data=query.dict())
    if not checked.is_valid():
        errors += [
            invalid_parameter(name, query.get(name), _allowed(name, texts))
            for name, texts in checked.errors.items()
        ]
    if errors:
        raise InvalidParameters(errors)
    return MappingProxyType(checked.validated_data)


def validate_body(serializer: type[serializers.Serializer[dict[str, Any]]], data: Any) -> dict[str, Any]:
    """The values of a body; InvalidParameters naming every unknown, missing or bad field at once."""
    if not isinstance(data, dict):
        raise InvalidParameters([invalid_parameter("body", _text(data), "a JSON object")])
    checked = serializer(data=data)
    errors = [
        invalid_parameter(name, _text(value), f"no such field; allowed are {', '.join(checked.fields)}")
        for name, value in data.items()
        if name not in checked.fields
    ]
    if not checked.is_valid():
        errors += [
            invalid_parameter(name, _text(data[name]) if name in data else None, _allowed(name, texts))
            for name, texts in checked.errors.items()
        ]
    if errors:
        raise InvalidParameters(errors)
    return checked.validated_data


def _allowed(name: str, errors: Sequence[ErrorDetail]) -> str:
    """What a bad value should have been; a day without a draw says so itself."""
    return str(errors[0]) if errors[0].code == NO_DRAW else ALLOWED_VALUES[name]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def invalid_parameter(name: str, value: str | None, allowed: str) -> dict[str, Any]:
    """One entry of a problem's `errors`; what was sent is shown by its beginning."""
    return {"name": name[:200], "value": None if value is None else value[:200], "allowed": allowed}
