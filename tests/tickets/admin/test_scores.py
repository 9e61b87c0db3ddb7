"""Admin pages of scores: prizes vs. expected, read-only."""

from datetime import date, timedelta

import pytest
from django.test import Client

from predictions.models import Draw
from predictions.powerball import is_draw_day
from tests.factories import WEDNESDAY, make_draw, some_tickets, ticket
from tests.staff import heard_of
from tickets.models import TicketBatch
from tickets.models.scores import BatchScore
from tickets.scoring.scorer import score_draw
from tickets.store import insert_batch_tickets

pytestmark = pytest.mark.django_db

SCORES = "/admin/tickets/batchscore/"
SATURDAY = date(2026, 11, 28)
ONE_DRAW = "One draw says nothing about a mode"


@pytest.fixture
def scores() -> None:
    """Create two batches for Wednesday and one for Saturday."""
    insert_batch_tickets([ticket(5, 12, 33, 41, 61, 7), *some_tickets(9)], "v1", "run-1", WEDNESDAY)
    insert_batch_tickets(some_tickets(4, powerball=2), "lstm", "run-2", WEDNESDAY)
    insert_batch_tickets(some_tickets(4), "lstm", "run-3", SATURDAY)
    for day in (WEDNESDAY, SATURDAY):
        score_draw(make_draw(day))


def batch_of(run_id: str) -> TicketBatch:
    return TicketBatch.objects.get(run__pipeline_run_id=run_id)


@pytest.mark.usefixtures("scores")
def test_list_compares_prizes_with_expectation_per_mode(admin: Client) -> None:
    shown = admin.get(SCORES)
    page = shown.content.decode()

    assert "5 12 33 41 60 Powerball 7" in heard_of(shown)
    for words in (
        "4+1:\N{NO-BREAK SPACE}1",
        "$50,000",
        "$3.20",
        "$20",
        ONE_DRAW,
        "too few to say",
        "nothing",
    ):
        assert words in page
    assert "Modes over their scored draws" in page


def test_from_30_draws_on_a_mode_is_shown_with_its_interval_between_draws(admin: Client) -> None:
    days = [day for offset in range(100) if is_draw_day(day := date(2024, 1, 1) + timedelta(days=offset))]
    for number, day in enumerate(days[:30]):
        insert_batch_tickets(some_tickets(1), "v1", f"run-{number}", day)  # 1 2 3 4 5: hits one ball or none
        score_draw(make_draw(day, (5 if number % 2 else 6, 12, 33, 41, 60)))

    page = " ".join(admin.get(SCORES).content.decode().split())

    shown = "+0.1377 ± 0.0928, 95 % interval -0.0522 to +0.3276: indistinguishable from chance"
    assert shown in page  # 15/30 - 25/69, and t(29) times 0.5085/sqrt(30)


@pytest.mark.usefixtures("scores")
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", 3),
        ("batch__mode__exact=lstm", 2),
        ("draw_date=2026-11-25", 2),
        ("batch__mode__exact=lstm&draw_date=2026-11-25", 1),
    ],
)
def test_scores_are_filtered_by_mode_and_draw(query: str, found: int, admin: Client) -> None:
    response = admin.get(f"{SCORES}?{query}")

    assert response.context["cl"].result_count == found


@pytest.mark.usefixtures("scores")
@pytest.mark.parametrize("page", ["batchscore", "ticketbatch"])
def test_pages_show_prize_tiers_and_that_one_draw_proves_nothing(page: str, admin: Client) -> None:
    shown = admin.get(f"/admin/tickets/{page}/{batch_of('run-1').pk}/change/")
    text = shown.content.decode()

    assert "2026-11-25: 5 12 33 41 60 Powerball 7" in heard_of(shown)
    assert "predictions/balls.css" in text
    for words in (
        "<tr><td>4+1</td><td>$50,000</td><td>1</td><td>0.00</td></tr>",
        "<tr><td>0+1</td><td>$4</td><td>0</td><td>0.26</td></tr>",
        "<td>jackpot</td>",
        "$50,000 won, $3.20 expected, $20 paid",
        ONE_DRAW,
    ):
        assert words in text


@pytest.mark.usefixtures("scores")
def test_score_against_corrected_numbers_is_marked(admin: Client) -> None:
    Draw.objects.filter(draw_date=WEDNESDAY).update(powerball=8)

    text = admin.get(f"{SCORES}{batch_of('run-1').pk}/change/").content.decode()

    assert "outdated, the draw was corrected since" in text


@pytest.mark.usefixtures("scores")
def test_a_batch_without_a_score_has_a_page_all_the_same(admin: Client) -> None:
    insert_batch_tickets(some_tickets(1, powerball=3), "v2", "run-4", WEDNESDAY)

    text = admin.get(f"/admin/tickets/ticketbatch/{batch_of('run-4').pk}/change/")

    assert text.status_code == 200
    assert ONE_DRAW not in text.content.decode()


@pytest.mark.usefixtures("scores")
def test_nothing_can_be_added_changed_or_deleted(admin: Client) -> None:
    before = list(BatchScore.objects.order_by("pk").values())
    pk = batch_of("run-1").pk

    assert admin.post(f"{SCORES}add/").status_code == 403
    assert admin.post(f"{SCORES}{pk}/change/", {"tickets": "1"}).status_code == 403
    assert admin.post(f"{SCORES}{pk}/delete/", {"post": "yes"}).status_code == 403

    assert list(BatchScore.objects.order_by("pk").values()) == before
