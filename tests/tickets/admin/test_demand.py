"""The admin's demand page: stock, forecast and permissions."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
import time_machine
from django.contrib.staticfiles import finders
from django.templatetags.static import static
from django.test import Client

from tests.factories import WEDNESDAY, count_claims, make_prediction, queued_batch, some_tickets
from tests.staff import client_of, staff_who_may
from tickets.admin.demand import demand_context
from tickets.models import ClaimHour
from tickets.models.policies import ModePolicy
from tickets.store import insert_batch_tickets

pytestmark = pytest.mark.django_db
PAGE = "/admin/tickets/claimhour/"
NOW = datetime(2026, 11, 24, 12, 30, tzinfo=UTC)
COLUMNS = (
    "stored",
    "claimed",
    "available",
    "on_order",
    "reorder_point",
    "short_by",
    "refused_claims",
    "replenished",
)


@pytest.fixture(autouse=True)
def _now() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


def row(mode: str, now: datetime = NOW) -> dict[str, str]:
    return {stock_row.mode: vars(stock_row) for stock_row in demand_context(now)["stock"]}[mode]


def sold_lately(mode: str = "v1", claims: int = 30) -> None:
    """Count claims of one ticket in each of the last eight hours, and store tickets."""
    for hour in range(8):
        begin = NOW.replace(minute=0) - timedelta(hours=hour)
        count_claims(mode, begin, claims=claims, tickets=claims)
    insert_batch_tickets(some_tickets(8 * claims + 45), mode, draw_date=WEDNESDAY)


def test_demand_page_without_claims_says_so(admin: Client) -> None:
    page = admin.get(PAGE).content.decode()

    assert "<title>Demand" in page
    assert "Sales for the draw of 2026-11-25 close at 2026-11-26 02:59 UTC." in page
    assert "No tickets have been claimed yet, so no demand is expected and nothing is ordered." in page
    assert page.count("never claimed") == 5
    assert 'role="img"' not in page
    assert "Last hours" not in page


def test_stock_is_compared_with_expected_demand(admin: Client) -> None:
    make_prediction("v1")
    sold_lately()
    count_claims("v1", NOW.replace(minute=0), shard=1, claims=0, tickets=0, refused=3)

    shown = row("v1")

    assert {name: shown[name] for name in COLUMNS} == {
        "stored": "285",
        "claimed": "240",
        "available": "45",
        "on_order": "0",
        "reorder_point": "100",
        "short_by": "55",
        "refused_claims": "3",
        "replenished": "up to 100,000",
    }
    assert shown["lasts"].startswith("1 h ")  # 45 tickets, of which some 30 are claimed an hour
    mean, rarely = (int(text.replace(",", "")) for text in shown["expected"].split(", rarely over "))
    assert 30 * 20 < mean < 30 * 70
    assert mean < rarely < 5 * mean
    page = admin.get(PAGE).content.decode()
    for text in ("285", "240", "45", shown["expected"], shown["lasts"], "up to 100,000"):
        assert f">{text}</td>" in page


def test_ordered_tickets_are_on_order_and_no_longer_short() -> None:
    make_prediction()
    queued_batch(60)
    count_claims("random_forest", claims=0, tickets=0, refused=1)

    assert (row("random_forest")["on_order"], row("random_forest")["short_by"]) == ("60", "40")


def test_demand_page_says_why_a_mode_is_not_replenished() -> None:
    for mode in ("random_forest", "lstm", "v1"):
        make_prediction(mode)
    ModePolicy.objects.filter(mode="lstm").update(paused=True)
    ModePolicy.objects.filter(mode="v1").update(max_ready=0)

    said = {stock_row.mode: stock_row.replenished for stock_row in demand_context(NOW)["stock"]}

    assert said == {
        "random_forest": "up to 100,000",
        "lstm": "paused",
        "v1": "off by policy",
        "v2": "no prediction yet",
        "hybrid": "no prediction yet",
    }


def test_a_stock_that_is_large_enough_lasts_until_the_cut_off() -> None:
    count_claims("v1", NOW - timedelta(hours=9, minutes=30), claims=1, tickets=1)
    insert_batch_tickets(some_tickets(2000), "v1", draw_date=WEDNESDAY)

    assert row("v1")["lasts"] == "until the cut-off"


def test_demand_page_says_that_nothing_is_ordered_after_sales_close(admin: Client) -> None:
    sold_lately()
    with time_machine.travel(datetime(2026, 11, 26, 3, 5, tzinfo=UTC), tick=False):
        page = admin.get(PAGE).content.decode()
        shown = row("v1", datetime(2026, 11, 26, 3, 5, tzinfo=UTC))

    assert "closed at 2026-11-26 02:59 UTC; no more tickets" in page
    assert (shown["reorder_point"], shown["short_by"], shown["lasts"]) == ("0", "0", "-")


def test_last_hours_are_listed_and_plotted_for_all_draws(admin: Client) -> None:
    hour = NOW.replace(minute=0)
    for shard in range(2):
        count_claims("v1", hour, shard=shard, claims=6, tickets=21, refused=shard)
    count_claims("v2", hour - timedelta(hours=11), date(2026, 11, 28), claims=4, tickets=4)
    count_claims("v2", hour - timedelta(hours=47), date(2026, 11, 23), claims=1000, tickets=1000)
    count_claims("hybrid", hour - timedelta(hours=48), date(2026, 11, 23))

    page = admin.get(PAGE).content.decode()

    assert ">2026-11-24 12:00</th>" in page
    assert ">12 (42), 1 refused</td>" in page
    assert ">4 (4)</td>" in page
    assert "1,000 (" not in page
    assert page.count('role="img"') == 1
    assert "v1 ends at 13, v2 ends at 0" in page
    assert page.count("<polyline") == 2


def test_mode_claimed_long_ago_has_no_chart(admin: Client) -> None:
    count_claims("v1", NOW - timedelta(days=6), date(2026, 11, 18))

    assert "No claims in the last two days." in admin.get(PAGE).content.decode()


def test_demand_page_has_no_inline_style_and_its_stylesheet_exists(admin: Client) -> None:
    sold_lately()

    page = admin.get(PAGE).content.decode()
    content = page[page.index('id="content-main"') :]

    assert "<style" not in page
    assert "style=" not in content
    assert f'<link rel="stylesheet" href="{static("tickets/demand.css")}">' in page
    assert finders.find("tickets/demand.css")


def test_demand_page_needs_view_permission_and_is_read_only() -> None:
    count = count_claims("v1")
    looking, stranger = staff_who_may(), client_of("stranger")

    assert looking.get(PAGE).status_code == 200
    assert stranger.get(PAGE).status_code == 403
    assert Client().get(PAGE).status_code == 302
    for client in (looking, Client()):
        client.post(PAGE, {"action": "delete_selected", "_selected_action": count.pk, "post": "yes"})
        client.post(f"{PAGE}{count.pk}/delete/", {"post": "yes"})
        assert client.get(f"{PAGE}add/").status_code in (302, 403)
    assert ClaimHour.objects.get().claims == 10
