"""Parse X-Forwarded-For and Forwarded (RFC 7239). The headers are untrusted, so no parser raises."""

import ipaddress
import re
from typing import NamedTuple

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# RFC 7239, section 6: an IP address, IPv6 in brackets, and an optional port.
_NODE = re.compile(
    r"(?: \[ (?P<ipv6> [^][]+ ) ] | (?P<ipv4> [0-9.]+ ) ) (?: : (?: [0-9]{1,5} | _[A-Za-z0-9._-]+ ) )?",
    re.VERBOSE,
)
# Also accepts unquoted values such as for=[2001:db8::1]:443.
_PAIR = re.compile(
    r"""[ \t]* (?P<name> [!#$%&'*+.^_`|~0-9A-Za-z-]+ )
        = (?: "(?P<quoted> (?: [^"\\] | \\. )* )" | (?P<plain> [^\s",;]+ ) )
        [ \t]* (?P<end> [;,] | \Z )""",
    re.VERBOSE,
)
_EMPTY = re.compile(r"[ \t]*(?P<end>[;,]|\Z)")
_ESCAPED = re.compile(r"\\(.)")
_QUOTED = re.compile(r'\A"(.*)"\Z', re.DOTALL)


class Hop(NamedTuple):
    address: Address | None  # None for `unknown` and obfuscated identifiers
    scheme: str = ""


def parse_address(text: str) -> Address | None:
    """Return an IP address, or None. Convert IPv4-mapped IPv6 to IPv4 and drop a zone id."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv4Address):
        return address
    return address.ipv4_mapped or ipaddress.IPv6Address(int(address))


def parse_node(text: str) -> Address | None:
    """Return the IP address of `203.0.113.7:51234`, `[2001:db8::1]:443` or a bare address, or None."""
    node = _NODE.fullmatch(text)
    if node is None:
        return parse_address(text)
    if node["ipv4"]:
        return parse_address(node["ipv4"])
    address = parse_address(node["ipv6"])
    return None if ":" not in node["ipv6"] else address


def parse_x_forwarded_for(value: str) -> list[Hop]:
    """Return one hop per entry, the client's side first."""
    return [Hop(parse_node(_QUOTED.sub(r"\1", entry.strip()))) for entry in value.split(",")]


def parse_forwarded(value: str) -> list[Hop]:
    """Return one hop per element, the client's side first, or one unknown hop for a malformed header."""
    elements = split_elements(value)
    if elements is None:
        return [Hop(None)]
    return [Hop(parse_node(element.get("for", "")), element.get("proto", "").lower()) for element in elements]


def split_elements(value: str) -> list[dict[str, str]] | None:
    elements: list[dict[str, str]] = [{}]
    position, end = 0, ";"
    while end:
        pair = _PAIR.match(value, position)
        match = pair or _EMPTY.match(value, position)
        if match is None:
            return None
        if pair is not None:
            name = pair["name"].lower()
            if name in elements[-1]:  # RFC 7239, section 4: at most once per element
                return None
            quoted = pair["quoted"]
            elements[-1][name] = pair["plain"] if quoted is None else _ESCAPED.sub(r"\1", quoted)
        position, end = match.end(), match["end"]
        if end == ",":
            elements.append({})
    return elements
