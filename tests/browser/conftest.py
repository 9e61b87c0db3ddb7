"""One browser for all tests of a process, empty when a test starts; each test has a web server of its own.

A server remembers the keys of content types, which a test of transactions makes anew when it empties the
tables.
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
    """The browser on a wide, light screen; whatever a test does, no page may complain or ask elsewhere."""
    with web_server(tmp_path / "web", "--graceful-timeout", "1") as (_, port):
        kept_browser.begin_at(f"http://127.0.0.1:{port}")
        kept_browser.screen()
        yield kept_browser
        assert kept_browser.said() == []
        assert kept_browser.asked() <= {kept_browser.site}
