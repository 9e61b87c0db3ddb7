"""Session, CSRF, authentication and message middleware run for pages and not for the API."""

import pytest
from django.test import Client

from tests.staff import superuser

pytestmark = pytest.mark.django_db


def test_session_authenticates_admin_and_not_api() -> None:
    browser = superuser()

    response = browser.get("/api/v1/tickets/batch-status")
    page = browser.get("/admin/")

    assert not hasattr(response.wsgi_request, "session")
    assert not response.cookies
    assert "Cookie" not in response.get("Vary", "")
    assert page.wsgi_request.user.username == "admin"
    assert "Cookie" in page["Vary"]


def test_page_requires_csrf_token() -> None:
    strict = Client(enforce_csrf_checks=True)

    assert strict.post("/admin/login/", {"username": "admin", "password": "x"}).status_code == 403


def test_form_without_csrf_token_explains_remedy() -> None:
    response = Client(enforce_csrf_checks=True).post("/admin/login/", {"username": "admin", "password": "x"})

    page = response.content.decode()
    assert "<h1>Form rejected</h1>" in page
    assert "reload the page" in page
    assert response["X-Request-ID"] in page
