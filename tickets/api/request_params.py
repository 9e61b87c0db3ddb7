"""Validation of query parameters and request bodies."""

import json
import re
from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from django.http import QueryDict
from rest_framework import serializers

from predictions.modes.registry import MODE_NAMES
from predictions.powerball import check_ticket_date
from tickets.api.exceptions import InvalidParameters, InvalidValue, invalid_parameter
from tickets.claims.allocation import MAX_COUNT

KEY_HEADER = "Idempotency-Key"
KEY_PATTERN = r"[\x21-\x2b\x2d-\x7e]{1,255}"  # no comma, which joins repeated headers
DEFAULT_LIMIT, MAX_LIMIT = 10, 100  # tickets per response of `cached`
CURSOR = "a cursor from the `next` or `previous` URL of another page"
ALLOWED_VALUES = {
    "mode": f"one of {', '.join(MODE_NAMES)}",
    "limit": f"an integer from 1 to {MAX_LIMIT}",
    "include_stats": "true or false",
    "cursor": CURSOR,
    "draw_date": "the date of a draw, as YYYY-MM-DD",
    "format": "yaml or json",
    "count": f"an integer from 1 to {MAX_COUNT}",
}
NO_DRAW = "no_draw"
ISO_DATE = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")

ParamSerializer = serializers.Serializer[dict[str, Any]]


def validate_draw_date(day: date) -> None:
    try:
        check_ticket_date(day)
    except ValueError as error:
        raise serializers.ValidationError(str(error), code=NO_DRAW) from error


class PlainInteger(serializers.IntegerField):
    """Accept ASCII digits only; DRF also accepts "+5", "1_0", "5.0" and digits of other scripts."""

    def to_internal_value(self, data: Any) -> int:
        if not str(data).isascii() or not str(data).isdigit():
            self.fail("invalid")
        return super().to_internal_value(data)


class PlainDate(serializers.DateField):
    """Accept YYYY-MM-DD only; DRF also accepts 2026-1-5 and digits of other scripts."""

    def to_internal_value(self, value: Any) -> date:
        if not isinstance(value, str) or not ISO_DATE.fullmatch(value):
            self.fail("invalid", format="YYYY-MM-DD")
        return super().to_internal_value(value)


class CachedQuery(ParamSerializer):
    mode = serializers.ChoiceField(choices=MODE_NAMES, default="random_forest")
    limit = PlainInteger(
        min_value=1, max_value=MAX_LIMIT, default=DEFAULT_LIMIT, help_text="Maximum number of tickets."
    )
    include_stats = serializers.BooleanField(default=False, help_text="Include `db_stats` in the response.")
    draw_date = PlainDate(
        default=None,
        validators=[validate_draw_date],
        help_text="Date of a draw, 2015-10-07 or later; default: the next draw.",
    )


class StrictInteger(serializers.IntegerField):
    """Accept a JSON integer only, not 5.0, "5" or true."""

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or not isinstance(data, int):
            self.fail("invalid")
        return super().to_internal_value(data)


class ClaimBody(ParamSerializer):
    """Request body of `POST /api/v1/tickets/claims`."""

    mode = serializers.ChoiceField(choices=MODE_NAMES)
    count = StrictInteger(min_value=1, max_value=MAX_COUNT)
    draw_date = PlainDate(
        default=None,
        allow_null=True,
        validators=[validate_draw_date],
        help_text="Date of a draw; null for the next draw.",
    )


class CursorQuery(ParamSerializer):
    cursor = serializers.CharField(
        default=None, max_length=200, help_text="From the `next` or `previous` URL of another page."
    )


class SchemaQuery(ParamSerializer):
    format = serializers.ChoiceField(
        choices=["yaml", "json"], default=None, help_text="Takes precedence over the Accept header."
    )


class NoQuery(ParamSerializer):
    """For endpoints without query parameters."""


@lru_cache(maxsize=1024)
def validate_query(serializer: type[ParamSerializer], query_string: str) -> Mapping[str, Any]:
    """Return the validated parameters, cached by query string.

    Raise InvalidParameters with all unknown, repeated and invalid parameters.
    """
    query = QueryDict(query_string)
    repeated = [
        invalid_parameter(name, ", ".join(values), f"a single value: {ALLOWED_VALUES[name]}")
        for name, values in query.lists()
        if len(values) > 1 and name in serializer().fields
    ]
    return MappingProxyType(_validate(serializer, query.dict(), "parameter", repeated))


def validate_body(serializer: type[ParamSerializer], data: Any) -> dict[str, Any]:
    """Return the validated body. Raise InvalidParameters with all unknown, missing and invalid fields."""
    if not isinstance(data, dict):
        raise InvalidParameters([invalid_parameter("body", _text(data), "a JSON object")])
    return _validate(serializer, data, "field", [])


def _validate(
    serializer: type[ParamSerializer], data: Mapping[str, Any], kind: str, errors: list[InvalidValue]
) -> dict[str, Any]:
    bound = serializer(data=data)
    allowed_names = ", ".join(bound.fields) or "none"
    errors += [
        invalid_parameter(name, _text(value), f"unknown {kind}; allowed: {allowed_names}")
        for name, value in data.items()
        if name not in bound.fields
    ]
    if not bound.is_valid():
        errors += [
            # The error of a date without a draw says more than the general text.
            invalid_parameter(
                name,
                _text(data[name]) if name in data else None,
                str(details[0]) if details[0].code == NO_DRAW else ALLOWED_VALUES[name],
            )
            for name, details in bound.errors.items()
        ]
    if errors:
        raise InvalidParameters(errors)
    return bound.validated_data


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
