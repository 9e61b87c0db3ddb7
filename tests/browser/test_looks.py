"""Tests of the accessibility checks themselves."""

from tests.browser.chromium import NARROW, Chromium
from tests.browser.looks import (
    low_contrast_texts,
    overflowing_elements,
    unnamed_controls,
    unreachable_controls,
)

BAD = """
<body style="background:#fff;margin:0">
<p style="color:#777">grey on white</p><p style="color:#767676">enough</p>
<h1 style="color:#949494">large enough</h1><p style="color:#000;opacity:.4">faded</p>
<div style="background:rgba(0,0,0,.8)"><b id="dark" style="color:#333">dark on dark</b></div>
<svg width="90" height="20"><text y="15" fill="#ddd">a chart's</text></svg>
<p hidden style="color:#fff">not there</p><input placeholder="pale" style="color:#000">
<style>::placeholder { color: #ccc }</style>
<button id="icon"></button><a href="#x" aria-label="named"></a><label>Named <input></label>
<a href="#y" tabindex="-1" id="skipped">skipped</a><button disabled>off</button>
<div style="overflow-x:auto"><table style="width:900px"><tr><td>in a box of its own</td></tr></table></div>
<div id="wide" style="width:500px">wide</div>
</body>
"""


def test_checks_find_exactly_the_known_faults(browser: Chromium) -> None:
    browser.screen(NARROW)
    browser.driver.get("about:blank")
    browser.run("document.write(arguments[0])", f"<!doctype html><html lang='en'>{BAD}</html>")

    pale = [found.partition(":")[0] for found in low_contrast_texts(browser)]
    assert sorted(pale) == [
        'b#dark "dark on dark"',
        'input "pale"',
        'p "faded"',
        'p "grey on white"',
        'text "a chart\'s"',
    ]
    nameless = unnamed_controls(browser)
    assert len(nameless) == 1
    assert 'button: <button id="icon">' in nameless[0]
    missed = unreachable_controls(browser)
    assert len(missed) == 1
    assert 'id="skipped"' in missed[0]
    wide = overflowing_elements(browser)
    assert len(wide) == 2
    assert 'id="wide"' in wide[0]


def test_external_requests_and_console_warnings_are_detected(browser: Chromium) -> None:
    browser.driver.get("about:blank")

    browser.run("return fetch('http://elsewhere.example/x').catch(() => console.error('broken'))")

    assert browser.requested_sites() == {"http://elsewhere.example"}
    assert [line for line in browser.console_messages() if "broken" in line]
    browser.open("/admin/login/")
    assert browser.requested_sites() == {browser.site}
