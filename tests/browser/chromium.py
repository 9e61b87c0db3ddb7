"""A headless Chromium for browser tests."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.test import Client
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException, WebDriverException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import Select, WebDriverWait

from tests.processes import needs_program

WIDE, NARROW = 1400, 360  # CSS pixels
FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic"),
    # Resolve loopback names only, so that requests to other hosts fail.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)


@dataclass
class Chromium:
    """One browser, and the base URL of the site under test."""

    driver: webdriver.Chrome
    downloads: Path
    site: str = ""

    def open(self, path: str) -> None:
        self.driver.get(f"{self.site}{path}")

    def screen(self, width: int = WIDE, height: int = 900, *, dark: bool = False) -> None:
        """Set the viewport and the preferred color scheme."""
        self.send_command(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.send_command("Emulation.setEmulatedMedia", features=[scheme])

    def log_in(self, client: Client) -> None:
        """Set the session cookie of a logged-in test client."""
        self.send_command(
            "Network.setCookie",
            url=self.site,
            name="sessionid",
            value=client.cookies["sessionid"].value,
            httpOnly=True,
        )

    def reset(self, site: str) -> None:
        """Clear cookies, downloads and logs, and set the base URL without loading a page."""
        self.driver.get("about:blank")
        self.send_command("Emulation.setScrollbarsHidden", hidden=True)  # scroll bars take 15 of 360 pixels
        self.send_command("Network.clearBrowserCookies")
        for file in self.downloads.iterdir():
            file.unlink()
        self.console_messages()
        self.requested_sites()
        self.site = site

    # User actions

    def find(self, css: str) -> WebElement:
        return self.driver.find_element(By.CSS_SELECTOR, css)

    def all(self, css: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, css)

    def press(self, name: str) -> None:
        """Click the button or link with this name, and wait for the next page."""
        quoted = json.dumps(name)
        paths = (f"//{tag}[normalize-space()={quoted}]" for tag in ("a", "button"))
        path = "|".join((*paths, f"//input[@type='submit'][@value={quoted}]"))
        found = self.driver.find_elements(By.XPATH, path)
        assert found, f"there is no {name!r} on {self.driver.current_url}"
        with self.wait_for_page():
            found[0].click()

    @contextmanager
    def wait_for_page(self) -> Iterator[None]:
        """Wait until the code in the block has led to another page."""
        before = self.find("html")
        yield
        self.wait(lambda: _has_left_page(before), "another page")

    def type(self, *keys: str) -> None:
        r"""Send keys to the focused element; "\t" and "\n" are Tab and Enter."""
        text = "".join(keys).replace("\t", Keys.TAB).replace("\n", Keys.ENTER)
        ActionChains(self.driver, duration=0).send_keys(text).perform()

    def fill(self, name: str, text: str) -> None:
        """Replace the text of a field."""
        field = self.find(f"[name={name}]")
        field.clear()
        field.send_keys(text)

    def choose(self, name: str, choice: str) -> None:
        Select(self.find(f"select[name={name}]")).select_by_visible_text(choice)

    def wait_for_download(self) -> Path:
        """Wait for the only download to complete, and return it."""
        self.wait(lambda: self._has_complete_files(), "a file")
        (file,) = self.downloads.iterdir()
        return file

    def _has_complete_files(self) -> bool:
        """Return whether there are files, none of them partial, hidden or reserved by an empty file."""
        files = list(self.downloads.iterdir())
        try:
            return bool(files) and all(
                file.suffix != ".crdownload" and not file.name.startswith(".") and file.stat().st_size
                for file in files
            )
        except FileNotFoundError:  # renamed since the folder was listed
            return False

    def tab(self, times: int) -> None:
        ActionChains(self.driver, duration=0).send_keys(Keys.TAB * times).perform()

    def text(self) -> str:
        return self.find("body").text

    def wait(self, condition: Any, what: str, seconds: float = 20) -> None:
        WebDriverWait(self.driver, seconds, poll_frequency=0.1).until(lambda _: condition(), what)

    # DevTools and logs

    def run(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def send_command(self, command: str, **values: Any) -> dict[str, Any]:
        """Run a command of the DevTools protocol."""
        result: dict[str, Any] = self.driver.execute_cdp_cmd(command, values)
        return result

    def console_messages(self) -> list[str]:
        """Return the console's warnings and errors since the last call."""
        entries = self.driver.get_log("browser")
        return [one["message"] for one in entries if one["level"] in ("WARNING", "SEVERE")]

    def requested_sites(self) -> set[str]:
        """Return the sites that pages requested since the last call."""
        messages = [json.loads(one["message"])["message"] for one in self.driver.get_log("performance")]
        urls = [
            urlsplit(one["params"].get("request", one["params"]).get("url", ""))
            for one in messages
            if one["method"] in ("Network.requestWillBeSent", "Network.webSocketCreated")
        ]
        return {
            f"{url.scheme}://{url.netloc}" for url in urls if url.scheme in ("http", "https", "ws", "wss")
        }


def _has_left_page(element: WebElement) -> bool:
    """Return True if the element's page has been left. During navigation, Chromium's own errors may occur."""
    try:
        element.is_enabled()
    except StaleElementReferenceException:
        return True
    except WebDriverException as error:
        if "does not belong to the document" not in str(error.msg):
            raise
        return True
    return False


@contextmanager
def chromium(folder: Path) -> Iterator[Chromium]:
    """Start a browser with its profile and downloads in a folder. Skip the test if it is not installed."""
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    needs_program(program and driver, "Chromium with its driver")
    options = webdriver.ChromeOptions()
    options.binary_location = str(program)
    downloads = folder / "downloads"
    downloads.mkdir()
    for flag in (*FLAGS, f"--user-data-dir={folder / 'profile'}"):
        options.add_argument(flag)
    options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    browser = webdriver.Chrome(options, Service(driver))
    try:
        yield Chromium(browser, downloads)
    finally:
        browser.quit()
