"""One browser per test process, reset for each test, and one web server per test.

A server caches the ids of content types, which change when a transactional test empties the tables.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.chromium import Chromium, chromium
from tests.processes import web_server


@pytest.fixture(scope="session")
def kept_browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    with chromium(tmp_path_factory.mktemp("browser")) as browser:
        yield browser


@pytest.fixture
def browser(kept_browser: Chromium, transactional_db: None, tmp_path: Path) -> Iterator[Chromium]:
    """Return the browser with a wide, light viewport. Fail on console warnings and external requests."""
    with web_server(tmp_path / "web", "--graceful-timeout", "1") as (_, port):
        kept_browser.reset(f"http://127.0.0.1:{port}")
        kept_browser.screen()
        yield kept_browser
        assert kept_browser.console_messages() == []
        assert kept_browser.requested_sites() <= {kept_browser.site}
