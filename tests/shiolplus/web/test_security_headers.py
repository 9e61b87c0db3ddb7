"""Security headers of all responses, and pages that comply with the Content-Security-Policy."""

import re
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import pytest
from csp.middleware import CSPMiddleware
from django.conf import LazySettings
from django.http import HttpRequest, HttpResponse
from django.templatetags.static import static
from django.test import Client

from tests.factories import (
    WEDNESDAY,
    make_backtest,
    make_prediction,
    make_report,
    store_fair_draws,
)
from tests.staff import superuser
from tickets.generation.generator import BatchTicketGenerator

POLICY = {
    *("default-src 'self'", "form-action 'self'"),
    *("base-uri 'none'", "frame-ancestors 'none'", "object-src 'none'"),
}
STATUS = "/api/v1/tickets/batch-status"
DATA_SCRIPTS = {"application/json"}  # not executed by browsers


class Page(HTMLParser):
    """Collect the links of a page and what the policy forbids in it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.forbidden: list[str] = []
        self.links: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attributes}
        is_code = tag == "script" and "src" not in values and values.get("type") not in DATA_SCRIPTS
        if tag == "style" or is_code:
            self.forbidden.append(tag)
        self.forbidden += [
            f"{tag} {name}={value}"
            for name, value in values.items()
            if name == "style" or name.startswith("on") or value.startswith("javascript:")
        ]
        if tag == "a":
            self.links.append(values.get("href", ""))
        elif loaded := values.get("src", values.get("href", "") if tag == "link" else ""):
            self.forbidden += [f"{tag} {loaded}"] if urlsplit(loaded).netloc else []


def crawl(browser: Client, start: str) -> dict[str, list[str]]:
    """Follow links, and return what the policy forbids by page.

    Of pages whose URLs differ only in a number, one is visited.
    """
    forbidden: dict[str, list[str]] = {}
    queue, kinds = [start], set()
    while queue:
        path = urlsplit(queue.pop()).path
        kind = re.sub(r"[^/]*\d[^/]*", "*", path)
        if kind in kinds or not path.startswith("/admin/") or path.endswith("/logout/"):
            continue
        kinds.add(kind)
        response = browser.get(path, follow=True)
        if response.status_code != 200 or not response["Content-Type"].startswith("text/html"):
            continue
        page = Page(response.content.decode())
        forbidden[path] = page.forbidden
        queue += [urljoin(path, link) for link in page.links]
    return forbidden


@pytest.mark.django_db
def test_admin_pages_comply_with_their_policy() -> None:
    store_fair_draws(30)
    make_prediction()
    report, backtest = make_report(), make_backtest({"v1": (0.001, 0.01)})
    BatchTicketGenerator(20, ["random_forest"]).generate_batch("run-1", False, WEDNESDAY)

    pages = crawl(superuser(), "/admin/")

    assert {path: forbidden for path, forbidden in pages.items() if forbidden} == {}
    assert {
        f"/admin/predictions/randomnessreport/{report.pk}/change/",
        f"/admin/predictions/backtest/{backtest.pk}/change/",
        "/admin/tickets/generationrun/generate/",
        "/admin/tickets/pregeneratedticket/purge/",
        "/admin/predictions/draw/import/",
        "/admin/auth/user/add/",
    } <= pages.keys()


def test_crawler_detects_policy_violations() -> None:
    page = Page(
        '<style></style><p style="x">t</p><script>1</script><a onclick="f()" href="javascript:f()">a</a>'
        '<img src="https://cdn.example/x.png"><link rel="icon" href="//cdn.example/i">'
        '<script type="application/json">{}</script><script src="/static/a.js"></script>'
    )

    assert page.forbidden == [
        *("style", "p style=x", "script", "a onclick=f()", "a href=javascript:f()"),
        *("img https://cdn.example/x.png", "link //cdn.example/i"),
    ]


def directives_of(response: HttpResponse) -> set[str]:
    return set(response["Content-Security-Policy"].split("; "))


@pytest.mark.django_db
@pytest.mark.parametrize(
    "path", ["/admin/login/", STATUS, "/nothing", static("admin/css/base.css"), "/favicon.ico"]
)
def test_every_response_has_security_headers(path: str) -> None:
    response = Client().get(path)

    assert directives_of(response) == POLICY
    assert response["X-Content-Type-Options"] == "nosniff" or path.startswith("/static/")
    assert "camera=()" in response["Permissions-Policy"]


@pytest.mark.django_db
def test_pages_forbid_framing_cross_origin_opening_and_caching() -> None:
    page = superuser().get("/admin/")

    assert page["X-Frame-Options"] == "DENY"
    assert page["Cross-Origin-Opener-Policy"] == "same-origin"
    assert page["Referrer-Policy"] == "same-origin"
    assert {"no-store", "private"} <= set(page["Cache-Control"].split(", "))


@pytest.mark.django_db
def test_the_documentation_page_may_show_the_images_of_its_style_sheet() -> None:
    directives = directives_of(Client().get("/api/docs"))

    assert directives == {*POLICY, "img-src 'self' data:"}


def test_response_may_set_its_own_policy() -> None:
    def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse(headers={"Content-Security-Policy": "default-src 'none'"})

    response = CSPMiddleware(view)(HttpRequest())

    assert directives_of(response) == {"default-src 'none'"}


@pytest.mark.django_db
def test_only_debug_error_pages_have_no_policy(settings: LazySettings) -> None:
    assert directives_of(Client().get("/nothing")) == POLICY

    settings.DEBUG = True

    assert "Content-Security-Policy" not in Client().get("/nothing")
    assert directives_of(Client().get("/admin/login/")) == POLICY
