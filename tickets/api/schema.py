"""The API's contract, by OpenAPI 3.1: what drf-spectacular reads from the views, made exact and complete.

Each operation gets the errors it may answer with and the headers that every answer has; each body is closed,
with all its properties required but those that are said to be optional.
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
from tickets.api.error_catalogue import BY_SERVER, ERRORS, EVERYWHERE, MEANINGS, example
from tickets.api.problems import CONTENT_TYPE, title_of
from tickets.api.request_params import KEY_HEADER, KEY_PATTERN
from tickets.api.response_schemas import Problem
from tickets.api.schema_description import INTRODUCTION

Method = TypeVar("Method", bound=Callable[..., Any])
Json = dict[str, Any]

REQUEST_ID = {"type": "string", "pattern": "^[A-Za-z0-9._-]{8,64}$"}
SECONDS = {"type": "integer", "minimum": 0}
HEADERS: dict[str, Json] = {
    "X-Request-ID": {
        "description": "Finds the request in the log. A well-formed one that was sent is given back.",
        "required": True,
        "schema": REQUEST_ID,
    },
    "RateLimit-Limit": {
        "description": "Requests a minute.",
        "required": True,
        "schema": {"type": "integer", "minimum": 1},
    },
    "RateLimit-Remaining": {
        "description": "Those left of them.",
        "required": True,
        "schema": {"type": "integer", "minimum": 0},
    },
    "RateLimit-Reset": {
        "description": "Seconds until all are there again.",
        "required": True,
        "schema": SECONDS,
    },
    "Retry-After": {"description": "Seconds to wait.", "required": True, "schema": SECONDS},
    "WWW-Authenticate": {"required": True, "schema": {"type": "string", "const": SCHEME}},
    "Allow": {"description": "The methods of the address.", "required": True, "schema": {"type": "string"}},
    "ETag": {
        "description": "Of these tickets, weak: `response_time_ms` is not looked at.",
        "schema": {"type": "string", "pattern": '^W/".+"$'},
    },
    "Cache-Control": {"schema": {"type": "string"}},
}
ALWAYS = ("X-Request-ID", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")
WITH_ERROR = {401: ("WWW-Authenticate",), 405: ("Allow",), 429: ("Retry-After",), 503: ("Retry-After",)}

GIVEN_ID = {
    "in": "header",
    "name": "X-Request-ID",
    "description": "An id to follow the request by: 8 to 64 of `A-Z a-z 0-9 . _ -`. Any other is ignored.",
    "schema": {"type": "string"},
}
IF_NONE_MATCH = OpenApiParameter(
    "If-None-Match",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="The ETag of an earlier answer: 304 while nothing has changed.",
)
# What may be asked next, with what of the answer.
LINKS = {
    "claim_tickets": {
        "claim": {
            "operationId": "claim",
            "parameters": {"id": "$response.body#/id"},
            "description": "The claim again, at any time.",
        }
    }
}
STOCK_HEADERS = [
    OpenApiParameter(name, HEADERS[name]["schema"], OpenApiParameter.HEADER, response=[200, 304])
    for name in ("ETag", "Cache-Control")
]
CLAIM_EXAMPLES = [
    OpenApiExample("five of v1 for the next draw", {"mode": "v1", "count": 5}, request_only=True)
]
NOT_MODIFIED = OpenApiResponse(description="The tickets are those of the ETag that was sent.")
DRAW_DATE = OpenApiParameter(
    "draw_date",
    OpenApiTypes.DATE,
    OpenApiParameter.PATH,
    description="New York's date of the draw.",
    examples=[OpenApiExample("a Monday", "2025-12-22")],
)
ROW_ID = OpenApiParameter(
    "id",
    {"type": "integer", "minimum": 0, "maximum": 10**18 - 1},
    OpenApiParameter.PATH,
    examples=[OpenApiExample("the first", 1)],
)
DRAW_CURSOR, ROW_CURSOR = (
    OpenApiExample(
        f"after {place}", b64encode(f"p={place}".encode()).decode(), parameter_only=("cursor", "query")
    )
    for place in ("2025-12-22", "50")
)
CLAIM_HEADERS = [
    OpenApiParameter(
        KEY_HEADER,
        {"type": "string", "pattern": f"^{KEY_PATTERN}$"},
        OpenApiParameter.HEADER,
        required=True,
        description="Any text, new for each new claim; the same again gives the same claim again.",
    ),
    OpenApiParameter(
        "Location",
        OpenApiTypes.STR,
        OpenApiParameter.HEADER,
        required=True,
        response=[201],
        description="The path of the claim.",
    ),
    OpenApiParameter(
        "Idempotency-Replayed",
        {"type": "string", "const": "true"},
        OpenApiParameter.HEADER,
        response=[201],
        description="There when this claim was made before, by the same key.",
    ),
]


def extra_errors(*statuses: int) -> Callable[[Method], Method]:
    """Besides what every endpoint answers, this method of a view answers with these errors."""

    def mark(method: Method) -> Method:
        method.refuses = statuses  # type: ignore[attr-defined]
        return method

    return mark


class ApiKeyScheme(OpenApiAuthenticationExtension):
    """How an API key is sent."""

    target_class = "tickets.api.authentication.ApiKeyAuthentication"
    name = "ApiKey"

    def get_security_definition(self, auto_schema: AutoSchema) -> Json:
        return {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": f"`{SCHEME} <key>`. Claims and quota need it, the rest is open to all; a key that "
            "is not accepted is a 401 everywhere.",
        }

    def get_security_requirement(self, auto_schema: AutoSchema) -> list[dict[str, list[Any]]]:
        needed = getattr(auto_schema.view, "needs_key", False)
        return [{"ApiKey": []}] if needed else [{"ApiKey": []}, {}]


PROBLEM = {"$ref": "#/components/schemas/Problem"}


class ApiSchema(AutoSchema):
    """What drf-spectacular finds out of a view, with errors, headers and exact bodies."""

    def get_operation(
        self, path: str, path_regex: str, path_prefix: str, method: str, registry: ComponentRegistry
    ) -> Json | None:
        operation = super().get_operation(path, path_regex, path_prefix, method, registry)
        if operation is None:
            return None
        summary, _, rest = operation.pop("description", "").partition("\n\n")
        texts = {"summary": summary.replace("\n", " ")} | ({"description": rest} if rest else {})
        operation["parameters"] = [
            *operation.get("parameters", []),
            {"$ref": "#/components/parameters/RequestId"},
        ]
        for status, response in operation["responses"].items():
            response["description"] = response["description"] or title_of(int(status))
            own = response.get("headers", {})
            response["headers"] = own | _header_refs((*(name for name in own if name in HEADERS), *ALWAYS))
        self.resolve_serializer(Problem, "response")  # registers it: the errors refer to it
        if operation["operationId"] in LINKS:
            operation["responses"]["201"]["links"] = LINKS[operation["operationId"]]
        for status in self._statuses():
            operation["responses"][str(status)] = {"$ref": f"#/components/responses/{_name(status)}"}
        return texts | operation

    def _statuses(self) -> list[int]:
        method = getattr(self.view, getattr(self.view, "action", None) or self.method.lower())
        there = (404,) if "{" in self.path else ()
        return sorted({*EVERYWHERE, *BY_SERVER, *there, *getattr(method, "refuses", ())})

    def _map_basic_serializer(self, serializer: Any, direction: str) -> Json:
        """Closed bodies; what a model's row may be made without is never missing where it is shown."""
        schema: Json = super()._map_basic_serializer(serializer, direction)
        if direction == "response" and isinstance(serializer, serializers.ModelSerializer):
            schema["required"] = sorted(schema["properties"])
            for one in schema["properties"].values():
                _drop_column_bounds(one)
        if schema.get("properties"):
            schema["additionalProperties"] = False
        return schema


