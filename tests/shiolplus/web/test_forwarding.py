"""The parsers of X-Forwarded-For and Forwarded, which never raise."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shiolplus.web.forwarding import Hop, parse_address, parse_forwarded, parse_node, parse_x_forwarded_for

V4, V6 = "203.0.113.7", "2001:db8::1"


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (V4, V4),
        (f"{V4}:51234", V4),
        (f"{V4}:_hidden", V4),  # RFC 7239: a port may be obfuscated
        (f"::ffff:{V4}", V4),
        (f"[::ffff:{V4}]:443", V4),
        (V6, V6),
        ("2001:0DB8:0::1", V6),
        (f"[{V6}]", V6),
        (f"[{V6}]:443", V6),
        (f"[{V6}]:_sep-7", V6),
        ("fe80::1%eth0", "fe80::1"),
        ("[fe80::1%25eth0]:80", "fe80::1"),
    ],
)
def test_port_brackets_and_zone_are_removed(text: str, address: str) -> None:
    assert str(parse_node(text)) == address


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "unknown", "UNKNOWN", "_hidden", "unix:", "-", "localhost", "example.com:80", "\x00"),
        *(f"{V4}:", f"{V4}:x", f"{V4}:123456", f"{V4}/24", f"{V4} ", "1.2.3", "1.2.3.4.5", "01.2.3.4"),
        *(f"[{V4}]", f"[{V6}", f"{V6}]", f"[{V6}]443", f"[{V6}]:", "[]", "[]:80", f"[[{V6}]]", "9" * 9999),
        "\N{ARABIC-INDIC DIGIT ONE}.2.3.4",
    ],
)
def test_other_text_is_not_an_ip_address(text: str) -> None:
    assert parse_node(text) is None


def addresses(hops: list[Hop]) -> list[str | None]:
    return [None if hop.address is None else str(hop.address) for hop in hops]


def test_each_entry_of_x_forwarded_for_is_a_hop() -> None:
    hops = parse_x_forwarded_for(f'unknown,, {V4}:1 ,"[{V6}]:443",\t"{V4}"')

    assert addresses(hops) == [None, None, V4, V6, V4]


def test_each_element_of_forwarded_is_a_hop() -> None:
    hops = parse_forwarded('for=192.0.2.60;proto=http;by=203.0.113.43, for="[2001:db8:cafe::17]:4711"')

    assert addresses(hops) == ["192.0.2.60", "2001:db8:cafe::17"]
    assert [hop.scheme for hop in hops] == ["http", ""]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (f"For={V4}", [V4]),
        (f'FOR="{V4}:80";PROTO=HTTPS', [V4]),
        (f"proto=https ; for={V4}", [V4]),
        (f"for={V4};;", [V4]),
        (r'for="20\3.0.113.\7"', [V4]),
        (f'by="a,b;for=1.1.1.1\\"";for={V4}', [V4]),  # separators and quotation marks in a quoted string
        (f"for=[{V6}]:443", [V6]),  # without quotation marks
        (f"for={V4},", [V4, None]),
        ("proto=https", [None]),
        ("for=unknown, for=_hidden", [None, None]),
        ("", [None]),
        *(
            (f"for=1.1.1.1{rest}", [None])
            for rest in (', for="', " x", ';for=2.2.2.2;a="', "; =1", ";x", '"')
        ),
        (f"for=1.1.1.1;for={V4}", [None]),  # twice in one element
        (
            f'for=1.1.1.1;a=", for="[{V6}]:1"',
            [None],
        ),  # an unbalanced quotation mark of the client, then an element of a proxy
    ],
)
def test_forwarded_is_parsed_according_to_rfc_7239(value: str, expected: list[str | None]) -> None:
    assert addresses(parse_forwarded(value)) == expected


PIECES = st.lists(
    st.one_of(
        st.sampled_from(
            ["for=", "FOR", "proto", "=", ";", ",", '"', "\\", " ", "[", "]", ":", V4, V6, "%", "_x"]
        ),
        st.text(max_size=5),
        st.ip_addresses().map(str),
    ),
    max_size=12,
).map("".join)


@given(PIECES)
def test_parsers_never_raise(text: str) -> None:
    for hop in [*parse_x_forwarded_for(text), *parse_forwarded(text), Hop(parse_node(text))]:
        assert hop.address is None or parse_address(str(hop.address)) == hop.address


@given(st.ip_addresses(), st.one_of(st.none(), st.integers(0, 65535)))
def test_ip_address_is_parsed_with_and_without_port(address, port) -> None:  # type: ignore[no-untyped-def]
    text = f"[{address}]" if address.version == 6 else str(address)
    node = text if port is None else f"{text}:{port}"
    expected = [Hop(parse_address(str(address)))]

    assert parse_x_forwarded_for(node) == expected
    assert parse_forwarded(f'for="{node}"') == expected
