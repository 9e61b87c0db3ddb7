"""Authentication of API clients by key."""

import re
from typing import Any, cast

from django.db import connection
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, NotAuthenticated, Throttled
from rest_framework.request import Request

from tickets.api.throttling import count_anonymous_request
from tickets.models.clients import ApiClient, ApiKey

SCHEME = "Api-Key"
# Raw SQL: building this query with the ORM would take a quarter of the time of a claim.
CLIENT_BY_PREFIX_SQL = """
    SELECT c.*, k.hashed_key, k.revoked AS is_revoked, k.expiry_date <= %s AS has_expired
    FROM tickets_apikey k JOIN tickets_apiclient c ON c.id = k.client_id WHERE k.prefix = %s
"""
HEADER = re.compile(rf"{SCHEME} +([A-Za-z0-9]{{8}})\.([A-Za-z0-9]{{32}}) *", re.IGNORECASE)


class ApiKeyAuthentication(BaseAuthentication):
    """Authenticate `Authorization: Api-Key …` and set the client as the request's user.

    An invalid key is a 401 even where none is required, so a client is never silently treated as anonymous.
    Failed attempts count against the rate limit of the IP address.
    """

    def authenticate(self, request: Request) -> tuple[ApiClient, None] | None:
        header = request.META.get("HTTP_AUTHORIZATION")
        if header is None:
            return None
        try:
            return find_client(header), None
        except AuthenticationFailed:
            if (window := count_anonymous_request(request)).is_exceeded:
                raise Throttled(window.resets_in) from None
            raise

    def authenticate_header(self, request: Request) -> str:
        return SCHEME


def find_client(header: str) -> ApiClient:
    match = HEADER.fullmatch(header)
    if match is None:
        raise AuthenticationFailed(f"The Authorization header is invalid; use `{SCHEME} <key>`.")
    prefix, secret = match.groups()
    now = connection.ops.adapt_datetimefield_value(timezone.now())
    client: Any = next(iter(ApiClient.objects.raw(CLIENT_BY_PREFIX_SQL, [now, prefix])), None)
    if client is None or not ApiKey.objects.key_generator.verify(f"{prefix}.{secret}", client.hashed_key):
        raise AuthenticationFailed("The API key is unknown.")
    if client.is_revoked:
        raise AuthenticationFailed("The API key is revoked.")
    if client.has_expired:
        raise AuthenticationFailed("The API key has expired.")
    if not client.active:
        raise AuthenticationFailed("The client of this API key is inactive.")
    return cast(ApiClient, client)


def require_client(request: Request) -> ApiClient:
    """Return the authenticated client. Raise NotAuthenticated for anonymous requests."""
    if not isinstance(request.user, ApiClient):
        raise NotAuthenticated(f"An API key is required: `Authorization: {SCHEME} <key>`.")
    return request.user