def _drop_column_bounds(schema: Json) -> None:
    """What a database's column could hold, another one in each, says nothing about a number."""
    if schema.get("maximum", 0) >= 2**15 - 1:
        del schema["maximum"]
        schema.pop("format", None)
    if schema.get("minimum", 0) < 0:
        del schema["minimum"]


def add_components(result: Json, **context: Any) -> Json:
    """Add the introduction, and what the operations refer to: the answers with an error, and the headers."""
    result["info"]["description"] = INTRODUCTION
    components = result["components"]
    components["parameters"] = {"RequestId": GIVEN_ID}
    components["headers"] = HEADERS
    components["responses"] = {_name(status): _error(status) for status in MEANINGS}
    return result


def _error(status: int) -> Json:
    if status in BY_SERVER:
        return {"description": BY_SERVER[status], "content": {"text/html": {"schema": {"type": "string"}}}}
    return {
        "description": ERRORS[status].meaning,
        "headers": _header_refs((*ALWAYS, *WITH_ERROR.get(status, ()))),
        "content": {CONTENT_TYPE: {"schema": PROBLEM, "example": example(status)}},
    }


def _name(status: int) -> str:
    return title_of(status).replace(" ", "")


def _header_refs(names: tuple[str, ...]) -> dict[str, Json]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}
