"""No admin page responds with 500 to a value in its URL: lists, exports, autocomplete, objects, actions."""

from collections.abc import Iterator
from itertools import cycle, islice
from typing import Any
from urllib.parse import quote

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.db import connection, models
from django.test import Client
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django_q.models import Failure, OrmQ, Schedule, Success

from predictions.powerball import next_draw
from tests.factories import claim_tickets, make_draw, make_key, make_prediction, make_report, some_tickets
from tickets.models import ApiClient, TicketBatch
from tickets.store import insert_batch_tickets

pytestmark = [
    pytest.mark.django_db,
    # Typed values have no time zone and are taken as UTC.
    pytest.mark.filterwarnings("ignore:DateTimeField .* received a naive datetime:RuntimeWarning"),
]

# Percent-encoded, as they are sent.
HOSTILE = [
    *("%00", "0", "-1", "9999", "10000", "99999999999999999999", "1,99999999999999999999", "1e999", "NaN"),
    *("%ED%A0%80", "%FF", quote("\N{ARABIC-INDIC DIGIT FOUR}" * 4), "%5B", "%5B%5D", "%25", "%27%22", ""),
    *("0000-00-00", "0001-01-01T00:00:00%2B14:00", "9999-12-31T23:59:59-12:00", "9999-12-31", "2026-02-30"),
    *("%7B%22a%22:%20%22%5Cu0000%22%7D", "x" * 3000, "a%20" * 1200, "9" * 5000, "(a%2B)%2B$", "a%00b"),
]
PER_PARAMETER = 1  # values per parameter and page, in turn
SPECIAL = ["p", "o", "q", "all", "_facets", "e", "_popup", "_to_field", "nothing", "%00"]
LOOKUPS = ["range", "contains", "isnull", "iregex", "lt", "nonsense"]  # in turn
OF_DATES = ["year", "month", "day", "date", "gte"]
YEARS = ["0", "9999", "10000"]
SITE = admin.site._registry  # no public API lists the registered models
PAGES = {model._meta.label_lower: model_admin for model, model_admin in SITE.items()}


@pytest.fixture
def client() -> Client:
    """Return a superuser's client that turns exceptions into status 500."""
    client = Client(raise_request_exception=False)
    client.force_login(User.objects.create_superuser("root"))
    return client


@pytest.fixture(autouse=True)
def _rows() -> None:
    """Create rows in most tables."""
    day = next_draw(timezone.now())
    for powerball, mode in enumerate(("v1", "v2"), start=1):
        insert_batch_tickets(some_tickets(3, powerball), mode, f"run-{mode}", day)
    claim_tickets(TicketBatch.objects.all()[0], 1)
    make_key(ApiClient.objects.get())
    make_prediction(draw_date=day)
    make_draw(day)
    make_report()
    Group.objects.create(name="group")
    Schedule.objects.create(name="schedule", func="math.copysign", next_run=timezone.now())
    OrmQ.objects.create(key="key", payload="", lock=timezone.now())
    times = {"started": timezone.now(), "stopped": timezone.now()}
    Success.objects.create(id="1" * 32, name="success", func="math.copysign", success=True, **times)
    Failure.objects.create(id="2" * 32, name="failure", func="math.copysign", success=False, **times)


def url_of(model_admin: admin.ModelAdmin, page: str, *args: Any) -> str:
    opts = model_admin.opts
    return reverse(f"admin:{opts.app_label}_{opts.model_name}_{page}", args=args)


def lists_of(model_admin: admin.ModelAdmin) -> list[str]:
    """Return the URLs of the list and of its export, if any."""
    try:
        return [url_of(model_admin, "changelist"), url_of(model_admin, "export")]
    except NoReverseMatch:
        return [url_of(model_admin, "changelist")]


def parameters_of(model_admin: admin.ModelAdmin, client: Client) -> Iterator[str]:
    """Yield the parameters of filters and date hierarchy, lookups of columns, and Django's own parameters."""
    yield from SPECIAL
    page = client.get(lists_of(model_admin)[0])
    changelist = page.context_data.get("cl") if hasattr(page, "context_data") else None
    for spec in changelist.filter_specs if changelist else []:
        yield from filter(None, spec.expected_parameters())
    lookups = cycle(LOOKUPS)
    for field in model_admin.model._meta.concrete_fields:
        yield from (field.name, f"{field.name}__in", f"{field.name}__{next(lookups)}")
        if isinstance(field, models.DateField):
            yield from (f"{field.name}__{lookup}" for lookup in OF_DATES)


