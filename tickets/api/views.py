"""The public endpoints: validate, one call, answer."""

import time
from typing import Any

from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from predictions.draws import upcoming_draw
from tickets.api.serializers import CachedQuery, NoQuery, checked_query
from tickets.store import get_batch_ticket_stats, get_cached_tickets


class TicketViewSet(ViewSet):
    """Pre-generated tickets and the state of the stock."""

    @action(detail=False, methods=["get"])
    def cached(self, request: Request) -> Response:
        """The newest tickets of a mode for a draw, by default the next one."""
        started = time.perf_counter()
        query = checked_query(CachedQuery, request.query_params)
        day = query["draw_date"] or upcoming_draw()
        tickets = get_cached_tickets(query["mode"], query["limit"], day)
        body: dict[str, Any] = {
            "mode": query["mode"],
            "count": len(tickets),
            "draw_date": day.isoformat(),
            "tickets": tickets,
            "cached": True,
        }
        if query["include_stats"]:
            body["db_stats"] = get_batch_ticket_stats()
        body["response_time_ms"] = round((time.perf_counter() - started) * 1000, 2)
        return Response(body)

    @action(detail=False, methods=["get"], url_path="batch-status")
    def batch_status(self, request: Request) -> Response:
        """How many tickets there are, a mode, and how the last run ended."""
        checked_query(NoQuery, request.query_params)
        return Response(get_batch_ticket_stats())
