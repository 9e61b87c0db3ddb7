"""The client's IP address and scheme are taken from forwarding headers of trusted peers only."""

from typing import Any

import pytest
from django.conf import LazySettings
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory

from shiolplus.web.trusted_proxies import TrustedProxies, parse_peers
from tickets.api.callers import UNKNOWN_CLIENT_KEY

STATUS = "/api/v1/tickets/batch-status"
PROXY, OTHER_PROXY, CLIENT = "10.0.0.1", "10.0.0.2", "203.0.113.7"
NETWORK = "10.0.0.0/24"


@pytest.fixture
def trusted(settings: LazySettings) -> None:
    settings.TRUSTED_PROXIES = parse_peers("SHIOL_TRUSTED_PROXIES", [NETWORK, "2001:db8::/32", "unix"])


def received(peer: str, forwarded: str | None = None, **headers: str) -> HttpRequest:
    """Return a request as the view receives it."""
    requests: list[HttpRequest] = []

    def view(request: HttpRequest) -> HttpResponse:
        requests.append(request)
        return HttpResponse()

    if forwarded is not None:
        headers["HTTP_X_FORWARDED_FOR"] = forwarded
    TrustedProxies(view)(RequestFactory().get("/", REMOTE_ADDR=peer, **headers))
    return requests[0]


def client_of(peer: str, forwarded: str | None = None) -> str:
    return received(peer, forwarded).META["REMOTE_ADDR"]


# Client IP address


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize(
    ("forwarded", "client"),
    [
        (CLIENT, CLIENT),
        (f"{CLIENT}, {OTHER_PROXY}", CLIENT),  # two trusted proxies
        (f"1.1.1.1, {CLIENT}", CLIENT),  # the first is forged by the client
        (f"1.1.1.1,{CLIENT} ,\t{OTHER_PROXY}", CLIENT),
        (f"{OTHER_PROXY}, 10.0.0.3", OTHER_PROXY),  # a request from one of the proxies
        ("2001:0DB8::5, 2001:4860::8888", "2001:4860::8888"),
        ("2001:4860:0:0::8888", "2001:4860::8888"),  # canonical form, as it is used as a key
        (f"::ffff:{CLIENT}", CLIENT),
        (f"{CLIENT}, ::ffff:{OTHER_PROXY}", CLIENT),
        (f"{CLIENT}:51234", CLIENT),
        (f"{CLIENT}:51234, {OTHER_PROXY}:80", CLIENT),
        ("[2001:4860::8888]:443", "2001:4860::8888"),
        ('"[2001:4860::8888]:443", [2001:db8::1]', "2001:4860::8888"),
        (f"unknown, , {CLIENT}, {OTHER_PROXY}", CLIENT),  # entries to the left of the client are ignored
    ],
)
def test_client_is_last_hop_before_trusted_proxies(forwarded: str, client: str) -> None:
    assert client_of(PROXY, forwarded) == client


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize(
    "malformed", ["", "unknown", "_hidden", "unix:", "1.2.3", "1.2.3.4:x", "[::1", "\x00", "9" * 9999]
)
@pytest.mark.parametrize("peer", [PROXY, ""])
def test_client_without_valid_ip_address_is_unknown(malformed: str, peer: str) -> None:
    for forwarded in (malformed, f"{CLIENT}, {malformed}", f"{malformed}, {OTHER_PROXY}"):
        request = received(peer, forwarded)

        assert request.META["REMOTE_ADDR"] == ""
        assert request.META[UNKNOWN_CLIENT_KEY] == "X-Forwarded-For gives no IP address"


@pytest.mark.usefixtures("trusted")
def test_peer_is_client_without_forwarding_header() -> None:
    for peer in (PROXY, CLIENT, ""):
        request = received(peer)

        assert request.META["REMOTE_ADDR"] == peer
        assert UNKNOWN_CLIENT_KEY not in request.META


FORWARDED = f'for=1.1.1.1, for="{CLIENT}:4711";proto=https;by=_edge, for={OTHER_PROXY};proto=http'


@pytest.mark.usefixtures("trusted")
def test_forwarded_header_sets_client() -> None:
    assert received(PROXY, HTTP_FORWARDED=FORWARDED).META["REMOTE_ADDR"] == CLIENT
    assert received(PROXY, CLIENT, HTTP_FORWARDED=FORWARDED).META["REMOTE_ADDR"] == CLIENT
    assert received("10.0.1.1", HTTP_FORWARDED=FORWARDED).META["REMOTE_ADDR"] == "10.0.1.1"  # not trusted


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize(
    ("forwarded_for", "forwarded"),
    [("1.1.1.1", FORWARDED), (CLIENT, "for=unknown"), ("unknown", FORWARDED), (CLIENT, 'for="')],
)
def test_contradictory_headers_make_client_unknown(forwarded_for: str, forwarded: str) -> None:
    request = received(PROXY, forwarded_for, HTTP_FORWARDED=forwarded)

    assert request.META["REMOTE_ADDR"] == ""
    assert "different clients" in request.META[UNKNOWN_CLIENT_KEY]


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("peer", [CLIENT, "127.0.0.1", "::1", "10.0.1.1"])
def test_untrusted_peer_cannot_set_client(peer: str) -> None:
    assert client_of(peer, "1.1.1.1") == peer
    assert not received(peer, HTTP_X_FORWARDED_PROTO="https").is_secure()


