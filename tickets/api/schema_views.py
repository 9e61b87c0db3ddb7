"""The contract for programs and for people: the schema, and a page of it that asks nobody else."""

import json
from functools import lru_cache
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiYamlRenderer
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.views import APIView

from tickets.api.request_params import SchemaQuery, validate_query

YAML, JSON = "application/vnd.oai.openapi", "application/vnd.oai.openapi+json"
_OF_ACCEPT = {JSON: "json", "application/json": "json"}


class SchemaView(APIView):
    @extend_schema(
        operation_id="schema",
        parameters=[SchemaQuery],
        responses={(200, YAML): {"type": "string"}, (200, JSON): {"type": "object"}},
    )
    def get(self, request: Request) -> HttpResponse:
        """This schema: YAML, or JSON by `format=json` or by the Accept header."""
        query = validate_query(SchemaQuery, request.META["QUERY_STRING"])
        accepted = request.META.get("HTTP_ACCEPT", "").partition(";")[0].strip()
        chosen = query["format"] or _OF_ACCEPT.get(accepted, "yaml")
        return HttpResponse(schema_text(chosen), content_type=JSON if chosen == "json" else YAML)


@lru_cache
def schema_text(form: str) -> bytes:
    """The schema as `yaml` or `json`; made once a process, since it takes a tenth of a second."""
    schema: Any = SchemaGenerator().get_schema(request=None, public=True)
    return json.dumps(schema).encode() if form == "json" else OpenApiYamlRenderer().render(schema)


@csrf_exempt  # it changes nothing
@require_safe
def docs(request: HttpRequest) -> HttpResponse:
    """The schema as a page, on which requests can be tried."""
    return render(request, "tickets/docs.html")
