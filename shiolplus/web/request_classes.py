"""Requests whose headers Django would not even read."""

from typing import Any

from django.core.handlers.asgi import ASGIRequest
from django.core.handlers.wsgi import WSGIRequest
from django.utils.http import parse_header_parameters


class TolerantContentTypeMixin:
    """Before a request class in a class's bases: it is UTF-8, and its content type cannot break it.

    Django decodes also the query by the charset that is named for the body. One that is none, or none for
    text, raised an error before any middleware was asked, and so was a bare 500 of the web server.
    """

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
