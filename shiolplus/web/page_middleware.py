"""Middleware that skips the API.

The API has no sessions, and these four took a sixth of the response time of a ticket request.
"""

from typing import Any

from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest
from django.middleware.csrf import CsrfViewMiddleware
from django.utils.deprecation import MiddlewareMixin

API_PREFIX = "/api/"


class SkipApiMixin(MiddlewareMixin):
    def __call__(self, request: HttpRequest) -> Any:
        handle = self.get_response if request.path_info.startswith(API_PREFIX) else super().__call__
        return handle(request)


class PageSessionMiddleware(SkipApiMixin, SessionMiddleware):
    pass


class PageCsrfMiddleware(SkipApiMixin, CsrfViewMiddleware):
    pass


class PageAuthMiddleware(SkipApiMixin, AuthenticationMiddleware):
    pass


class PageMessageMiddleware(SkipApiMixin, MessageMiddleware):
    pass
