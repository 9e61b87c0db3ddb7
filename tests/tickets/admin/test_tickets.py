"""The admin's ticket list: search by numbers, filters and pages, without a full count."""

from datetime import date

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.factories import WEDNESDAY, make_draw, make_prediction, some_tickets, ticket
from tests.staff import heard_of
from tickets.admin import tickets as ticket_admin
from tickets.generation.generator import BatchTicketGenerator
from tickets.models import PreGeneratedTicket, TicketBatch
from tickets.models.number_query import NumberQuery, parse_number_query
from tickets.store import insert_batch_tickets

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("on_tuesday")]

TICKETS = "/admin/tickets/pregeneratedticket/"
RUNS = "/admin/tickets/generationrun/"
BATCHES = "/admin/tickets/ticketbatch/"
SATURDAY = date(2026, 11, 28)


@pytest.fixture
def tickets() -> None:
    insert_batch_tickets(
        [
            ticket(5, 12, 33, 41, 60, 7),
            ticket(5, 12, 33, 41, 60, 8),
            ticket(1, 5, 11, 12, 13, 7),
            ticket(6, 12, 33, 41, 60, 7),
            ticket(2, 3, 4, 5, 51, 26),
        ],
        "v1",
        "run-1",
        WEDNESDAY,
    )
    insert_batch_tickets([ticket(5, 12, 33, 41, 60, 7)], "v2", "run-2", SATURDAY)


def found(client: Client, **query: object) -> list[str]:
    response = client.get(TICKETS, query)
    assert response.status_code == 200
    listed = response.context["cl"]
    assert listed.result_count == len(list(listed.result_list))
    return [str(row) for row in listed.result_list]


# What is typed


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("5 12 33 41 60 +7", NumberQuery((5, 12, 33, 41, 60), 7)),
        ("60, 41,33 12 5 + 7", NumberQuery((5, 12, 33, 41, 60), 7)),
        ("  12 5 ", NumberQuery((5, 12), None)),
        ("+7", NumberQuery((), 7)),
        ("+7 5", NumberQuery((5,), 7)),
        ("07", NumberQuery((7,), None)),
        ("5+7", NumberQuery((5,), 7)),
    ],
)
def test_numbers_are_read_in_any_order(text: str, wanted: NumberQuery) -> None:
    assert parse_number_query(text) == wanted


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "enter at least one number"),
        ("five", "'five' is not a ticket number"),
        ("5 12x", "'12x' is not a ticket number"),
        ("5 -12", "'-12' is not a ticket number"),
        ("5.5", "'5.5' is not a ticket number"),
        ("\N{ARABIC-INDIC DIGIT FIVE}", "is not a ticket number"),
        ("+", "'+' is not a ticket number"),
        ("0", "white ball 0 is not in 1 to 69"),
        ("70", "white ball 70 is not in 1 to 69"),
        ("+27", "Powerball 27 is not in 1 to 26"),
        ("5 5", "a white ball is repeated"),
        ("1 2 3 4 5 6", "6 white balls; a ticket has 5"),
        ("+1 +2", "2 Powerballs; a ticket has one"),
        ("9" * 40, "is not a ticket number"),
    ],
)
def test_invalid_numbers_are_rejected_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason.replace("+", r"\+").replace(".", r"\.")):
        parse_number_query(text)


# Found


@pytest.mark.usefixtures("tickets")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5 12 33 41 60 +7", ["5 12 33 41 60 +7", "5 12 33 41 60 +7"]),
        ("60 41 33 12 5", ["5 12 33 41 60 +7", "5 12 33 41 60 +7", "5 12 33 41 60 +8"]),
        ("5 12", ["1 5 11 12 13 +7", "5 12 33 41 60 +7", "5 12 33 41 60 +7", "5 12 33 41 60 +8"]),
        ("51", ["2 3 4 5 51 +26"]),
        ("+26", ["2 3 4 5 51 +26"]),
        ("60 +8", ["5 12 33 41 60 +8"]),
        ("12 13 69", []),
        ("run-2", ["5 12 33 41 60 +7"]),
    ],
)
def test_tickets_are_found_by_their_numbers_or_a_part_of_them(
    text: str, expected: list[str], admin: Client
) -> None:
    assert sorted(found(admin, q=text)) == expected


