"""What is wrong with a page for those who see little, hear it read, or have no mouse."""

from pathlib import Path

from tests.browser.chromium import Chromium

SCRIPTS = Path(__file__).parent
CONTRAST, KEYBOARD = ((SCRIPTS / name).read_text() for name in ("contrast.js", "keyboard.js"))
# Roles of what one can press, choose or write in.
CONTROLS = {
    *("button", "link", "textbox", "searchbox", "checkbox", "radio", "combobox", "listbox", "spinbutton"),
    *("switch", "slider", "menuitem", "tab", "Date", "DateTime", "InputTime", "DisclosureTriangle"),
}
# What lies outside its parents, by `position: absolute`, is not held by their scrolling either.
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


def hard_to_read(browser: Chromium) -> list[str]:
    """Texts with too little contrast, by WCAG 2.2 AA."""
    found: list[str] = browser.run(CONTRAST)
    return found


def wider_than_the_screen(browser: Chromium) -> list[str]:
    """What makes the whole page scroll sideways; a table may do so in a box of its own."""
    found: list[str] = browser.run(TOO_WIDE)
    return found


def out_of_reach(browser: Chromium) -> list[str]:
    """Visible controls that Tab does not come to."""
    browser.tab(browser.run(KEYBOARD) + 10)  # boxes that scroll are stops, too
    found: list[str] = browser.run("return window.keyboardTest.end()")
    return found


def without_a_name(browser: Chromium) -> list[str]:
    """Controls of which a screen reader could only say what kind they are."""
    nodes = browser.tell("Accessibility.getFullAXTree")["nodes"]
    return [
        f"{node['role']['value']}: {_source(browser, node['backendDOMNodeId'])}"
        for node in nodes
        if not node["ignored"]
        and node["role"]["value"] in CONTROLS
        and not node.get("name", {}).get("value", "").strip()
    ]


def _source(browser: Chromium, node: int) -> str:
    html: str = browser.tell("DOM.getOuterHTML", backendNodeId=node)["outerHTML"]
    return " ".join(html.split())[:120]