def queries_of(model_admin: admin.ModelAdmin, client: Client, values: Iterator[str]) -> Iterator[str]:
    for name in dict.fromkeys(parameters_of(model_admin, client)):
        always = YEARS if name.endswith("__year") else []
        yield from (f"{name}={value}" for value in [*always, *islice(values, PER_PARAMETER)])
    yield from ("pk__in=1,99999999999999999999", "q=%00", f"q={'a%20' * 1200}")


def broken_urls(client: Client, urls: Iterator[str] | list[str]) -> list[str]:
    """Return the URLs whose response has status 500 or fails while it is streamed."""
    return [url[:120] for url in urls if _is_broken(client.get(url))]


def _is_broken(response: Any) -> bool:
    if response.streaming:
        b"".join(response.streaming_content)
    return response.status_code >= 500


def test_no_list_or_export_returns_500(client: Client) -> None:
    values = cycle(HOSTILE)
    queries = {name: list(queries_of(model_admin, client, values)) for name, model_admin in PAGES.items()}

    assert min(map(len, queries.values())) > 15
    urls = [
        f"{page}?{query}"
        for name in PAGES
        for step, page in enumerate(lists_of(PAGES[name]), start=1)
        for query in queries[name][::step]  # an export evaluates its query as the list does
    ]
    assert len(urls) > 800
    assert broken_urls(client, urls) == []


F7 = [
    ("/admin/predictions/draw/", "draw_date__year=9999"),
    ("/admin/tickets/claim/", "created_at__year=0"),
    ("/admin/predictions/pipelinerun/", "status__exact=%00"),
    ("/admin/django_q/success/", "id__in=%00"),
    ("/admin/tickets/claim/", f"q={'a%20' * 1200}"),
    ("/admin/predictions/draw/", "draw_date__range=1"),
    ("/admin/predictions/pipelinerun/", "modes__contains=%00"),
    ("/admin/predictions/pipelinerun/", "source__regex=%5B"),
]
ONLY_ON_SQLITE = [
    ("/admin/tickets/ticketbatch/", "_facets=1&created_at__gte=0001-01-01T00:00:00%2B14:00"),
    ("/admin/predictions/draw/", "id__in=1,99999999999999999999"),
    ("/admin/auth/user/", "id__in=99999999999999999999"),
]


def test_invalid_filter_redirects_like_django(client: Client) -> None:
    """PostgreSQL can compare with an integer beyond 64 bits."""
    refused = [*F7, *(ONLY_ON_SQLITE if connection.vendor == "sqlite" else [])]
    locations = {parts: client.get("?".join(parts)).headers.get("Location") for parts in refused}

    assert locations == {(page, query): f"{page}?e=1" for page, query in refused}
    assert {client.get(f"{page}?e=1").status_code for page, _ in refused} == {200}


@pytest.mark.parametrize("query", ["draw_date__year=9999", "draw_date__range=1", "source=%00"])
def test_invalid_export_is_rejected_before_streaming(query: str, client: Client) -> None:
    for response in (
        client.get(f"{DRAWS}export/?{query}"),
        client.post(f"{DRAWS}export/?{query}", {"format": "csv"}),
    ):
        assert (response.status_code, response["Location"]) == (302, f"{DRAWS}?e=1")
    assert "Nothing was exported" in client.get(f"{DRAWS}?e=1").content.decode()


DRAWS = "/admin/predictions/draw/"
USERS = "/admin/auth/user/"


@pytest.mark.parametrize("query", ["", "?id__in=99999999999999999999"])
@pytest.mark.parametrize("key", ["99999999999999999999", "\0", "x", "1"])
def test_action_with_invalid_row_ids_is_rejected(query: str, key: str, client: Client) -> None:
    data = {"action": "delete_selected", "_selected_action": key, "index": "0"}

    assert client.post(USERS + query, data).status_code < 500
    assert User.objects.exists()


