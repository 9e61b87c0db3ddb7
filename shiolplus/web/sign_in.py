"""Sign-in and sign-out: lock-out after failures, and validation of the redirect target.

What django-axes stores and logs is sanitized first.
"""

import ipaddress
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote, urlsplit

from axes.backends import AxesStandaloneBackend
from django.conf import settings
from django.contrib import admin
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.http import HttpRequest, HttpResponse, QueryDict
from django.template.response import TemplateResponse
from django.urls import Resolver404, resolve
from django.utils.http import url_has_allowed_host_and_scheme

from shiolplus.logs.safe_text import sanitize_line
from shiolplus.web.trusted_proxies import parse_address

MAX_USERNAME_LENGTH = 255  # length of django-axes' columns; PostgreSQL rejects longer values
STORED_HEADERS = ("HTTP_USER_AGENT", "HTTP_ACCEPT", "PATH_INFO")
IPV6_PREFIX = 64  # one subscriber can use any IP address in a /64 network
# Admin URLs that respond to GET with an error or a redirect.
NOT_LANDING_PAGES = {"login", "logout", "jsi18n", "autocomplete", "view_on_site"}


def client_username(request: HttpRequest, credentials: Mapping[str, Any] | None) -> str:
    username = (credentials or request.POST).get("username")
    return sanitize_line(str(username or ""))[:MAX_USERNAME_LENGTH]


def client_address(request: HttpRequest) -> str | None:
    """Return the IP address to count failures by, or None: for IPv6, that of the /64 network."""
    address = parse_address(request.META.get("REMOTE_ADDR", ""))
    if isinstance(address, ipaddress.IPv6Address):
        network = ipaddress.ip_network((int(address), IPV6_PREFIX), strict=False)
        return str(network.network_address)
    return None if address is None else str(address)


class SignInLimit(AxesStandaloneBackend):
    """Refuse a sign-in after too many failures of the same user name from the same IP address."""

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **kwargs: Any,
    ) -> None:
        if request is None:  # no IP address to count by
            return
        for header in STORED_HEADERS:
            if header in request.META:
                request.META[header] = sanitize_line(request.META[header])
        super().authenticate(request, username=username, password=password, **kwargs)


def locked_out(request: HttpRequest, response: HttpResponse | None = None, *arguments: Any) -> HttpResponse:
    seconds = int(settings.AXES_COOLOFF_TIME.total_seconds())
    context = admin.site.each_context(request) | {
        "title": "Too many failed sign-ins",
        "failures": settings.AXES_FAILURE_LIMIT,
        "minutes": -(-seconds // 60),
    }
    page = TemplateResponse(
        request,
        "registration/locked_out.html",
        context,
        status=HTTPStatus.TOO_MANY_REQUESTS,
        headers={"Retry-After": str(seconds), "Cache-Control": "no-store"},
    )
    return page.render()


def is_landing_page(url: str, request: HttpRequest) -> bool:
    """Return True if `url` is a page of this site's admin that a browser can open."""
    hosts = {request.get_host()}
    if not url.isprintable() or not url_has_allowed_host_and_scheme(url, hosts, request.is_secure()):
        return False
    path = unquote(urlsplit(url).path)
    try:
        match = resolve(path)
    except Resolver404:
        return False
    if match.url_name is None or match.url_name in NOT_LANDING_PAGES:  # None: catch-all view
        return False
    return path.isprintable() and ("admin" in match.namespaces or match.url_name == "dashboard")


def drop_bad_redirect(request: HttpRequest) -> None:
    for method in ("GET", "POST"):
        params: QueryDict = getattr(request, method)
        if any(not is_landing_page(url, request) for url in params.getlist(REDIRECT_FIELD_NAME)):
            params = params.copy()
            del params[REDIRECT_FIELD_NAME]
            setattr(request, method, params)


def sign_in(request: HttpRequest) -> HttpResponse:
    drop_bad_redirect(request)
    return admin.site.login(request)


def sign_out(request: HttpRequest) -> HttpResponse:
    drop_bad_redirect(request)
    return admin.site.logout(request)
