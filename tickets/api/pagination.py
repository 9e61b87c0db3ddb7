"""Lists page by page, each found by where the last one ended: the millionth page is as fast as the first."""

from typing import NoReturn

from rest_framework.exceptions import NotFound
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request

from tickets.api.problems import BadValues
from tickets.api.queries import CURSOR, bad_value


class ByCursor(CursorPagination):
    """Fifty rows a page; a cursor that is none is a bad value, not a missing page."""

    page_size = 50

    def decode_cursor(self, request: Request) -> Cursor | None:
        try:
            return super().decode_cursor(request)
        except NotFound:
            self._refuse(request)

    def _refuse(self, request: Request) -> NoReturn:
        raise BadValues([bad_value("cursor", request.query_params.get("cursor"), CURSOR)])


class NewestDraws(ByCursor):
    ordering = "-draw_date"


class NewestRuns(ByCursor):
    ordering = "-id"


class NewestClaims(ByCursor):
    ordering = "-id"
