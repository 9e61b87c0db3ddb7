"""Request classes that tolerate a malformed Content-Type header."""

from typing import Any

from django.core.handlers.asgi import ASGIRequest
from django.core.handlers.wsgi import WSGIRequest
from django.utils.http import parse_header_parameters


class TolerantContentTypeMixin:
    """Decode all requests as UTF-8; in Django an unknown charset raises before any middleware."""

    content_type: str | None
    content_params: dict[str, str] | None

    def _set_content_type_params(self, meta: dict[str, Any]) -> None:
        try:
            self.content_type, self.content_params = parse_header_parameters(meta.get("CONTENT_TYPE", ""))
        except ValueError:
            self.content_type, self.content_params = "", {}


class TolerantWSGIRequest(TolerantContentTypeMixin, WSGIRequest):
    pass


class AsyncWebRequest(TolerantContentTypeMixin, ASGIRequest):
    pass
