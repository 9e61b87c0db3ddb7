"""Who asks: an API client by its key, or nobody in particular."""

import re

from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, NotAuthenticated, Throttled
from rest_framework.request import Request

from tickets.api.throttles import count_address
from tickets.clients import ApiClient, ApiKey

SCHEME = "Api-Key"
_HEADER = re.compile(rf"{SCHEME} +([A-Za-z0-9]{{8}})\.([A-Za-z0-9]{{32}}) *", re.IGNORECASE)


class ApiKeyAuthentication(BaseAuthentication):
    """`Authorization: Api-Key …`, which makes the client the request's user.

    A header that is anything else, and a key that is not accepted, is a 401 also where none is needed: nobody
    is silently taken for anonymous. It counts against the rate of its address.
    """

    def authenticate(self, request: Request) -> tuple[ApiClient, ApiKey] | None:
        header = request.META.get("HTTP_AUTHORIZATION")
        if header is None:
            return None
        try:
            key = _usable_key(header)
        except AuthenticationFailed:
            if (window := count_address(request)).is_over:
                raise Throttled(window.resets_in) from None
            raise
        return key.client, key

    def authenticate_header(self, request: Request) -> str:
        return SCHEME


def _usable_key(header: str) -> ApiKey:
    match = _HEADER.fullmatch(header)
    if match is None:
        raise AuthenticationFailed(f"The Authorization header is none; allowed is `{SCHEME} <key>`.")
    prefix, secret = match.groups()
    key = ApiKey.objects.select_related("client").filter(prefix=prefix).first()
    if key is None or not key.is_valid(f"{prefix}.{secret}"):
        raise AuthenticationFailed("The API key is unknown.")
    if reason := key.refusal(timezone.now()):
        raise AuthenticationFailed(reason)
    return key


def client_of(request: Request) -> ApiClient:
    """The client that asks; NotAuthenticated for anonymous callers."""
    if not isinstance(request.user, ApiClient):
        raise NotAuthenticated(f"An API key is needed: `Authorization: {SCHEME} <key>`.")
    return request.user
