"""What the modes won, in one draw (`/draws/{date}`) and over all draws."""

from datetime import date, timedelta

import numpy as np
import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from predictions.distributions.components import uniform_component
from predictions.distributions.sampling import generator_for, sample
from predictions.evaluation.intervals import mean_interval
from predictions.models import Draw
from predictions.modes.registry import MODE_NAMES
from predictions.powerball import is_draw_day
from tests.factories import make_draw, some_tickets, ticket, tilted_component
from tickets.models import TicketBatch
from tickets.scoring.results import ModeResult, draw_results, mode_results
from tickets.scoring.scorer import score_draw, score_known_draws
from tickets.store import insert_batch_tickets, purge_batch

pytestmark = pytest.mark.django_db

MONDAY = date(2025, 12, 22)
FIRST = date(2024, 1, 1)


def of_mode(mode: str) -> ModeResult:
    return next(result for result in mode_results() if result.total.mode == mode)


def score_season(draws: int, tickets: int, seed: int = 1) -> list[float]:
    """Store fair draws with tilted tickets; return each draw's white matches per ticket above 25/69."""
    days = [day for offset in range(7 * draws) if is_draw_day(day := FIRST + timedelta(days=offset))][:draws]
    drawn = sample(uniform_component(), draws, generator_for(seed, 0)).tolist()
    excess = []
    for number, (day, balls) in enumerate(zip(days, drawn, strict=True)):
        generated = sample(tilted_component(), tickets, generator_for(seed, 1, number)).tolist()
        insert_batch_tickets([ticket(*numbers) for numbers in generated], "v1", f"run-{seed}-{number}", day)
        make_draw(day, tuple(balls[:5]), balls[5])
        hits = [len(set(numbers[:5]) & set(balls[:5])) for numbers in generated]
        excess.append(sum(hits) / tickets - 25 / 69)
    score_known_draws()
    return excess


# Over draws


def test_a_mode_is_judged_by_the_mean_of_its_draws_with_the_standard_error_between_them() -> None:
    excess = score_season(draws=40, tickets=20)

    result = of_mode("v1")

    expected = mean_interval(excess)
    assert (result.draws, result.total.tickets, result.total.batches) == (40, 800, 40)
    assert result.excess is not None
    assert result.excess.mean == pytest.approx(np.mean(excess))
    assert result.excess.standard_error == pytest.approx(np.std(excess, ddof=1) / np.sqrt(40))
    assert (result.excess.low, result.excess.high) == (
        pytest.approx(expected.low),
        pytest.approx(expected.high),
    )
    assert result.verdict == "indistinguishable from chance"


def test_under_30_draws_it_is_too_few_to_say() -> None:
    score_season(draws=29, tickets=3)
    result = of_mode("v1")
    assert (result.draws, result.excess, result.verdict) == (29, None, "too few to say")

    another = make_draw(MONDAY)
    insert_batch_tickets(some_tickets(3), "v1", "the-30th", MONDAY)
    score_draw(another)
    assert of_mode("v1").excess is not None


def test_batches_of_one_draw_are_one_draw_in_proportion_to_their_tickets() -> None:
    draw = make_draw(MONDAY, (1, 2, 3, 4, 5), 1)
    insert_batch_tickets([ticket(1, 2, 3, 4, 5, 9)], "v1", "run-1", MONDAY)
    insert_batch_tickets([ticket(11, 12, 13, 14, n, 9) for n in (15, 16, 17)], "v1", "run-2", MONDAY)
    score_draw(draw)

    result = of_mode("v1")

    assert (result.draws, result.total.batches, result.total.tickets) == (1, 2, 4)
    (one_draw,) = draw_results(MONDAY)
    assert one_draw.excess_matches == pytest.approx(5 / 4 - 25 / 69)


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (0.01, 0.03, "more white balls than chance on these draws"),
        (-0.03, -0.01, "fewer white balls than chance on these draws"),
        (-0.01, 0.01, "indistinguishable from chance"),
    ],
)
def test_an_interval_is_put_into_plain_words(low: float, high: float, words: str) -> None:
    score_season(draws=1, tickets=1)
    middle, half = (low + high) / 2, (high - low) / 2
    interval = mean_interval(middle + half * np.array([-1.0, 1.0] * 20))

    assert ModeResult(of_mode("v1").total, 40, interval).verdict == words


