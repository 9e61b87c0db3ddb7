"""Remembered filters and the month navigation of admin lists."""

from datetime import date
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.factories import WEDNESDAY, claim_tickets, make_prediction, some_tickets
from tests.staff import heard_of
from tickets.models import TicketBatch
from tickets.store import insert_batch_tickets

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("on_tuesday")]

SITE = "http://testserver"
TICKETS = "/admin/tickets/pregeneratedticket/"
BATCHES = "/admin/tickets/ticketbatch/"
CLAIMS = "/admin/tickets/claim/"
LISTS = [
    *("predictions/draw", "predictions/pipelinerun", "predictions/prediction", "predictions/trainedmodel"),
    *("predictions/training", "predictions/backtest", "predictions/randomnessreport", "predictions/cluster"),
    *("predictions/strategyshares", "tickets/generationrun", "tickets/ticketbatch", "tickets/batchscore"),
    *("tickets/pregeneratedticket", "tickets/claim", "tickets/apiclient", "django_q/schedule"),
]
DECEMBER = date(2026, 12, 2)


@pytest.fixture
def batches() -> list[TicketBatch]:
    """Create batches of v1 and v2 for two draws in November and one in December."""
    days = (WEDNESDAY, date(2026, 11, 28), DECEMBER)
    for number, (mode, day) in enumerate((mode, day) for mode in ("v1", "v2") for day in days):
        insert_batch_tickets(some_tickets(3, powerball=number + 1), mode, f"run-{number}", day)
    return list(TicketBatch.objects.order_by("id"))


def opened(client: Client, page: str, come_from: str = "") -> Any:
    return client.get(page, headers={"referer": f"{SITE}{come_from}"} if come_from else {})


# Filters stick


@pytest.mark.parametrize("name", LISTS)
def test_lists_restore_their_filters_and_can_be_cleared(name: str, admin: Client) -> None:
    page = f"/admin/{name}/"
    parameters = "?o=1&p=0&q=" if name.startswith("django_q") else "?o=-1&p=0&q="

    assert opened(admin, page, "/admin/").status_code == 200
    assert opened(admin, f"{page}{parameters}").status_code == 200
    again = opened(admin, page, "/admin/predictions/")
    assert (again.status_code, again["Location"]) == (302, f"{page}{parameters.removesuffix('&p=0&q=')}")
    assert opened(admin, again["Location"], "/admin/").status_code == 200
    assert opened(admin, page, page).status_code == 200  # "Clear all filters"
    assert opened(admin, page, "/admin/").status_code == 200


def test_filters_stick_through_search_sorting_paging_a_row_an_action_and_elsewhere(
    admin: Client, batches: list[TicketBatch]
) -> None:
    query = "mode__exact=v1&q=run&o=1"
    listed = opened(admin, f"{BATCHES}?{query}&p=1")
    page = listed.content.decode()

    assert [batch.mode for batch in listed.context["cl"].result_list] == ["v1"] * 3
    assert '<input type="hidden" name="mode__exact" value="v1">' in page  # of the search
    assert "?mode__exact=v1&amp;o=-1&amp;q=run" in page  # of the columns
    row = f"{BATCHES}{batches[0].pk}/change/"
    assert f"{row}?_changelist_filters=mode__exact%3Dv1%26q%3Drun" in page
    for elsewhere in (row, "/admin/", "/admin/tickets/", "/admin/tickets/pregeneratedticket/purge/", TICKETS):
        assert opened(admin, BATCHES, elsewhere)["Location"] == f"{BATCHES}?{query}"
    assert opened(admin, TICKETS, BATCHES).status_code == 200  # each list has its own
    assert opened(admin, f"{BATCHES}?mode__exact=v2", "/admin/").status_code == 200  # named beats remembered
    assert opened(admin, BATCHES, "/admin/")["Location"] == f"{BATCHES}?mode__exact=v2"


@pytest.mark.usefixtures("batches")
@pytest.mark.parametrize(
    "come_from", ["", "https://elsewhere.example/admin/", f"{SITE}/api/docs", f"{SITE}{BATCHES}"]
)
def test_a_list_opened_from_anywhere_else_is_not_filtered(come_from: str, admin: Client) -> None:
    admin.get(f"{BATCHES}?mode__exact=v1")

    response = admin.get(BATCHES, headers={"referer": come_from})

    assert response.context["cl"].result_count == 6


