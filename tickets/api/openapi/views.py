"""Views of the OpenAPI schema and of its documentation page."""

import json
from functools import lru_cache
from typing import Any

from csp.constants import SELF
from csp.decorators import csp_update
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer, OpenApiYamlRenderer
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.views import APIView

from tickets.api.request_params import SchemaQuery, validate_query

YAML, JSON = OpenApiYamlRenderer.media_type, OpenApiJsonRenderer.media_type


class SchemaView(APIView):
    @extend_schema(
        operation_id="schema",
        parameters=[SchemaQuery],
        responses={(200, YAML): {"type": "string"}, (200, JSON): {"type": "object"}},
    )
    def get(self, request: Request) -> HttpResponse:
        """Return this schema as YAML, or as JSON if `format` or the Accept header requests it."""
        query = validate_query(SchemaQuery, request.META["QUERY_STRING"])
        accepted = request.META.get("HTTP_ACCEPT", "").partition(";")[0].strip()
        schema_format = query["format"] or ("json" if accepted in (JSON, "application/json") else "yaml")
        content_type = JSON if schema_format == "json" else YAML
        return HttpResponse(schema_text(schema_format), content_type=content_type)


@lru_cache
def schema_text(schema_format: str) -> bytes:
    """Return the schema as `yaml` or `json`, cached because generating it takes a tenth of a second."""
    schema: Any = SchemaGenerator().get_schema(request=None, public=True)
    return json.dumps(schema).encode() if schema_format == "json" else OpenApiYamlRenderer().render(schema)


@csrf_exempt  # read-only
@csp_update({"img-src": [SELF, "data:"]})  # Swagger's style sheet contains images
@require_safe
def docs(request: HttpRequest) -> HttpResponse:
    return render(request, "tickets/docs.html")