@pytest.mark.usefixtures("tickets")
@pytest.mark.parametrize(
    "text", ["70", "five", "1 2 3 4 5 6", "+", "run-9", "' OR 1=1", "%", "\ud800".encode("utf-8", "replace")]
)
def test_a_search_that_cannot_be_read_is_a_message(text: str, admin: Client) -> None:
    response = admin.get(TICKETS, {"q": text})

    assert response.status_code == 200
    assert "Invalid search:" in response.content.decode()
    assert response.context["cl"].result_count == 0


@pytest.mark.usefixtures("tickets")
@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({"mode__exact": "v1"}, 5),
        ({"mode__exact": "lstm"}, 0),
        ({"mode__exact": "nonsense"}, 0),
        ({"draw_date": "2026-11-28"}, 1),
        ({"draw_date": "2026-11-30"}, 0),
        ({"mode__exact": "v1", "draw_date": "2026-11-28"}, 0),
        ({"mode__exact": "v1", "q": "5 12"}, 3),
        ({"created_at__gte": "2000-01-01 00:00:00+00:00", "created_at__lt": "2001-01-01 00:00:00+00:00"}, 0),
    ],
)
def test_filters_join(query: dict[str, str], count: int, admin: Client) -> None:
    assert len(found(admin, **query)) == count


# Drawn as balls


@pytest.mark.usefixtures("tickets")
def test_tickets_have_accessible_balls_and_marked_hits(admin: Client) -> None:
    make_draw(WEDNESDAY, (5, 12, 33, 41, 61), powerball=7)

    page = admin.get(TICKETS, {"q": "5 12 33 41 60 +7"})

    assert "predictions/balls.css" in page.content.decode()
    assert "style=" not in page.content.decode()
    assert heard_of(page).count("5 12 33 41 60 Powerball 7") == 1  # of Saturday, which is not drawn
    marked = "5 hit 12 hit 33 hit 41 hit 60 Powerball 7 hit"
    assert marked in heard_of(page)
    one = PreGeneratedTicket.objects.get(draw_date=WEDNESDAY, n1=5, powerball=7)
    assert marked in heard_of(admin.get(f"{TICKETS}{one.pk}/change/"))


# Counted and paged


def test_the_whole_is_counted_by_the_batches_and_never_by_the_tickets(admin: Client) -> None:
    insert_batch_tickets(some_tickets(250), "v1", "run-1", WEDNESDAY)

    with CaptureQueriesContext(connection) as queries:
        response = admin.get(TICKETS)

    assert response.context["cl"].result_count == 250
    assert "250\ntickets" in response.content.decode()
    about_tickets = [query["sql"] for query in queries if "pre_generated_tickets" in query["sql"]]
    assert len(about_tickets) == 2  # the page's keys, and its rows
    assert all("LIMIT 100" in about_tickets[0] or "IN (" in sql for sql in about_tickets)
    assert not [sql for sql in about_tickets if "COUNT(" in sql.upper()]


