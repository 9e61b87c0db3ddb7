"""Endpoints that require an API key: claims and quota."""

import re
from collections.abc import Sequence
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_view
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet

from predictions.draws.sources import upcoming_draw
from predictions.models import Draw
from tickets.api.authentication import require_client
from tickets.api.exceptions import InvalidParameters, invalid_parameter
from tickets.api.openapi.auto_schema import ERRORS_KEY
from tickets.api.openapi.parameters import CLAIM_HEADERS, ROW_ID, cursor_example
from tickets.api.pagination import ByIdPagination
from tickets.api.parsers import parse_request_body
from tickets.api.request_params import (
    KEY_HEADER,
    KEY_PATTERN,
    ClaimBody,
    CursorQuery,
    NoQuery,
    validate_body,
    validate_query,
)
from tickets.api.response_cache import response_cache
from tickets.api.serializers import ClaimSerializer, QuotaSerializer
from tickets.claims.allocation import ClaimRequest, claim_tickets, get_quota, serialize_claimed_tickets
from tickets.models.claims import Claim
from tickets.models.clients import ApiClient
from tickets.store.retrieval import isoformat_utc

CLAIM_EXAMPLE = {"mode": "v1", "count": 5}
IDEMPOTENCY_KEY = re.compile(KEY_PATTERN)


@extend_schema(tags=["claims"])
@extend_schema_view(
    list=extend_schema(operation_id="claims", parameters=[CursorQuery], examples=[cursor_example("50")]),
    retrieve=extend_schema(operation_id="claim", parameters=[ROW_ID]),
)
class ClaimViewSet(GenericViewSet[Claim]):
    """Tickets allocated exclusively to the authenticated client."""

    serializer_class = ClaimSerializer
    pagination_class = ByIdPagination
    lookup_value_regex = "[0-9]{1,18}"
    requires_api_key = True

    def get_queryset(self) -> QuerySet[Claim]:
        return Claim.objects.filter(client=require_client(self.request))

    @extend_schema(
        operation_id="claim_tickets",
        parameters=CLAIM_HEADERS,
        request=ClaimBody,
        examples=[
            OpenApiExample("Five tickets of v1 for the next draw", CLAIM_EXAMPLE, request_only=True),
        ],
        responses={201: ClaimSerializer},
        extensions={ERRORS_KEY: [403, 409, 413, 415, 422]},
    )
    def create(self, request: Request) -> Response:
        """Claim tickets exclusively: all of the requested number or none.

        Repeating a request with the same Idempotency-Key and body returns the same claim, at any time. A
        refused request may be repeated with the same key.
        """
        client = require_client(request)
        validate_query(NoQuery, request.META["QUERY_STRING"])
        key = idempotency_key(request)
        claim_request = ClaimRequest(**validate_body(ClaimBody, parse_request_body(request)))
        try:
            claim, is_new = claim_tickets(client, claim_request, key)
        except ApiClient.DoesNotExist as error:
            raise AuthenticationFailed("The client of this API key has been deleted.") from error
        response_cache.invalidate_claimed(claim)
        location = reverse("claim-detail", args=[claim.pk])
        headers = {"Location": location} | ({} if is_new else {"Idempotency-Replayed": "true"})
        return Response(serialize_claims([claim])[0], status=201, headers=headers)

    def list(self, request: Request) -> Response:
        """List the client's claims, newest first."""
        validate_query(CursorQuery, request.META["QUERY_STRING"])
        page = self.paginate_queryset(self.get_queryset()) or []
        return self.get_paginated_response(serialize_claims(page))

    def retrieve(self, request: Request, pk: str) -> Response:
        """Return a claim of the client; 404 for a claim of another client."""
        validate_query(NoQuery, request.META["QUERY_STRING"])
        return Response(serialize_claims([self.get_object()])[0])


def idempotency_key(request: Request) -> str:
    key = request.META.get("HTTP_IDEMPOTENCY_KEY")
    if key is None or not IDEMPOTENCY_KEY.fullmatch(key):
        allowed = "1 to 255 visible ASCII characters except commas, unique per claim"
        raise InvalidParameters([invalid_parameter(KEY_HEADER, key, allowed)])
    return key


def serialize_claims(claims: Sequence[Claim]) -> list[dict[str, Any]]:
    upcoming = upcoming_draw()
    past = {claim.draw_date for claim in claims if claim.draw_date < upcoming}
    draws = {draw.draw_date: draw for draw in Draw.objects.filter(draw_date__in=past)} if past else {}
    return [
        {
            "id": claim.pk,
            "mode": claim.mode,
            "count": claim.count,
            "draw_date": claim.draw_date.isoformat(),
            "created_at": isoformat_utc(claim.created_at),
            "tickets": serialize_claimed_tickets(claim, draws.get(claim.draw_date)),
        }
        for claim in claims
    ]


class QuotaView(APIView):
    """Return the client's ticket quota for today."""

    requires_api_key = True

    @extend_schema(operation_id="quota", tags=["claims"], responses=QuotaSerializer)
    def get(self, request: Request) -> Response:
        validate_query(NoQuery, request.META["QUERY_STRING"])
        return Response(QuotaSerializer(get_quota(require_client(request))).data)