def test_bug_is_not_reported_as_invalid_value(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug is a 500: without a query, for an existing object, and in an action on existing rows."""
    users = SITE[User]

    def fail(*args: Any, **kwargs: Any) -> None:
        raise ValueError("a defect")

    monkeypatch.setattr(users, "get_deleted_objects", fail)
    data = {"action": "delete_selected", "_selected_action": str(User.objects.get().pk), "index": "0"}
    assert client.post(f"{USERS}?is_staff__exact=1", data).status_code == 500
    monkeypatch.setattr(users, "get_list_display", fail)
    assert client.get(f"{USERS}?e=1").status_code == 500
    monkeypatch.setattr(users, "get_fieldsets", fail)
    changelist_filters = "_changelist_filters=is_staff__exact%3D1"
    assert client.get(f"{USERS}{User.objects.get().pk}/change/?{changelist_filters}").status_code == 500


# Autocomplete


def test_no_autocomplete_returns_500(client: Client) -> None:
    """Try every relation to a model with search fields, and parameters that name no relation."""
    relations = [
        (model._meta, field.name)
        for model in SITE
        for field in model._meta.get_fields()
        if field.is_relation and field.concrete and SITE.get(field.related_model)
    ]
    page = reverse("admin:autocomplete")
    relation_queries = [
        f"app_label={opts.app_label}&model_name={opts.model_name}&field_name={name}"
        for opts, name in relations
    ]
    statuses = [client.get(f"{page}?{name}&term=").status_code for name in relation_queries]

    assert 200 in statuses
    searched = [name for name, status in zip(relation_queries, statuses, strict=True) if status == 200]
    values = cycle(HOSTILE)
    queries = [f"{name}&term={value}" for name in searched for value in islice(values, 9)]
    queries += [f"{searched[0]}&page={value}" for value in HOSTILE]
    broken = [
        f"{part}={value}" for part in ("app_label", "model_name", "field_name") for value in ("%00", "x")
    ]
    rest = [f"{relation_queries[0]}&{part}" for part in broken]
    assert broken_urls(client, [f"{page}?{query}" for query in [*queries, *rest]]) == []
    assert client.get(f"{page}?{searched[0]}&term=%00").json()["results"] == []


# Pages of objects, and the rest


def test_no_object_page_returns_500(client: Client) -> None:
    ends = cycle(ENDS)
    urls = []
    for model_admin in PAGES.values():
        page, row = url_of(model_admin, "changelist"), model_admin.model._default_manager.first()
        urls += [f"{page}{key}/{end}" for key in KEYS for end in islice(ends, 2)]
        urls += [f"{page}{row.pk}/{end}" for end in ENDS] if row else []

    assert len(urls) > 400
    assert broken_urls(client, urls) == []


KEYS = ["%00", "_00", "99999999999999999999", "-1", "%ED%A0%80", "9" * 3000, "1_2", "0001-01-01"]
ENDS = ["change/", "history/", "delete/", "change/?_to_field=%00&_popup=1", "history/?p=%00", "password/"]


def test_no_other_page_returns_500(client: Client) -> None:
    """Try action pages with each of their fields, add pages, and pages of the site."""
    pages = {url_of(model_admin, "add"): ["_to_field", "_popup", "name"] for model_admin in PAGES.values()}
    for model_admin in PAGES.values():
        for page in (page(model_admin) for page in getattr(model_admin, "action_pages", [])):
            pages[page.url] = [*page.form_class.base_fields, "left_out", "other"]
    for name in ("index", "jsi18n", "password_change", "login"):
        pages[reverse(f"admin:{name}")] = ["next", "x"]
    pages["/admin/dashboard/"] = ["mode", "date", "x"]
    pages["/admin/r/%00/1/"] = pages["/admin/r/99999999999999999999/1/"] = pages[
        "/admin/predictions/%00/"
    ] = ["x"]
    values = cycle(HOSTILE)
    urls = [
        f"{page}?{name}={value}"
        for page, names in pages.items()
        for name in names
        for value in islice(values, 3)
    ]

    assert len(urls) > 200
    assert broken_urls(client, urls) == []


def test_login_accepts_any_next_without_error(client: Client) -> None:
    client.logout()

    assert (
        broken_urls(
            client, [f"{page}?next={value}" for page in ("/admin/login/", "/admin/") for value in HOSTILE]
        )
        == []
    )
    for value in ("\0", "//evil.example", "x" * 3000, "http://["):
        response = client.post("/admin/login/?next=%00", {"username": value, "password": "\0", "next": value})
        assert response.status_code == 200
