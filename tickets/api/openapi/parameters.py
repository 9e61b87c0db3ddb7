"""Headers, parameters and examples of the schema."""

from base64 import b64encode
from collections.abc import Iterable
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter

from tickets.api.authentication import SCHEME
from tickets.api.request_params import KEY_HEADER, KEY_PATTERN

Json = dict[str, Any]


def required_header(description: str, schema: Json) -> Json:
    return {"description": description, "required": True, "schema": schema}


COUNT = {"type": "integer", "minimum": 0}
TEXT = {"type": "string"}
HEADERS: dict[str, Json] = {
    "X-Request-ID": required_header(
        "Identifies the request in the log. A valid id sent by the client is used.",
        {"type": "string", "pattern": "^[A-Za-z0-9._-]{8,64}$"},
    ),
    "RateLimit-Limit": required_header("Requests per minute.", {"type": "integer", "minimum": 1}),
    "RateLimit-Remaining": required_header("Requests left in the current minute.", COUNT),
    "RateLimit-Reset": required_header("Seconds until the limit resets.", COUNT),
    "Retry-After": required_header("Seconds to wait before the next request.", COUNT),
    "WWW-Authenticate": {"required": True, "schema": {"type": "string", "const": SCHEME}},
    "Allow": required_header("Supported methods.", TEXT),
    "ETag": {
        "description": "Weak validator; ignores `response_time_ms`.",
        "schema": {"type": "string", "pattern": '^W/".+"$'},
    },
    "Cache-Control": {"schema": TEXT},
}
COMMON_HEADERS = ("X-Request-ID", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")

REQUEST_ID = {
    "in": "header",
    "name": "X-Request-ID",
    "description": "Request id chosen by the client: 8 to 64 of `A-Z a-z 0-9 . _ -`; others are ignored.",
    "schema": TEXT,
}
IF_NONE_MATCH = OpenApiParameter(
    "If-None-Match",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="ETag of an earlier response; 304 if nothing has changed.",
)
CACHE_HEADERS = [
    OpenApiParameter(name, HEADERS[name]["schema"], OpenApiParameter.HEADER, response=[200, 304])
    for name in ("ETag", "Cache-Control")
]
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


def cursor_example(position: str) -> OpenApiExample:
    cursor = b64encode(f"p={position}".encode()).decode()
    return OpenApiExample(f"After {position}", cursor, parameter_only=("cursor", "query"))


def header_refs(names: Iterable[str]) -> dict[str, Json]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}
