"""Accessibility checks of a page."""

from pathlib import Path

from tests.browser.chromium import Chromium

SCRIPTS = Path(__file__).parent
CONTRAST, KEYBOARD = ((SCRIPTS / name).read_text() for name in ("contrast.js", "keyboard.js"))
# Roles of interactive elements.
CONTROLS = {
    *("button", "link", "textbox", "searchbox", "checkbox", "radio", "combobox", "listbox", "spinbutton"),
    *("switch", "slider", "menuitem", "tab", "Date", "DateTime", "InputTime", "DisclosureTriangle"),
}
# An absolutely positioned element is not contained by its parents' scrolling.
TOO_WIDE = """
const root = document.documentElement, edge = root.clientWidth;
if (root.scrollWidth <= edge) return [];
const style = one => getComputedStyle(one);
const isHeld = one => one && one !== document.body
    && (style(one).overflowX !== 'visible' || isHeld(one.parentElement));
return [...document.body.querySelectorAll('*')]
    .filter(one => one.getBoundingClientRect().right > edge + 0.5)
    .filter(one => style(one).position === 'absolute' || !isHeld(one.parentElement))
    .map(one => one.outerHTML.replace(/\\s+/g, ' ').slice(0, 120)).slice(0, 3)
    .concat(`the page is ${root.scrollWidth} wide, the screen ${edge}`);
"""


def low_contrast_texts(browser: Chromium) -> list[str]:
    """Return texts with too little contrast according to WCAG 2.2 AA."""
    found: list[str] = browser.run(CONTRAST)
    return found


def overflowing_elements(browser: Chromium) -> list[str]:
    """Return elements that make the page scroll sideways. A table may scroll within its own box."""
    found: list[str] = browser.run(TOO_WIDE)
    return found


def unreachable_controls(browser: Chromium) -> list[str]:
    """Return visible controls that cannot be reached with Tab."""
    browser.tab(browser.run(KEYBOARD) + 10)  # scrollable boxes are tab stops too
    found: list[str] = browser.run("return window.keyboardTest.end()")
    return found


def unnamed_controls(browser: Chromium) -> list[str]:
    """Return controls without an accessible name."""
    nodes = browser.send_command("Accessibility.getFullAXTree")["nodes"]
    return [
        f"{node['role']['value']}: {_source(browser, node['backendDOMNodeId'])}"
        for node in nodes
        if not node["ignored"]
        and node["role"]["value"] in CONTROLS
        and not node.get("name", {}).get("value", "").strip()
    ]


def _source(browser: Chromium, node: int) -> str:
    html: str = browser.send_command("DOM.getOuterHTML", backendNodeId=node)["outerHTML"]
    return " ".join(html.split())[:120]