def test_no_peer_is_trusted_by_default() -> None:
    assert client_of("127.0.0.1", CLIENT) == "127.0.0.1"
    assert client_of("", CLIENT) == ""
    assert not received("127.0.0.1", HTTP_X_FORWARDED_PROTO="https").is_secure()
    assert not received("", HTTP_X_FORWARDED_PROTO="https").is_secure()


@pytest.mark.usefixtures("trusted")
def test_unix_socket_is_trusted_if_configured() -> None:
    assert client_of("", CLIENT) == CLIENT
    assert client_of("") == ""


@pytest.mark.usefixtures("trusted")
def test_ipv4_mapped_peer_matches_ipv4_proxy() -> None:
    assert client_of(f"::ffff:{PROXY}", CLIENT) == CLIENT


def test_ipv4_mapped_network_equals_ipv4_network() -> None:
    mapped = ["::ffff:10.0.0.1", "::ffff:192.0.2.0/120"]

    assert parse_peers("X", mapped) == parse_peers("X", ["10.0.0.1", "192.0.2.0/24"])


def test_host_names_and_networks_with_host_bits_are_invalid() -> None:
    for word in ("localhost", "10.0.0.1/8", "10.0.0.0/33", "", "*"):
        with pytest.raises(ValueError, match="SHIOL_TRUSTED_PROXIES"):
            parse_peers("SHIOL_TRUSTED_PROXIES", [word])


# TLS


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize(
    ("proto", "is_secure"),
    [("https", True), ("HTTPS", True), ("http", False), ("https, http", False), ("on", False)],
)
def test_trusted_proxy_sets_scheme(proto: str, is_secure: bool) -> None:
    assert received(PROXY, CLIENT, HTTP_X_FORWARDED_PROTO=proto).is_secure() is is_secure


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize(
    ("forwarded", "proto", "is_secure"),
    [
        (FORWARDED, None, True),  # the client used TLS to the first proxy
        (FORWARDED, "https", True),
        (FORWARDED, "http", False),
        (f"for={CLIENT};proto=http", "https", False),
        (f"for={CLIENT};proto=HTTPS", None, True),
        (f"for={CLIENT};proto=on", None, False),
        (f"for=1.1.1.1;proto=https, for={CLIENT}", None, False),  # the first is forged by the client
        (f"for={CLIENT}", "https", True),
    ],
)
def test_forwarded_sets_scheme_unless_x_forwarded_proto_differs(
    forwarded: str, proto: str | None, is_secure: bool
) -> None:
    headers = {"HTTP_FORWARDED": forwarded} | ({"HTTP_X_FORWARDED_PROTO": proto} if proto else {})

    assert received(PROXY, CLIENT, **headers).is_secure() is is_secure


@pytest.mark.usefixtures("trusted")
def test_scheme_defaults_to_that_of_the_connection() -> None:
    assert received(PROXY, CLIENT, **{"wsgi.url_scheme": "https"}).is_secure()
    assert not received(PROXY, CLIENT).is_secure()


@pytest.fixture
def https(settings: LazySettings) -> None:
    settings.SECURE_SSL_REDIRECT = True


def get(peer: str = PROXY, **headers: Any) -> Any:
    names = {f"HTTP_X_FORWARDED_{name.upper()}": value for name, value in headers.items()}
    return Client(REMOTE_ADDR=peer).get(STATUS, **names)


@pytest.mark.django_db
@pytest.mark.usefixtures("trusted", "https")
def test_http_is_redirected_to_https_once() -> None:
    response = get(proto="http")

    assert (response.status_code, response["Location"]) == (301, f"https://testserver{STATUS}")
    assert get(proto="https").status_code == 200
    assert get(peer=CLIENT).status_code == 301  # directly, without a proxy


@pytest.mark.django_db
@pytest.mark.usefixtures("trusted", "https")
def test_paths_without_redirect_need_no_scheme(settings: LazySettings) -> None:
    settings.SECURE_REDIRECT_EXEMPT = ["^nothing$", f"^{STATUS[1:]}$"]

    assert get().status_code == 200


@pytest.mark.usefixtures("trusted", "https")
def test_proxy_without_scheme_causes_no_redirect_loop(
    caplog: pytest.LogCaptureFixture,
) -> None:
    response = get()

    assert (response.status_code, response["Content-Type"]) == (400, "application/problem+json")
    assert "the proxy 10.0.0.1 sends no X-Forwarded-Proto" in caplog.text


@pytest.mark.usefixtures("trusted", "https")
def test_contradictory_headers_cause_no_redirect_loop(caplog: pytest.LogCaptureFixture) -> None:
    response = Client(REMOTE_ADDR=PROXY).get(
        STATUS, headers={"forwarded": FORWARDED, "x-forwarded-proto": "http"}
    )

    assert response.status_code == 400
    assert "10.0.0.1 sends contradictory X-Forwarded-Proto and Forwarded headers" in caplog.text


@pytest.mark.usefixtures("https")
def test_untrusted_forwarded_causes_no_redirect_loop(caplog: pytest.LogCaptureFixture) -> None:
    assert Client(REMOTE_ADDR=PROXY).get(STATUS, headers={"forwarded": FORWARDED}).status_code == 400
    assert "is not in SHIOL_TRUSTED_PROXIES" in caplog.text


@pytest.mark.usefixtures("https")
def test_untrusted_proxy_causes_no_redirect_loop(caplog: pytest.LogCaptureFixture) -> None:
    response = get(proto="https")

    assert response.status_code == 400
    assert "10.0.0.1 forwards a request as https but is not in SHIOL_TRUSTED_PROXIES" in caplog.text
