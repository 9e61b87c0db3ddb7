"""Accessibility of every admin page, wide and narrow, light and dark."""

import re
from collections.abc import Iterable, Iterator
from itertools import chain
from urllib.parse import urljoin, urlsplit

from tests.browser.chromium import NARROW, WIDE, Chromium
from tests.browser.looks import (
    low_contrast_texts,
    overflowing_elements,
    unnamed_controls,
    unreachable_controls,
)
from tests.browser.world import create_data
from tests.factories import draw_on_sale
from tests.staff import superuser

# Previews of actions, which no link leads to.
PREVIEWS = (
    f"/admin/tickets/generationrun/generate/?modes=random_forest&modes=v1&batch_size=50&draw_date={draw_on_sale()}",
    "/admin/tickets/generationrun/generate/?modes=none&batch_size=0",
    "/admin/tickets/pregeneratedticket/purge/?mode=random_forest",
    "/admin/predictions/draw/import/?source=bundled",
    "/admin/predictions/draw/delete-draws/?draw_dates=2025-12-22&reason=wrong",
    "/admin/predictions/pipelinerun/run/?source=none&modes=v1",
    "/admin/tickets/apiclient/make-key/?client=shop&name=till",
)
# Known problems of Django's own pages.
KNOWN = {
    r'^textbox: <input [^>]*class="v(Date|Time)Field"': "its two fields of an instant share one heading",
    r'^link: <a href="#" id="(calendar|clock)link': "an icon that its style sheet draws",
}
LINKS = "return [...document.querySelectorAll('a[href]')].map(one => one.href)"
OPEN_ALL = "document.querySelectorAll('details').forEach(one => { one.open = true; })"


def collect_pages(browser: Chromium, start: str) -> Iterator[str]:
    """Open one page of every kind that links lead to.

    URLs that differ only in a number are one kind, and so are Django's history and deletion pages.
    """
    waiting, seen = [start], set()
    while waiting:
        path = urlsplit(waiting.pop()).path
        kind = re.sub(r"[^/]*\d[^/]*|.*/(?=(?:history|delete)/$)", "*", path)
        if kind in seen or not path.startswith("/admin/") or path.endswith("/logout/"):
            continue
        seen.add(kind)
        browser.open(path)
        yield path
        waiting += [urljoin(f"{browser.site}{path}", link) for link in browser.run(LINKS)]


def open_pages(browser: Chromium, paths: Iterable[str]) -> Iterator[str]:
    for path in paths:
        browser.open(path)
        yield path


def faults(browser: Chromium) -> list[str]:
    """Return the unknown problems of the current page."""
    browser.run(OPEN_ALL)
    found = []
    for width, dark in ((WIDE, False), (WIDE, True), (NARROW, True), (NARROW, False)):
        browser.screen(width, dark=dark)
        seen = low_contrast_texts(browser) + overflowing_elements(browser)
        found += [f"{width} {'dark' if dark else 'light'}: {one}" for one in seen]
    found += unnamed_controls(browser) + unreachable_controls(
        browser
    )  # Django's long list of models is hidden here
    return [one for one in found if not any(re.search(known, one) for known in KNOWN)]


def test_every_page_is_accessible(browser: Chromium) -> None:
    create_data()
    browser.log_in(superuser())
    looked_at, found = [], []

    for path in chain(collect_pages(browser, "/admin/"), open_pages(browser, PREVIEWS)):
        looked_at.append(path)
        found += [f"{path}: {fault}" for fault in faults(browser)]

    browser.screen(WIDE)
    browser.open("/admin/tickets/")
    found += unreachable_controls(browser)  # including that list

    assert not found, "\n".join(found)
    assert len(looked_at) > 60
    assert "/admin/dashboard/" in looked_at


def test_login_page_and_documentation_are_public(browser: Chromium) -> None:
    browser.open("/admin/")
    assert faults(browser) == []
    browser.open("/api/docs")
    assert overflowing_elements(browser) == []
