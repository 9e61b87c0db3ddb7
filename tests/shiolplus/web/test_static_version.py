"""URLs of static files, which change with the files and may be cached indefinitely."""

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.templatetags.static import static
from django.test import Client

from shiolplus.web.static_version import static_version

STYLE = "adminsite/charts.css"
STYLES = (
    STYLE,
    "adminsite/site.css",
    "adminsite/action.css",
    "tickets/progress.css",
)
OTHER_VERSION = "/static/0123abcd/"


@pytest.mark.parametrize("style", STYLES)
def test_versioned_url_is_cached_indefinitely(style: str) -> None:
    url = static(style)

    response = Client().get(url)

    assert re.fullmatch(rf"/static/[0-9a-f]{{8}}/{style}", url)
    assert response.status_code == 200
    assert response["Content-Type"] == 'text/css; charset="utf-8"'
    assert response["Cache-Control"] == "max-age=315360000, public, immutable"


def test_version_changes_only_with_project_files(tmp_path: Path) -> None:
    style = tmp_path / "app" / "static" / "app" / "style.css"
    style.parent.mkdir(parents=True)
    style.write_text("p { margin: 0; }")
    before = static_version(tmp_path)

    assert static_version(tmp_path) == before
    style.write_text("p { margin: 1px; }")
    assert static_version(tmp_path) != before


def test_url_of_another_version_serves_current_file() -> None:
    response = Client().get(f"{OTHER_VERSION}{STYLE}", follow=True)

    assert response.redirect_chain == [(static(STYLE), 302)]
    assert response.status_code == 200
    assert "no-store" in Client().get(f"{OTHER_VERSION}{STYLE}")["Cache-Control"]


def test_missing_file_is_404_after_at_most_one_redirect() -> None:
    assert Client().get(static("nothing.css")).status_code == 404
    response = Client().get(f"{OTHER_VERSION}nothing.css", follow=True)
    assert (response.status_code, len(response.redirect_chain)) == (404, 1)


def test_file_outside_static_folders_is_not_served() -> None:
    for name in ("../settings.py", "..%2fsettings.py", "%2e%2e/%2e%2e/manage.py"):
        assert Client().get(f"/{settings.STATIC_URL.strip('/')}/{name}").status_code == 404