def test_filtered_count_stops_at_its_limit(admin: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    insert_batch_tickets(some_tickets(250), "v1", "run-1", WEDNESDAY)
    monkeypatch.setattr(ticket_admin, "RESULT_LIMIT", 201)
    monkeypatch.setattr(ticket_admin.CappedPaginator, "shown_at_most", "200")

    page = admin.get(TICKETS, {"mode__exact": "v1"}).content.decode()

    assert "more than 200\ntickets" in page
    assert "250" not in page.split('class="paginator"')[1].split("</p>")[0]


@pytest.mark.usefixtures("tickets")
def test_search_by_numbers_has_a_lower_limit(admin: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ticket_admin, "NUMBER_RESULT_LIMIT", 3)

    assert admin.get(TICKETS, {"q": "5 12"}).context["cl"].result_count == 3
    assert "more than 2\ntickets" in admin.get(TICKETS, {"q": "5 12"}).content.decode()
    assert admin.get(TICKETS, {"mode__exact": "v1"}).context["cl"].result_count == 5


@pytest.mark.parametrize("query", [{}, {"mode__exact": "v1"}])
def test_the_pages_hold_each_ticket_once_newest_first(query: dict[str, str], admin: Client) -> None:
    insert_batch_tickets(some_tickets(250), "v1", "run-1", WEDNESDAY)
    insert_batch_tickets(some_tickets(120, powerball=2), "v1", "run-2", WEDNESDAY)

    pages = [admin.get(TICKETS, query | {"p": p}).context["cl"].result_list for p in (1, 2, 3, 4)]

    assert [len(list(page)) for page in pages] == [100, 100, 100, 70]
    expected = PreGeneratedTicket.objects.order_by("-created_at", "-id").values_list("pk", flat=True)
    assert [ticket.pk for page in pages for ticket in page] == list(expected)


@pytest.mark.usefixtures("tickets")
@pytest.mark.parametrize(
    "query", [{"p": "99"}, {"p": "x"}, {"p": "0"}, {"o": "1.2.-3"}, {"all": ""}, {"_facets": ""}]
)
def test_odd_addresses_show_a_list(query: dict[str, str], admin: Client) -> None:
    assert admin.get(TICKETS, query, follow=True).status_code == 200


@pytest.mark.usefixtures("tickets")
def test_facet_counts_are_disabled_for_tickets(admin: Client) -> None:
    with CaptureQueriesContext(connection) as queries:
        admin.get(TICKETS, {"_facets": ""}, follow=True)

    assert not [
        query for query in queries if "COUNT(" in query["sql"].upper() and "pre_generated" in query["sql"]
    ]


@pytest.mark.parametrize("address", [TICKETS, f"{TICKETS}?q=1", RUNS, BATCHES])
def test_number_of_queries_does_not_depend_on_the_rows(address: str, admin: Client) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert admin.get(address).status_code == 200
        return len(captured)

    insert_batch_tickets(some_tickets(2), "v1", "run-0", WEDNESDAY)
    queries()  # the first time what is searched is remembered
    once = queries()
    for number in range(1, 8):
        insert_batch_tickets(some_tickets(4, powerball=number + 1), "v2", f"run-{number}", WEDNESDAY)

    assert queries() == once


# Progress


def test_runs_and_batches_show_generated_of_requested(admin: Client) -> None:
    make_prediction()
    BatchTicketGenerator(1500, ["random_forest", "v1"]).generate_batch(
        "run-1", async_mode=False, draw_date=WEDNESDAY
    )  # v1 fails
    insert_batch_tickets(some_tickets(3), "v2", "run-1", WEDNESDAY)

    assert "1,503 of 3,003 (50\N{NO-BREAK SPACE}%)" in admin.get(RUNS).content.decode()
    assert "1,503 of 3,003" in admin.get(RUNS, {"batches__mode": "v2"}).content.decode()
    batches = admin.get(BATCHES).content.decode()
    assert "1,500 of 1,500 (100\N{NO-BREAK SPACE}%)" in batches
    assert "0 of 1,500 (0\N{NO-BREAK SPACE}%)" in batches


def test_a_batch_that_lacks_one_ticket_is_not_at_a_hundred_per_cent(admin: Client) -> None:
    insert_batch_tickets(some_tickets(3), "v2", "run-1", WEDNESDAY)
    TicketBatch.objects.update(requested=1000, generated=999)

    assert "999 of 1,000 (99\N{NO-BREAK SPACE}%)" in admin.get(BATCHES).content.decode()
