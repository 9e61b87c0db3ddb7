"""The client's IP address and scheme, from the headers of the proxies in SHIOL_TRUSTED_PROXIES."""

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

UNIX = "unix"  # a peer on a Unix socket, which has no IP address
# Keys of request.META that no request header can have.
SCHEME_KEY = "shiolplus.scheme"  # for `request.is_secure()`
UNTRUSTED_KEY = "shiolplus.untrusted"  # the IP address of an untrusted proxy

CONFLICT = "conflict"  # of two headers, and never secure


class AmbiguousScheme(SuspiciousOperation):
    """A redirect to https could loop forever."""


def parse_peers(setting: str, words: Iterable[str]) -> PeerAllowlist:
    """Parse IP addresses, networks and "unix". Raise ValueError naming the setting and the bad word."""
    networks, has_unix = set(), False
    for word in map(str.strip, words):
        if word == UNIX:
            has_unix = True
            continue
        try:
            networks.add(parse_network(word))
        except ValueError as error:
            raise ValueError(
                f'"{setting}": {error}; allowed are IP addresses, networks and the word {UNIX}'
            ) from error
    return frozenset(networks), has_unix


def parse_network(word: str) -> Network:
    """Return a network, IPv4-mapped IPv6 as IPv4."""
    network = ipaddress.ip_network(word)
    first = network.network_address
    if isinstance(first, ipaddress.IPv6Address) and first.ipv4_mapped and network.prefixlen >= 96:
        return ipaddress.ip_network((first.ipv4_mapped, network.prefixlen - 96))
    return network


def is_trusted_peer(peer: str, peers: PeerAllowlist) -> bool:
    """Return True if a peer's IP address (empty for a Unix socket) is in the list."""
    networks, has_unix = peers
    if not peer:
        return has_unix
    address = parse_address(peer)
    return address is not None and any(address in network for network in networks)


class Origin(NamedTuple):
    address: str  # empty for a Unix socket and for an unknown client
    scheme: str = ""  # "https", "http", or CONFLICT if two headers differ
    unknown: str = ""


class Proxies:
    """Determine a request's client and scheme from its peer and, if that is trusted, its headers.

    Each proxy appends an IP address, so the last untrusted one is the client; all before may be forged.
    """

    def __init__(self) -> None:
        trusted = settings.TRUSTED_PROXIES
        self.is_trusted = lru_cache(maxsize=1024)(lambda peer: is_trusted_peer(peer, trusted))

    def client_address_and_scheme(self, headers: Mapping[str, Any]) -> Origin:
        peer = headers.get("REMOTE_ADDR", "")
        if not self.is_trusted(peer):
            return Origin(normalize_address(peer))
        scheme = normalize_scheme(forwarded_proto(headers))
        hops = {name: self.find_client(parse(headers[key])) for name, key, parse in HEADERS if key in headers}
        if not hops:
            return Origin(normalize_address(peer), scheme)
        if "Forwarded" in hops:
            schemes = {scheme, normalize_scheme(hops["Forwarded"].scheme)} - {""}
            scheme = CONFLICT if len(schemes) > 1 else "".join(schemes)
        clients = {hop.address for hop in hops.values()}
        if len(clients) > 1:
            return Origin("", scheme, "X-Forwarded-For and Forwarded name different clients")
        client = clients.pop()
        if client is None:
            return Origin("", scheme, f"{' and '.join(hops)} gives no IP address")
        return Origin(str(client), scheme)

    def find_client(self, hops: list[Hop]) -> Hop:
        """Return the last hop that is not a trusted proxy, or the first hop if all are."""
        for hop in reversed(hops):
            if hop.address is None or not self.is_trusted(str(hop.address)):
                return hop
        return hops[0]


HEADERS: list[tuple[str, str, Callable[[str], list[Hop]]]] = [
    ("X-Forwarded-For", "HTTP_X_FORWARDED_FOR", parse_x_forwarded_for),
    ("Forwarded", "HTTP_FORWARDED", parse_forwarded),
]


def normalize_scheme(scheme: str) -> str:
    return scheme and ("https" if scheme == "https" else "http")


@lru_cache(maxsize=1024)
def normalize_address(peer: str) -> str:
    return str(parse_address(peer) or peer)


def forwarded_proto(headers: Mapping[str, Any]) -> str:
    return str(headers.get("HTTP_X_FORWARDED_PROTO", "")).strip().lower()


class TrustedProxies:
    """Set the client's IP address in REMOTE_ADDR and its scheme in SCHEME_KEY."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self.proxies = Proxies()
        self.redirect_exempt = re.compile("|".join(settings.SECURE_REDIRECT_EXEMPT) or r"(?!)")

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
            check_scheme(peer or UNIX, request.META, origin.scheme, is_trusted)
        return self.get_response(request)

    def will_redirect(self, request: HttpRequest) -> bool:
        """Return True if SecurityMiddleware will redirect the request to https."""
        is_insecure = settings.SECURE_SSL_REDIRECT and not request.is_secure()
        return is_insecure and not self.redirect_exempt.search(request.path.lstrip("/"))


def check_scheme(peer: str, headers: Mapping[str, Any], scheme: str, is_trusted: bool) -> None:
    """Raise AmbiguousScheme if a redirect to https would loop forever."""
    if not is_trusted:
        hops = parse_forwarded(headers.get("HTTP_FORWARDED", ""))
        if "https" in {forwarded_proto(headers), *(hop.scheme for hop in hops)}:
            raise AmbiguousScheme(f"{peer} forwards a request as https but is not in SHIOL_TRUSTED_PROXIES")
    elif not scheme:
        raise AmbiguousScheme(f"the proxy {peer} sends no X-Forwarded-Proto, and SHIOL_HTTPS is on")
    elif scheme == CONFLICT:
        raise AmbiguousScheme(f"the proxy {peer} sends contradictory X-Forwarded-Proto and Forwarded headers")
