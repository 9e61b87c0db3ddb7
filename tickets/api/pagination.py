"""Cursor pagination, whose speed does not depend on the page's position."""

import re
from datetime import date
from typing import Any

from rest_framework.exceptions import NotFound
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request

from tickets.api.exceptions import InvalidParameters, invalid_parameter
from tickets.api.request_params import CURSOR


class StrictCursorPagination(CursorPagination):
    """Paginate by 50 rows and reject an invalid cursor with 400 instead of 404."""

    page_size = 50

    @staticmethod
    def check_position(text: str) -> None:
        """Raise ValueError if the text is not a position in this list."""
        if not re.fullmatch("[0-9]{1,18}", text):
            raise ValueError(f"{text} is not a row id")

    def decode_cursor(self, request: Request) -> Cursor | None:
        try:
            cursor = super().decode_cursor(request)
            if cursor is not None and cursor.position is not None:
                self.check_position(str(cursor.position))
        except (NotFound, ValueError):
            value = request.query_params.get("cursor")
            raise InvalidParameters([invalid_parameter("cursor", value, CURSOR)]) from None
        return cursor

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        link = {"type": ["string", "null"], "format": "uri", "description": "Null if there is no such page."}
        return {
            "type": "object",
            "required": ["next", "previous", "results"],
            "properties": {"next": link, "previous": link, "results": schema | {"maxItems": self.page_size}},
            "additionalProperties": False,
        }


class NewestDraws(StrictCursorPagination):
    ordering = "-draw_date"

    @staticmethod
    def check_position(text: str) -> None:
        date.fromisoformat(text)


class ByIdPagination(StrictCursorPagination):
    ordering = "-id"
