"""Whose word is taken on where a request came from: that of SHIOL_TRUSTED_PROXIES, and no other's."""

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponse

from shiolplus.web.forwarding import Hop, parse_address, parse_forwarded, parse_x_forwarded_for
from tickets.api.callers import UNKNOWN_CLIENT_KEY

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
PeerAllowlist = tuple[frozenset[Network], bool]

UNIX = "unix"  # whoever speaks to us through a Unix socket, and so has no address
# Where `request.is_secure()` finds what a trusted proxy said: a name that no header of a request can have.
SCHEME_KEY = "shiolplus.scheme"
# Where stands that a request came through a proxy that nobody trusts: then its address is not the client's.
UNTRUSTED_KEY = "shiolplus.untrusted"


CONFLICT = "conflict"  # instead of a scheme


class AmbiguousScheme(SuspiciousOperation):
    """Whether a request came by TLS cannot be told, so a redirect to https might go round for ever."""


def parse_peers(setting: str, words: Iterable[str]) -> PeerAllowlist:
    """The networks, and whether Unix sockets are meant. ValueError names the setting and what is neither."""
    networks, has_unix = set(), False
    for word in map(str.strip, words):
        if word == UNIX:
            has_unix = True
            continue
        try:
            networks.add(_parse_network(word))
        except ValueError as error:
            raise ValueError(
                f'"{setting}": {error}; allowed are addresses, networks and the word {UNIX}'
            ) from error
    return frozenset(networks), has_unix


def _parse_network(word: str) -> Network:
    """Return a network; one of IPv4-mapped IPv6 as the IPv4 network, like the addresses compared with it."""
    network = ipaddress.ip_network(word)
    first = network.network_address
    if isinstance(first, ipaddress.IPv6Address) and first.ipv4_mapped and network.prefixlen >= 96:
        return ipaddress.ip_network((first.ipv4_mapped, network.prefixlen - 96))
    return network


def is_trusted_peer(peer: str, peers: PeerAllowlist) -> bool:
    """Whether an address, empty for a Unix socket, is one of those that a setting names."""
    networks, has_unix = peers
    if not peer:
        return has_unix
    address = parse_address(peer)
    return address is not None and any(address in network for network in networks)


class Origin(NamedTuple):
    """Where a request came from, as far as trusted peers say so."""

    address: str  # empty for a Unix socket, and for an unknown client
    scheme: str = ""  # "https" or "http" if a trusted proxy named one, CONFLICT if two headers differ
    unknown: str = ""  # why the client is unknown, if it is


class Proxies:
    """Determine a request's client and scheme from its peer and, if that is trusted, its forwarding headers.

    Both headers are read from the right: each proxy appended the address it received the request from, so
    the first that is not trusted is the client's, and everything left of it is that client's invention. If it
    is no IP address, or X-Forwarded-For and Forwarded name different clients, the client is unknown.
    """

    def __init__(self) -> None:
        trusted = settings.TRUSTED_PROXIES
        self.is_trusted = lru_cache(maxsize=1024)(lambda peer: is_trusted_peer(peer, trusted))

    def client_address_and_scheme(self, headers: Mapping[str, Any]) -> Origin:
        """Return the origin of a request with these CGI variables."""
        peer = headers.get("REMOTE_ADDR", "")
        if not self.is_trusted(peer):
            return Origin(_normalized(peer))
        scheme = _plain_unless_https(forwarded_proto(headers))
        by_name = {
            name: self._find_client(parse(headers[key])) for name, key, parse in HEADERS if key in headers
        }
        if not by_name:
            return Origin(_normalized(peer), scheme)
        if "Forwarded" in by_name:
            scheme = _agreed_scheme(scheme, _plain_unless_https(by_name["Forwarded"].scheme))
        clients = {hop.address for hop in by_name.values()}
        if len(clients) > 1:
            return Origin("", scheme, "X-Forwarded-For and Forwarded name different clients")
        client = clients.pop()
        if client is None:
            return Origin("", scheme, f"{' and '.join(by_name)} gives no IP address")
        return Origin(str(client), scheme)

    def _find_client(self, hops: list[Hop]) -> Hop:
        """Return the last hop that is not a trusted proxy, or the first hop if all are."""
        for hop in reversed(hops):
            if hop.address is None or not self.is_trusted(str(hop.address)):
                return hop
        return hops[0]


HEADERS: list[tuple[str, str, Callable[[str], list[Hop]]]] = [
    ("X-Forwarded-For", "HTTP_X_FORWARDED_FOR", parse_x_forwarded_for),
    ("Forwarded", "HTTP_FORWARDED", parse_forwarded),
]


def _plain_unless_https(said: str) -> str:
    return said and ("https" if said == "https" else "http")


def _agreed_scheme(by_header: str, by_forwarded: str) -> str:
    """Return the scheme that X-Forwarded-Proto and Forwarded name, or CONFLICT, which is never secure."""
    said = {scheme for scheme in (by_header, by_forwarded) if scheme}
    return CONFLICT if len(said) > 1 else "".join(said)


@lru_cache(maxsize=1024)
def _normalized(peer: str) -> str:
    """Return a peer's IP address in its one spelling; the empty text of a Unix socket as it is."""
    return str(parse_address(peer) or peer)


def forwarded_proto(headers: Mapping[str, Any]) -> str:
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
        origin = self.proxies.client_address_and_scheme(request.META)
        request.META["REMOTE_ADDR"] = origin.address
        if origin.unknown:
            request.META[UNKNOWN_CLIENT_KEY] = origin.unknown
        if origin.scheme:
            request.META[SCHEME_KEY] = origin.scheme
        is_trusted = self.proxies.is_trusted(peer)
        if not is_trusted and any(key in request.META for _, key, _ in HEADERS):
            request.META[UNTRUSTED_KEY] = peer or UNIX
        if self.will_redirect(request):
            _refuse_if_unclear(peer or UNIX, request.META, origin.scheme, is_trusted)
        return self.get_response(request)

    def will_redirect(self, request: HttpRequest) -> bool:
        """Whether Django's SecurityMiddleware is about to send it to https."""
        is_plain = settings.SECURE_SSL_REDIRECT and not request.is_secure()
        return is_plain and not self.plain.search(request.path.lstrip("/"))


def _refuse_if_unclear(peer: str, headers: Mapping[str, Any], scheme: str, is_trusted: bool) -> None:
    """AmbiguousScheme where a redirect to https would come back to us just as it was, and so without end."""
    if not is_trusted:
        hops = parse_forwarded(headers.get("HTTP_FORWARDED", ""))
        if "https" in {forwarded_proto(headers), *(hop.scheme for hop in hops)}:
            raise AmbiguousScheme(
                f"{peer} says that a request came by TLS, but is not in SHIOL_TRUSTED_PROXIES"
            )
    elif not scheme:
        raise AmbiguousScheme(f"the proxy {peer} sends no X-Forwarded-Proto, and SHIOL_HTTPS is on")
    elif scheme == CONFLICT:
        raise AmbiguousScheme(f"the proxy {peer} sends an X-Forwarded-Proto and a Forwarded that disagree")