@pytest.mark.usefixtures("batches")
def test_a_remembered_filter_that_has_become_bad_is_forgotten_and_does_not_loop(admin: Client) -> None:
    session = admin.session
    session["admin-lists"] = {"tickets.ticketbatch": "draw_date=soon"}
    session.save()

    response = admin.get(BATCHES, headers={"referer": f"{SITE}/admin/"}, follow=True)

    chain = [(f"{BATCHES}?draw_date=soon", 302), (f"{BATCHES}?e=1", 302)]
    assert (response.status_code, response.redirect_chain) == (200, chain)
    assert not admin.session["admin-lists"]


@pytest.mark.usefixtures("batches")
@pytest.mark.parametrize(
    ("page", "said"),
    [
        (f"{BATCHES}?mode__exact=v1&draw_date=2026-11-25", "Filtered: mode v1, draw date 2026-11-25 · clear"),
        (f"{BATCHES}?q=run%3C", "Filtered: search “run&lt;” · clear"),
        (f"{BATCHES}?draw_date__year=2026&o=1", "Filtered: draw date year 2026 · clear"),
        (f"{TICKETS}?draw_month=2026-11&mode__exact=v1", "Filtered: mode v1, draw month 2026-11 · clear"),
    ],
)
def test_active_filters_are_shown_above_the_list(page: str, said: str, admin: Client) -> None:
    assert said in heard_of(admin.get(page))
    assert "Filtered:" not in heard_of(admin.get(page.partition("?")[0]))


# Draws by month


def links(response: Any) -> list[str]:
    return [choice["title"] for choice in response.context["hierarchy"]["choices"]]


@pytest.mark.usefixtures("batches")
def test_tickets_are_reached_by_month_and_draw_and_none_is_read_for_it(admin: Client) -> None:
    with CaptureQueriesContext(connection) as queries:
        months = admin.get(f"{TICKETS}?mode__exact=v1")
    november = admin.get(f"{TICKETS}?mode__exact=v1&draw_month=2026-11")
    wednesday = admin.get(f"{TICKETS}?mode__exact=v1&draw_date=2026-11-25")

    assert not [query for query in queries if "pre_generated" in query["sql"] and "DISTINCT" in query["sql"]]
    assert links(months) == ["2026-11", "2026-12"]
    assert links(november) == links(wednesday) == ["2026-11-25", "2026-11-28"]
    assert [len(list(response.context["cl"].result_list)) for response in (months, november, wednesday)] == [
        9,
        6,
        3,
    ]
    assert 'href="?draw_month=2026-11&amp;mode__exact=v1"' in months.content.decode()
    assert 'href="?draw_date=2026-11-28&amp;mode__exact=v1"' in november.content.decode()
    assert 'href="?mode__exact=v1" class="date-back"' in november.content.decode()
    assert admin.get(f"{TICKETS}?draw_month=2020-01").context["cl"].result_count == 0


def test_claims_are_reached_by_month_and_draw(admin: Client, batches: list[TicketBatch]) -> None:
    for batch in batches[:3]:
        claim_tickets(batch, 1)

    assert links(admin.get(CLAIMS)) == ["2026-11", "2026-12"]
    assert admin.get(f"{CLAIMS}?draw_month=2026-11").context["cl"].result_count == 2


@pytest.mark.usefixtures("batches")
@pytest.mark.parametrize("name", ["ticketbatch", "generationrun", "batchscore"])
def test_smaller_lists_have_a_date_hierarchy_of_draws(name: str, admin: Client) -> None:
    response = admin.get(f"/admin/tickets/{name}/?draw_date__year=2026&draw_date__month=11")

    assert response.context["cl"].result_count == {"batchscore": 0}.get(name, 4)


def test_predictions_and_pipeline_runs_have_one_too(admin: Client) -> None:
    make_prediction()
    make_prediction(draw_date=DECEMBER)

    for name in ("prediction", "pipelinerun"):
        page = f"/admin/predictions/{name}/"
        assert "November 2026" in heard_of(admin.get(page))
        assert admin.get(f"{page}?draw_date__year=2026&draw_date__month=12").context["cl"].result_count == 1
