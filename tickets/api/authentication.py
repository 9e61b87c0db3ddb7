"""Who asks: an API client by its key, or nobody in particular."""

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
# The client, and what there is to know of its key: by the ORM it would be a quarter of a claim's time.
_OWNER = """
    SELECT c.*, k.hashed_key, k.revoked AS is_revoked, k.expiry_date <= %s AS has_expired
    FROM tickets_apikey k JOIN tickets_apiclient c ON c.id = k.client_id WHERE k.prefix = %s
"""
_HEADER = re.compile(rf"{SCHEME} +([A-Za-z0-9]{{8}})\.([A-Za-z0-9]{{32}}) *", re.IGNORECASE)


class ApiKeyAuthentication(BaseAuthentication):
    """`Authorization: Api-Key …`, which makes the client the request's user.

    A header that is anything else, and a key that is not accepted, is a 401 also where none is needed: nobody
    is silently taken for anonymous. It counts against the rate of its address.
    """

    def authenticate(self, request: Request) -> tuple[ApiClient, None] | None:
        header = request.META.get("HTTP_AUTHORIZATION")
        if header is None:
            return None
        try:
            return _owner(header), None
        except AuthenticationFailed:
            if (window := count_anonymous_request(request)).is_over:
                raise Throttled(window.resets_in) from None
            raise

    def authenticate_header(self, request: Request) -> str:
        return SCHEME


def _owner(header: str) -> ApiClient:
    """Whose key a header holds; AuthenticationFailed for what is no key that is accepted."""
    match = _HEADER.fullmatch(header)
    if match is None:
        raise AuthenticationFailed(f"The Authorization header is none; allowed is `{SCHEME} <key>`.")
    prefix, secret = match.groups()
    now = connection.ops.adapt_datetimefield_value(timezone.now())
    owner: Any = next(iter(ApiClient.objects.raw(_OWNER, [now, prefix])), None)
    if owner is None or not ApiKey.objects.key_generator.verify(f"{prefix}.{secret}", owner.hashed_key):
        raise AuthenticationFailed("The API key is unknown.")
    if owner.is_revoked:
        raise AuthenticationFailed("The API key is revoked.")
    if owner.has_expired:
        raise AuthenticationFailed("The API key has expired.")
    if not owner.active:
        raise AuthenticationFailed("The client of this API key is not active.")
    return cast(ApiClient, owner)


def client_of(request: Request) -> ApiClient:
    """The client that asks; NotAuthenticated for anonymous callers."""
    if not isinstance(request.user, ApiClient):
        raise NotAuthenticated(f"An API key is needed: `Authorization: {SCHEME} <key>`.")
    return request.user
