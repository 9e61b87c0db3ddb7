"""Sign-in records and limits failures, and redirects only to existing pages."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.contrib.auth.models import User
from django.test import Client, RequestFactory
from django.utils import timezone

from predictions.tasks import prune_queue
from predictions.workqueue.pruning import prune_sign_ins
from shiolplus.web.sign_in import client_address, is_landing_page
from tests.staff import staff_who_may, superuser, text_of

pytestmark = pytest.mark.django_db
LOGIN = "/admin/login/"
HOME, OUTSIDE = "192.0.2.1", "203.0.113.9"
RECORDS = ("accessattempt", "accessfailurelog", "accesslog")


@pytest.fixture
def root(settings: Any) -> User:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # the default takes 0.5 s
    return User.objects.create_superuser("admin", password="the right one")


def sign_in(
    address: str = OUTSIDE, password: str = "wrong", name: str = "admin", query: str = "", **headers: str
) -> Any:
    values = {"username": name, "password": password}
    return Client(raise_request_exception=False).post(LOGIN + query, values, REMOTE_ADDR=address, **headers)


def landing_page(following: str, method: str = "post") -> str:
    values = {"username": "admin", "password": "the right one"}
    client = Client()
    if method == "post":
        response = client.post(LOGIN, values | {"next": following})
    else:
        response = client.post(LOGIN, values, query_params={"next": following})
    assert response.status_code == 302, response.content
    return str(response["Location"])


def test_fifth_failure_locks_out_correct_password(root: User) -> None:
    responses = [sign_in() for _ in range(5)]

    assert [response.status_code for response in responses] == [200] * 4 + [429]
    page = responses[-1]
    assert page["Retry-After"] == "300"
    assert "Too many failed sign-ins" in text_of(page)
    assert "Wait 5 minutes" in text_of(page)
    assert sign_in(password="the right one").status_code == 429
    assert AccessFailureLog.objects.filter(username="admin", ip_address=OUTSIDE).count() == 5


def test_attacker_cannot_lock_out_administrator(root: User) -> None:
    for _ in range(7):
        sign_in(OUTSIDE)

    assert sign_in(HOME, "the right one").status_code == 302
    assert AccessLog.objects.get().ip_address == HOME


def test_lockout_ignores_user_agent(root: User) -> None:
    responses = [sign_in(HTTP_USER_AGENT=f"browser {number}") for number in range(5)]

    assert responses[-1].status_code == 429


def test_lockout_covers_ipv6_network(root: User) -> None:
    responses = [sign_in(f"2001:db8::{number}") for number in range(1, 6)]

    assert responses[-1].status_code == 429
    assert sign_in("2001:db8:0:1::1", "the right one").status_code == 302


def test_lockout_expires_despite_further_attempts(root: User) -> None:
    now = timezone.now()
    with time_machine.travel(now, tick=False) as clock:
        for _ in range(5):
            sign_in()
        clock.shift(timedelta(minutes=4))
        assert sign_in().status_code == 429
        clock.shift(timedelta(minutes=1, seconds=1))
        assert sign_in(password="the right one").status_code == 302


def test_success_resets_failures(root: User) -> None:
    for _ in range(4):
        sign_in()
    assert sign_in(password="the right one").status_code == 302

    assert sign_in().status_code == 200
    assert AccessAttempt.objects.get().failures_since_start == 1


@pytest.mark.parametrize(
    "name",
    [
        "a\0b",
        "line\n2026-01-01 ERROR forged",
        "x" * 100_000,
        "\udc80",
        "ÿ" * 300,
        "",
        " ",
        "\u202e",
        "💥" * 300,
    ],
    ids=["nul", "newline", "long", "surrogate", "wide", "empty", "blank", "override", "emoji"],
)
def test_invalid_username_is_rejected_without_error(
    name: str, root: User, caplog: pytest.LogCaptureFixture
) -> None:
    text = name.encode("utf-8", "surrogatepass").decode("utf-8", "replace") if "\udc80" in name else name

    assert {sign_in(name=text).status_code for _ in range(3)} == {200}
    assert all(
        record.getMessage().isprintable() for record in caplog.records if record.name.startswith("axes")
    )


@pytest.mark.parametrize("value", ["a\0b", "\udc80", "x" * 5000, "ÿ", "a\nb"])
@pytest.mark.parametrize("header", ["HTTP_USER_AGENT", "HTTP_ACCEPT"])
def test_invalid_header_is_rejected_without_error(header: str, value: str, root: User) -> None:
    assert {sign_in(**{header: value}).status_code for _ in range(3)} == {200}
    assert sign_in(password="the right one", **{header: value}).status_code == 302


@pytest.mark.parametrize("query", ["?x=%00", "?next=%00", "?x=%ED%B2%80", f"?{'y' * 3000}", "?%00=%0a"])
def test_invalid_query_is_rejected_without_error(query: str, root: User) -> None:
    assert {sign_in(query=query).status_code for _ in range(3)} == {200}


@pytest.mark.parametrize("address", ["", "unix", "not an address"])
def test_client_without_ip_address_is_counted(address: str, root: User) -> None:
    responses = [sign_in(address) for _ in range(5)]

    assert responses[-1].status_code == 429
    assert client_address(RequestFactory().get("/", REMOTE_ADDR=address)) is None


@pytest.mark.parametrize("method", ["post", "get"])
@pytest.mark.parametrize(
    "following",
    [
        *("//evil/x", "///evil", "https://evil.example/admin/", "javascript:alert(1)", "\\\\evil", "/\\evil"),
        *(
            "/accounts/profile/",
            "/missing",
            "/admin/missing/",
            "/admin/x",
            "/api/v1/nothing",
            "missing",
            "dashboard",
        ),
        *("", " ", "/admin/\n", "/admin/\0", "/admin/%0d%0a", "\t/admin/", "/admin/login/", "/admin/logout/"),
        *("/admin/jsi18n/", "http://[", "/healthz", "/static/0/x"),
    ],
)
def test_invalid_next_redirects_to_index_after_login(following: str, method: str, root: User) -> None:
    assert landing_page(following, method) == "/admin/"


@pytest.mark.parametrize(
    "following",
    [
        "/admin/",
        "/admin/dashboard/",
        "/admin/tickets/ticketbatch/?status__exact=failed",
        "/admin/tickets/generationrun/generate/",
        "http://testserver/admin/dashboard/",
    ],
)
def test_valid_next_is_followed_after_login(following: str, root: User) -> None:
    assert landing_page(following) == following


def test_http_next_is_not_followed_from_https() -> None:
    request = RequestFactory().get("/", secure=True)

    assert is_landing_page("https://testserver/admin/", request)
    assert not is_landing_page("http://testserver/admin/", request)


@pytest.mark.parametrize("following", ["//evil/x", "/missing", "https://evil.example/"])
def test_invalid_next_is_ignored_after_logout(following: str) -> None:
    response = superuser().post("/admin/logout/", {"next": following})

    assert response.status_code == 200
    assert "Logged out" in text_of(response)


@pytest.mark.parametrize("record", RECORDS)
def test_superuser_can_view_and_not_change_records(record: str, root: User) -> None:
    sign_in()
    sign_in(HOME, "the right one")
    admin, staff = superuser_named("other"), staff_who_may()

    page = admin.get(f"/admin/axes/{record}/", {"q": "admin"})
    pk = page.context["cl"].result_list[0].pk

    assert page.status_code == 200
    assert "Sign-ins" in text_of(page)
    detail = admin.get(f"/admin/axes/{record}/{pk}/change/")
    assert detail.status_code == 200
    assert 'name="_save"' not in text_of(detail)
    assert admin.post(f"/admin/axes/{record}/{pk}/delete/", {"post": "yes"}).status_code == 403
    assert admin.get(f"/admin/axes/{record}/add/").status_code == 403
    assert staff.get(f"/admin/axes/{record}/").status_code == 403
    assert "/admin/axes/" not in text_of(staff.get("/admin/"))


def superuser_named(name: str) -> Client:
    client = Client()
    client.force_login(User.objects.create(username=name, is_staff=True, is_superuser=True))
    return client


def test_records_are_deleted_after_30_days(root: User) -> None:
    now = timezone.now()
    with time_machine.travel(now - timedelta(days=30, seconds=1), tick=False):
        sign_in()
        sign_in(HOME, "the right one")
    with time_machine.travel(now - timedelta(days=29), tick=False):
        sign_in()

    with time_machine.travel(now, tick=False):
        assert prune_queue()["sign_ins"] == 2  # the expired count was deleted by the next failure
        assert prune_sign_ins() == 0
    assert AccessFailureLog.objects.count() == 1


def test_login_without_request_succeeds(root: User) -> None:
    assert Client().login(username="admin", password="the right one")
