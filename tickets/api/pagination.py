"""Lists page by page, each found by where the last one ended: the millionth page is as fast as the first."""

import re
from datetime import date
from typing import Any, NoReturn

from rest_framework.exceptions import NotFound
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request

from tickets.api.problems import InvalidParameters
from tickets.api.request_params import CURSOR, invalid_parameter


class StrictCursorPagination(CursorPagination):
    """Fifty rows a page; a cursor that is none is a bad value, not a missing page."""

    page_size = 50

    @staticmethod
    def check_position(text: str) -> None:
        """Raise ValueError unless the text is a place in this list."""
        if not re.fullmatch("[0-9]{1,18}", text):
            raise ValueError(f"{text} is no row's number")

    def decode_cursor(self, request: Request) -> Cursor | None:
        try:
            cursor = super().decode_cursor(request)
            if cursor is not None and cursor.position is not None:
                self.check_position(str(cursor.position))
        except (NotFound, ValueError):
            self._refuse(request)
        return cursor

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        link = {"type": ["string", "null"], "format": "uri", "description": "Null: there is no such page."}
        return {
            "type": "object",
            "required": ["next", "previous", "results"],
            "properties": {"next": link, "previous": link, "results": schema | {"maxItems": self.page_size}},
            "additionalProperties": False,
        }

    def _refuse(self, request: Request) -> NoReturn:
        raise InvalidParameters([invalid_parameter("cursor", request.query_params.get("cursor"), CURSOR)])


class NewestDraws(StrictCursorPagination):
    ordering = "-draw_date"

    @staticmethod
    def check_position(text: str) -> None:
        date.fromisoformat(text)


class ByIdPagination(StrictCursorPagination):
    ordering = "-id"
