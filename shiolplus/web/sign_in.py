"""Sign-in: how failures are counted, the lock-out page, and where the user lands afterwards.

django-axes counts and stores the failures. What reaches it comes from strangers, so this module first makes
it storable by both databases and harmless in the log.
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

NAME_LENGTH = 255  # of the columns of django-axes; PostgreSQL refuses more
STORED_HEADERS = ("HTTP_USER_AGENT", "HTTP_ACCEPT", "PATH_INFO")
IPV6_PREFIX = 64  # what one subscriber has, who can use every address in it
# Pages that exist but on which nobody should land: they answer GET with an error or lead elsewhere.
NOT_LANDED_ON = {"login", "logout", "jsi18n", "autocomplete", "view_on_site"}


def client_username(request: HttpRequest, credentials: Mapping[str, Any] | None) -> str:
    """Return the user name under which failures are counted, at most 255 characters."""
    given = (credentials or request.POST).get("username")
    return sanitize_line(str(given or ""))[:NAME_LENGTH]


def client_address(request: HttpRequest) -> str | None:
    """Return the client's IP address as TrustedProxies found it, of IPv6 the /64 network; None if unknown."""
    address = parse_address(request.META.get("REMOTE_ADDR", ""))
    if isinstance(address, ipaddress.IPv6Address):
        network = ipaddress.ip_network((int(address), IPV6_PREFIX), strict=False)
        return str(network.network_address)
    return None if address is None else str(address)


class SignInLimit(AxesStandaloneBackend):
    """Refuse a sign-in after too many failures of this user name from this address."""

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **kwargs: Any,
    ) -> None:
        if request is None:  # a program and not a browser: there is no address to count by
            return
        for header in STORED_HEADERS:
            if header in request.META:
                request.META[header] = sanitize_line(request.META[header])
        super().authenticate(request, username=username, password=password, **kwargs)


def locked_out(request: HttpRequest, response: HttpResponse | None = None, *arguments: Any) -> HttpResponse:
    """Return the lock-out page: 429, with the longest time to wait."""
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
    """Return True if `url` is a page of this site's admin."""
    hosts = {request.get_host()}
    if not url.isprintable() or not url_has_allowed_host_and_scheme(url, hosts, request.is_secure()):
        return False
    path = unquote(urlsplit(url).path)
    try:
        match = resolve(path)
    except Resolver404:
        return False
    # The admin's own answer to an unknown path is a view too, without a name.
    is_named = match.url_name is not None and match.url_name not in NOT_LANDED_ON
    return path.isprintable() and is_named and ("admin" in match.namespaces or match.url_name == "dashboard")


def _drop_bad_redirect(request: HttpRequest) -> None:
    """Remove `next` from the request unless it is a landing page."""
    for method in ("GET", "POST"):
        given: QueryDict = getattr(request, method)
        if any(not is_landing_page(url, request) for url in given.getlist(REDIRECT_FIELD_NAME)):
            rest = given.copy()
            del rest[REDIRECT_FIELD_NAME]
            setattr(request, method, rest)


def sign_in(request: HttpRequest) -> HttpResponse:
    """The admin's sign-in page, which afterwards leads to `next` or else to the admin's index."""
    _drop_bad_redirect(request)
    return admin.site.login(request)


def sign_out(request: HttpRequest) -> HttpResponse:
    """The admin's sign-out page, with the same rule for `next`."""
    _drop_bad_redirect(request)
    return admin.site.logout(request)
