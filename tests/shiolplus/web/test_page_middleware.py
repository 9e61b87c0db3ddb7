"""What only pages need is kept from the API, and only from it."""

import pytest
from django.test import Client

from tests.staff import superuser

pytestmark = pytest.mark.django_db


def test_a_session_says_nothing_to_the_api_and_everything_to_the_admin() -> None:
    browser = superuser()

    answer = browser.get("/api/v1/tickets/batch-status")
    page = browser.get("/admin/")

    assert not hasattr(answer.wsgi_request, "session")
    assert not answer.cookies
    assert "Cookie" not in answer.get("Vary", "")
    assert page.wsgi_request.user.username == "admin"
    assert "Cookie" in page["Vary"]


def test_a_page_still_wants_its_forms_token() -> None:
    strict = Client(enforce_csrf_checks=True)

    assert strict.post("/admin/login/", {"username": "admin", "password": "x"}).status_code == 403


def test_whoever_sends_a_form_without_its_token_reads_what_to_do() -> None:
    answer = Client(enforce_csrf_checks=True).post("/admin/login/", {"username": "admin", "password": "x"})

    page = answer.content.decode()
    assert "<h1>Form rejected</h1>" in page
    assert "reload the page" in page
    assert answer["X-Request-ID"] in page
