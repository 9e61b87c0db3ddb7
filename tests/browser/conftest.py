"""One web server and one browser for all tests of a process; each test starts with an empty browser."""

from collections.abc import Iterator

import pytest

from tests.browser.chromium import Chromium, chromium
from tests.processes import web_server


@pytest.fixture(scope="session")
def kept_browser(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    folder = tmp_path_factory.mktemp("browser")
    with (
        web_server(folder / "log") as (_, port),
        chromium(folder, f"http://127.0.0.1:{port}") as browser,
    ):
        yield browser


@pytest.fixture
def browser(kept_browser: Chromium) -> Iterator[Chromium]:
    """The browser on a wide, light screen; whatever a test does, no page may complain or ask elsewhere."""
    kept_browser.forget()
    kept_browser.screen()
    yield kept_browser
    assert kept_browser.said() == []
    assert kept_browser.asked() <= {kept_browser.site}
