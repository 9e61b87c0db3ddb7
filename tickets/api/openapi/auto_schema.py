"""The OpenAPI 3.1 schema: drf-spectacular's output, completed.

Add the possible errors and the common headers to every operation. Close every body, with all properties
required unless declared optional.
"""

from base64 import b64encode
from collections.abc import Callable
from typing import Any, TypeVar

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ComponentRegistry
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse
from rest_framework import serializers

from tickets.api.authentication import SCHEME
from tickets.api.openapi.errors import BY_SERVER, ERRORS, EVERYWHERE, MEANINGS, example
from tickets.api.openapi.introduction import INTRODUCTION
from tickets.api.openapi.responses import Problem
from tickets.api.problems import CONTENT_TYPE, status_title
from tickets.api.request_params import KEY_HEADER, KEY_PATTERN

Method = TypeVar("Method", bound=Callable[..., Any])
Json = dict[str, Any]

REQUEST_ID = {"type": "string", "pattern": "^[A-Za-z0-9._-]{8,64}$"}
SECONDS = {"type": "integer", "minimum": 0}
HEADERS: dict[str, Json] = {
    "X-Request-ID": {
        "description": "Identifies the request in the log. A valid id sent by the client is used.",
        "required": True,
        "schema": REQUEST_ID,
    },
    "RateLimit-Limit": {
        "description": "Requests per minute.",
        "required": True,
        "schema": {"type": "integer", "minimum": 1},
    },
    "RateLimit-Remaining": {
        "description": "Requests left in the current minute.",
        "required": True,
        "schema": {"type": "integer", "minimum": 0},
    },
    "RateLimit-Reset": {
        "description": "Seconds until the limit resets.",
        "required": True,
        "schema": SECONDS,
    },
    "Retry-After": {
        "description": "Seconds to wait before the next request.",
        "required": True,
        "schema": SECONDS,
    },
    "WWW-Authenticate": {"required": True, "schema": {"type": "string", "const": SCHEME}},
    "Allow": {"description": "Supported methods.", "required": True, "schema": {"type": "string"}},
    "ETag": {
        "description": "Weak validator; ignores `response_time_ms`.",
        "schema": {"type": "string", "pattern": '^W/".+"$'},
    },
    "Cache-Control": {"schema": {"type": "string"}},
}
ALWAYS = ("X-Request-ID", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")
WITH_ERROR = {401: ("WWW-Authenticate",), 405: ("Allow",), 429: ("Retry-After",), 503: ("Retry-After",)}

REQUEST_ID_PARAMETER = {
    "in": "header",
    "name": "X-Request-ID",
    "description": "Request id chosen by the client: 8 to 64 of `A-Z a-z 0-9 . _ -`; others are ignored.",
    "schema": {"type": "string"},
}
IF_NONE_MATCH = OpenApiParameter(
    "If-None-Match",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="ETag of an earlier response; 304 if nothing has changed.",
)
# Follow-up operations, with parameters taken from the response.
LINKS = {
    "claim_tickets": {
        "claim": {
            "operationId": "claim",
            "parameters": {"id": "$response.body#/id"},
            "description": "Retrieve the claim.",
        }
    }
}
STOCK_HEADERS = [
    OpenApiParameter(name, HEADERS[name]["schema"], OpenApiParameter.HEADER, response=[200, 304])
    for name in ("ETag", "Cache-Control")
]
CLAIM_EXAMPLES = [
    OpenApiExample("Five tickets of v1 for the next draw", {"mode": "v1", "count": 5}, request_only=True)
]
NOT_MODIFIED = OpenApiResponse(description="Not changed since the ETag sent.")
DRAW_DATE = OpenApiParameter(
    "draw_date",
    OpenApiTypes.DATE,
    OpenApiParameter.PATH,
    description="Date of the draw in New York.",
    examples=[OpenApiExample("A Monday", "2025-12-22")],
)
ROW_ID = OpenApiParameter(
    "id",
    {"type": "integer", "minimum": 0, "maximum": 10**18 - 1},
    OpenApiParameter.PATH,
    examples=[OpenApiExample("First row", 1)],
)
DRAW_CURSOR, ROW_CURSOR = (
    OpenApiExample(
        f"After {position}",
        b64encode(f"p={position}".encode()).decode(),
        parameter_only=("cursor", "query"),
    )
    for position in ("2025-12-22", "50")
)
CLAIM_HEADERS = [
    OpenApiParameter(
        KEY_HEADER,
        {"type": "string", "pattern": f"^{KEY_PATTERN}$"},
        OpenApiParameter.HEADER,
        required=True,
        description="Unique per claim. Repeating a request with the same key returns the same claim.",
    ),
    OpenApiParameter(
        "Location",
        OpenApiTypes.STR,
        OpenApiParameter.HEADER,
        required=True,
        response=[201],
        description="Path of the claim.",
    ),
    OpenApiParameter(
        "Idempotency-Replayed",
        {"type": "string", "const": "true"},
        OpenApiParameter.HEADER,
        response=[201],
        description="Present if the claim was created by an earlier request with the same key.",
    ),
]


def extra_errors(*statuses: int) -> Callable[[Method], Method]:
    """Declare error statuses of a view method in addition to those of every endpoint."""

    def mark(method: Method) -> Method:
        method.extra_errors = statuses  # type: ignore[attr-defined]
        return method

    return mark


class ApiKeyScheme(OpenApiAuthenticationExtension):
    target_class = "tickets.api.authentication.ApiKeyAuthentication"
    name = "ApiKey"

    def get_security_definition(self, auto_schema: AutoSchema) -> Json:
        return {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": f"`{SCHEME} <key>`. Required for claims and quota; everything else is public. An "
            "invalid key is a 401 for every request.",
        }

    def get_security_requirement(self, auto_schema: AutoSchema) -> list[dict[str, list[Any]]]:
        is_required = getattr(auto_schema.view, "requires_api_key", False)
        return [{"ApiKey": []}] if is_required else [{"ApiKey": []}, {}]


PROBLEM = {"$ref": "#/components/schemas/Problem"}


class ApiSchema(AutoSchema):
    """Add errors, headers and closed bodies to the operations generated by drf-spectacular."""

    def get_operation(
        self, path: str, path_regex: str, path_prefix: str, method: str, registry: ComponentRegistry
    ) -> Json | None:
        operation = super().get_operation(path, path_regex, path_prefix, method, registry)
        if operation is None:
            return None
        summary, _, description = operation.pop("description", "").partition("\n\n")
        texts = {"summary": summary.replace("\n", " ")}
        if description:
            texts["description"] = description
        operation["parameters"] = [
            *operation.get("parameters", []),
            {"$ref": "#/components/parameters/RequestId"},
        ]
        for status, response in operation["responses"].items():
            response["description"] = response["description"] or status_title(int(status))
            headers = response.get("headers", {})
            shared = [name for name in headers if name in HEADERS]
            response["headers"] = headers | _header_refs((*shared, *ALWAYS))
        self.resolve_serializer(Problem, "response")  # register it for the error responses
        if operation["operationId"] in LINKS:
            operation["responses"]["201"]["links"] = LINKS[operation["operationId"]]
        for status in self._error_statuses():
            operation["responses"][str(status)] = {
                "$ref": f"#/components/responses/{_component_name(status)}"
            }
        return texts | operation

    def _error_statuses(self) -> list[int]:
        method = getattr(self.view, getattr(self.view, "action", None) or self.method.lower())
        not_found = (404,) if "{" in self.path else ()
        return sorted({*EVERYWHERE, *BY_SERVER, *not_found, *getattr(method, "extra_errors", ())})

    def _map_basic_serializer(self, serializer: Any, direction: str) -> Json:
        """Close the body, and require every field of a model's row in a response."""
        schema: Json = super()._map_basic_serializer(serializer, direction)
        if direction == "response" and isinstance(serializer, serializers.ModelSerializer):
            schema["required"] = sorted(schema["properties"])
            for field in schema["properties"].values():
                _drop_column_bounds(field)
        if schema.get("properties"):
            schema["additionalProperties"] = False
        return schema


def _drop_column_bounds(schema: Json) -> None:
    """Drop bounds that come from the column type, which differ between databases."""
    if schema.get("maximum", 0) >= 2**15 - 1:
        del schema["maximum"]
        schema.pop("format", None)
    if schema.get("minimum", 0) < 0:
        del schema["minimum"]


def add_components(result: Json, **context: Any) -> Json:
    """Add the introduction and the shared parameters, headers and error responses."""
    result["info"]["description"] = INTRODUCTION
    components = result["components"]
    components["parameters"] = {"RequestId": REQUEST_ID_PARAMETER}
    components["headers"] = HEADERS
    components["responses"] = {_component_name(status): _error_response(status) for status in MEANINGS}
    return result


def _error_response(status: int) -> Json:
    if status in BY_SERVER:
        return {"description": BY_SERVER[status], "content": {"text/html": {"schema": {"type": "string"}}}}
    return {
        "description": ERRORS[status].meaning,
        "headers": _header_refs((*ALWAYS, *WITH_ERROR.get(status, ()))),
        "content": {CONTENT_TYPE: {"schema": PROBLEM, "example": example(status)}},
    }


def _component_name(status: int) -> str:
    return status_title(status).replace(" ", "")


def _header_refs(names: tuple[str, ...]) -> dict[str, Json]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}
