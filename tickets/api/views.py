"""Public read-only endpoints, and the response to unknown URLs."""

import time
from typing import Any

from django.db.models import Prefetch, QuerySet
from django.http import HttpResponse
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_view
from rest_framework.decorators import action
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework.viewsets import ReadOnlyModelViewSet, ViewSet

from predictions.evaluation.mode_profiles import mode_profiles
from predictions.models import Draw
from tickets.api.openapi.parameters import CACHE_HEADERS, DRAW_DATE, IF_NONE_MATCH, ROW_ID, cursor_example
from tickets.api.openapi.responses import BatchStatus, CachedTickets
from tickets.api.pagination import ByIdPagination, NewestDraws
from tickets.api.request_params import CachedQuery, CursorQuery, NoQuery, validate_query
from tickets.api.response_cache import cache_key, render_tickets, response_cache, to_response
from tickets.api.serializers import (
    DrawDetailSerializer,
    DrawSerializer,
    GenerationRunDetailSerializer,
    GenerationRunSerializer,
    ModeSerializer,
)
from tickets.models import GenerationRun, TicketBatch
from tickets.store import get_batch_ticket_stats


class TicketViewSet(ViewSet):
    """Pre-generated tickets and stock levels."""

    @extend_schema(
        operation_id="cached_tickets",
        parameters=[CachedQuery, IF_NONE_MATCH, *CACHE_HEADERS],
        responses={200: CachedTickets, 304: OpenApiResponse(description="Not changed since the ETag sent.")},
    )
    @action(detail=False, methods=["get"])
    def cached(self, request: Request) -> HttpResponse:
        """List the newest unclaimed tickets of a mode, by default for the next draw."""
        started = time.perf_counter()
        query = validate_query(CachedQuery, request.META["QUERY_STRING"])
        key = cache_key(query)
        cached_response = key and response_cache.get(key)
        if not cached_response:
            cached_response = render_tickets(**query)
            if key:
                response_cache.set(key, cached_response)
        return to_response(request._request, cached_response, started)

    @extend_schema(operation_id="batch_status", responses=BatchStatus)
    @action(detail=False, methods=["get"], url_path="batch-status")
    def batch_status(self, request: Request) -> Response:
        """Return the number of tickets per mode and the state of the latest run."""
        validate_query(NoQuery, request.META["QUERY_STRING"])
        return Response(get_batch_ticket_stats())


class ReadOnlyViewSet(ReadOnlyModelViewSet):
    """List and retrieve rows, rejecting unknown query parameters."""

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        validate_query(CursorQuery, request.META["QUERY_STRING"])
        return super().list(request, *args, **kwargs)

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        validate_query(NoQuery, request.META["QUERY_STRING"])
        return super().retrieve(request, *args, **kwargs)


@extend_schema_view(
    list=extend_schema(
        operation_id="draws",
        description="List official draws, newest first.",
        parameters=[CursorQuery],
        examples=[cursor_example("2025-12-22")],
    ),
    retrieve=extend_schema(
        operation_id="draw",
        description="Return a draw with the results of the modes' tickets.",
        parameters=[DRAW_DATE],
    ),
)
class DrawViewSet(ReadOnlyViewSet):
    """Official draws; the detail includes the results of the modes' tickets."""

    queryset = Draw.objects.all()
    pagination_class = NewestDraws
    lookup_field = "draw_date"
    lookup_value_regex = "[0-9]{4}-[0-9]{2}-[0-9]{2}"

    def get_serializer_class(self) -> type[DrawSerializer]:
        return DrawDetailSerializer if self.action == "retrieve" else DrawSerializer


@extend_schema_view(
    list=extend_schema(
        operation_id="generation_runs",
        description="List generation runs, newest first.",
        parameters=[CursorQuery],
        examples=[cursor_example("50")],
    ),
    retrieve=extend_schema(
        operation_id="generation_run",
        description="Return a generation run with the progress of its batches.",
        parameters=[ROW_ID],
    ),
)
class GenerationRunViewSet(ReadOnlyViewSet):
    """Generation runs; the detail includes the batches and their progress."""

    queryset = GenerationRun.objects.all()
    pagination_class = ByIdPagination
    lookup_value_regex = "[0-9]{1,18}"

    def get_queryset(self) -> QuerySet[GenerationRun]:
        runs = super().get_queryset()
        if self.action == "retrieve":
            return runs.prefetch_related(Prefetch("batches", TicketBatch.objects.order_by("id")))
        return runs

    def get_serializer_class(self) -> type[GenerationRunSerializer]:
        return GenerationRunDetailSerializer if self.action == "retrieve" else GenerationRunSerializer


class ModeViewSet(ViewSet):
    @extend_schema(
        operation_id="modes",
        description="List the modes with their training data and their skill compared with chance.",
        responses=ModeSerializer(many=True),
    )
    def list(self, request: Request) -> Response:
        validate_query(NoQuery, request.META["QUERY_STRING"])
        return Response([ModeSerializer(profile).data for profile in mode_profiles()])


class NotFoundView(APIView):
    """Respond 404 to every method of unknown URLs, after the usual authentication and rate limiting."""

    schema = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        raise NotFound(f"No resource at {request.path}.")
