"""Requests with any Content-Type can be read, by WSGI and ASGI."""

from io import BytesIO
from typing import Any

import pytest
from django.http import HttpRequest
from django.test import RequestFactory

from shiolplus.web.request_classes import AsyncWebRequest, TolerantWSGIRequest


def wsgi_request(content_type: str) -> HttpRequest:
    environ = RequestFactory().get("/api/v1/draws", {"cursor": "ä"}, content_type=content_type).environ
    return TolerantWSGIRequest(environ | {"CONTENT_TYPE": content_type})


def asgi_request(content_type: str) -> HttpRequest:
    scope: dict[str, Any] = {
        "type": "http",
        "method": "GET",
        "path": "/api/v1/draws",
        "query_string": b"cursor=%C3%A4",
        "headers": [(b"content-type", content_type.encode())],
    }
    return AsyncWebRequest(scope, BytesIO())


@pytest.mark.parametrize("make_request", [wsgi_request, asgi_request])
@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "application/json; charset=latin-1",
        "text/plain; charset=base64",
        "text/plain; charset=none-such",
        "text/plain; charset*=none-such''x",
        ";;;=",
    ],
)
def test_query_is_utf8_for_any_content_type(make_request: Any, content_type: str) -> None:
    request = make_request(content_type)

    assert request.GET.dict() == {"cursor": "ä"}
    assert request.encoding is None