def test_every_mode_is_named_and_one_never_scored_has_nothing() -> None:
    results = mode_results()

    assert [result.total.mode for result in results] == list(MODE_NAMES)
    assert {
        (result.draws, result.total.tickets, result.total.prize_usd, result.verdict) for result in results
    } == {(0, 0, 0, "too few to say")}


def test_prizes_are_summed_with_expectation_and_outlive_the_tickets() -> None:
    draw = make_draw(MONDAY, (3, 18, 36, 41, 54), 7)
    insert_batch_tickets([ticket(3, 18, 36, 41, 55, 7), ticket(3, 18, 36, 41, 54, 7)], "v1", "run-1", MONDAY)
    score_draw(draw)
    purge_batch(TicketBatch.objects.get())

    total = of_mode("v1").total

    assert (total.prize_usd, total.cost_usd, total.tier_counts) == (50_000, 4, (1, 0, 1, 0, 0, 0, 0, 0, 0))
    assert total.expected_usd == pytest.approx(2 * 0.319869, abs=1e-6)


def test_a_score_against_numbers_corrected_since_counts_for_nothing() -> None:
    draw = make_draw(MONDAY, (3, 18, 36, 41, 54), 7)
    insert_batch_tickets([ticket(3, 18, 36, 41, 55, 7)], "v1", "run-1", MONDAY)
    score_draw(draw)
    assert of_mode("v1").draws == 1

    Draw.objects.update(powerball=8)

    assert draw_results(MONDAY) == []
    assert of_mode("v1").draws == 0


# One draw


def test_draw_lists_prizes_and_expectation_per_mode(client: Client) -> None:
    insert_batch_tickets([ticket(3, 18, 36, 41, 55, 7), ticket(3, 18, 36, 41, 54, 7)], "v1", "run-1", MONDAY)
    insert_batch_tickets(some_tickets(3), "v1", "run-2", MONDAY)
    insert_batch_tickets(some_tickets(4, powerball=7), "lstm", "run-2", MONDAY)
    score_draw(make_draw(MONDAY, (3, 18, 36, 41, 54), 7))

    body = client.get("/api/v1/draws/2025-12-22").json()

    lstm, v1 = body["results"]
    assert {name: v1[name] for name in ("mode", "batches", "tickets", "prize_usd", "cost_usd")} == {
        "mode": "v1",
        "batches": 2,
        "tickets": 5,
        "prize_usd": 50_000,
        "cost_usd": 10,
    }
    assert v1["expected_usd"] == pytest.approx(5 * 0.319869, abs=1e-5)
    assert [(tier["prize_usd"], tier["tickets"]) for tier in v1["tiers"]] == [
        ("jackpot", 1),
        (1_000_000, 0),
        (50_000, 1),
        (100, 0),
        (100, 0),
        (7, 0),
        (7, 0),
        (4, 0),
        (4, 0),
    ]
    assert v1["tiers"][2]["white_matches"] == 4
    assert v1["tiers"][2]["powerball_match"] is True
    assert v1["tiers"][8]["expected"] == pytest.approx(5 / 38.3235, rel=1e-4)
    assert set(v1["tiers"][0]) == {"white_matches", "powerball_match", "prize_usd", "tickets", "expected"}
    assert (lstm["mode"], lstm["tickets"], lstm["prize_usd"]) == ("lstm", 4, 16)


def test_a_draw_without_scores_has_an_empty_list_and_the_list_of_draws_does_not_look(client: Client) -> None:
    make_draw(MONDAY)
    make_draw(date(2025, 12, 20))

    assert client.get("/api/v1/draws/2025-12-22").json()["results"] == []
    with CaptureQueriesContext(connection) as queries:
        listed = client.get("/api/v1/draws").json()["results"]
    assert [sorted(draw) for draw in listed] == [
        ["draw_date", "multiplier", "powerball", "source", "white_balls"]
    ] * 2
    assert len(queries) == 1
