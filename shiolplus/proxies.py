"""Whose word is taken on where a request came from: that of SHIOL_TRUSTED_PROXIES, and no other's."""

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponse

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Peers = tuple[frozenset[Network], bool]

UNIX = "unix"  # whoever speaks to us through a Unix socket, and so has no address
# Where `request.is_secure()` finds what a trusted proxy said: a name that no header of a request can have.
SCHEME_KEY = "shiolplus.scheme"
# Where stands that a request came through a proxy that nobody trusts: then its address is not the client's.
UNTRUSTED_KEY = "shiolplus.untrusted"


class UnclearScheme(SuspiciousOperation):
    """Whether a request came by TLS cannot be told, so a redirect to https might go round for ever."""


def parse_peers(setting: str, words: Iterable[str]) -> Peers:
    """The networks, and whether Unix sockets are meant. ValueError names the setting and what is neither."""
    networks, has_unix = set(), False
    for word in map(str.strip, words):
        if word == UNIX:
            has_unix = True
            continue
        try:
            networks.add(ipaddress.ip_network(word))
        except ValueError as error:
            raise ValueError(
                f'"{setting}": {error}; allowed are addresses, networks and the word {UNIX}'
            ) from error
    return frozenset(networks), has_unix


def parse_address(text: str) -> Address | None:
    """An address in its one spelling, or None. An IPv4 address within IPv6 is the IPv4 address."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def is_among(peer: str, peers: Peers) -> bool:
    """Whether an address, empty for a Unix socket, is one of those that a setting names."""
    networks, has_unix = peers
    if not peer:
        return has_unix
    address = parse_address(peer)
    return address is not None and any(address in network for network in networks)


class Proxies:
    """Who is trusted, and what that says of a request.

    `X-Forwarded-For` is read from the right: each proxy added whom it heard from, so the first that is not
    trusted is the client, and what stands left of it is that client's invention.
    """

    def __init__(self) -> None:
        trusted = settings.TRUSTED_PROXIES
        self.is_trusted = lru_cache(maxsize=1024)(lambda peer: is_among(peer, trusted))

    def read(self, headers: Mapping[str, Any]) -> tuple[str, str]:
        """The client's address, and the scheme that a trusted proxy named: "https", "http", or nothing."""
        peer = headers.get("REMOTE_ADDR", "")
        if not self.is_trusted(peer):
            return peer, ""
        said = scheme_said(headers)
        scheme = said and ("https" if said == "https" else "http")
        return self._client(peer, headers.get("HTTP_X_FORWARDED_FOR", "")), scheme

    def _client(self, peer: str, chain: str) -> str:
        """The client's address, by what a trusted peer forwarded; of a malformed chain, the good part."""
        last = peer
        for entry in reversed(chain.split(",")):
            address = parse_address(entry.strip())
            if address is None:
                break
            last = str(address)
            if not self.is_trusted(last):
                break
        return last


def scheme_said(headers: Mapping[str, Any]) -> str:
    """What X-Forwarded-Proto says, whoever sent it."""
    return str(headers.get("HTTP_X_FORWARDED_PROTO", "")).strip().lower()


class TrustedProxies:
    """Put the client's address, and whether it came by TLS, where the rest of the code looks for them."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self.proxies = Proxies()
        self.plain = re.compile("|".join(settings.SECURE_REDIRECT_EXEMPT) or r"(?!)")

    def __call__(self, request: HttpRequest) -> HttpResponse:
        peer = request.META.get("REMOTE_ADDR", "")
        request.META["REMOTE_ADDR"], scheme = self.proxies.read(request.META)
        if scheme:
            request.META[SCHEME_KEY] = scheme
        if "HTTP_X_FORWARDED_FOR" in request.META and not self.proxies.is_trusted(peer):
            request.META[UNTRUSTED_KEY] = peer
        if self.will_redirect(request):
            _refuse_if_unclear(peer, scheme_said(request.META), self.proxies.is_trusted(peer))
        return self.get_response(request)

    def will_redirect(self, request: HttpRequest) -> bool:
        """Whether Django's SecurityMiddleware is about to send it to https."""
        is_plain = settings.SECURE_SSL_REDIRECT and not request.is_secure()
        return is_plain and not self.plain.search(request.path.lstrip("/"))


def _refuse_if_unclear(peer: str, said: str, is_trusted: bool) -> None:
    """UnclearScheme where a redirect to https would come back to us just as it was, and so without end."""
    if is_trusted and not said:
        raise UnclearScheme(f"the proxy {peer or UNIX} sends no X-Forwarded-Proto, and SHIOL_HTTPS is on")
    if said == "https" and not is_trusted:
        raise UnclearScheme(
            f"{peer or UNIX} says that a request came by TLS, but is not in SHIOL_TRUSTED_PROXIES"
        )
