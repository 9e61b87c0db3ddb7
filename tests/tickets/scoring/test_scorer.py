"""Scoring: the tickets of each batch are counted once, in the right one of the nine tiers."""

import threading
from collections import Counter
from datetime import date, timedelta

import pytest
import time_machine
from django.db import IntegrityError, connection, transaction
from django.db.models import ProtectedError
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from predictions.models import Draw
from predictions.powerball import PRIZE_TIERS, find_prize
from tests.factories import WEDNESDAY, component_with, make_draw, make_prediction, some_tickets, ticket
from tickets.generation.generator import BatchTicketGenerator
from tickets.models import PreGeneratedTicket, TicketBatch
from tickets.models.scores import TIER_FIELDS, BatchScore
from tickets.scoring import scorer
from tickets.scoring.scorer import ScoringOutcome, Verdict, draws_to_score, score_draw, score_known_draws
from tickets.store import clear_old_batch_tickets, insert_batch_tickets, purge_batch

pytestmark = pytest.mark.usefixtures("on_tuesday")

SATURDAY = date(2026, 11, 28)
# A ticket for each tier of the draw 5 12 33 41 60 +7, in their order.
ONE_A_TIER = [
    ticket(5, 12, 33, 41, 60, 7),
    ticket(5, 12, 33, 41, 60, 8),
    ticket(5, 12, 33, 41, 61, 7),
    ticket(5, 12, 33, 41, 61, 8),
    ticket(5, 12, 33, 42, 61, 7),
    ticket(5, 12, 33, 42, 61, 8),
    ticket(5, 12, 34, 42, 61, 7),
    ticket(5, 13, 34, 42, 61, 7),
    ticket(6, 13, 34, 42, 61, 7),
]
NO_PRIZE = [
    ticket(5, 12, 34, 42, 61, 8),
    ticket(5, 13, 34, 42, 61, 8),
    ticket(6, 13, 34, 42, 61, 8),
]


def insert(tickets: list[dict[str, object]], run_id: str = "run-1", mode: str = "v1") -> TicketBatch:
    insert_batch_tickets(tickets, mode, run_id, WEDNESDAY)
    return TicketBatch.objects.get(run__pipeline_run_id=run_id, mode=mode)


def insert_of_two_ages(
    old: list[dict[str, object]], new: list[dict[str, object]], run_id: str = "run-1"
) -> TicketBatch:
    """Insert a batch of which `clear_old_batch_tickets` deletes a part."""
    with time_machine.travel(timezone.now() - timedelta(days=8)):
        insert(old, run_id)
    return insert(new, run_id)


def outcomes_of(draw: Draw) -> list[ScoringOutcome]:
    outcomes: list[ScoringOutcome] = []
    score_draw(draw, outcomes.append)
    return outcomes


def verdicts(draw: Draw) -> list[Verdict]:
    return [outcome.verdict for outcome in outcomes_of(draw)]


def correct(draw: Draw, **numbers: int) -> Draw:
    """Give the draw other numbers, as an import with --overwrite does."""
    for name, value in numbers.items():
        setattr(draw, name, value)
    draw.save()
    return draw


# Counts


@pytest.mark.django_db
def test_each_tier_is_counted_and_priced_by_its_fixed_prize_and_the_jackpot_is_not_priced() -> None:
    batch = insert(ONE_A_TIER + NO_PRIZE)

    (score,) = score_draw(make_draw())

    assert (score.batch, score.draw_date) == (batch, WEDNESDAY)
    assert score.tiers == [1] * 9
    assert score.tickets == 12
    assert score.white_matches == 5 + 5 + 4 + 4 + 3 + 3 + 2 + 1 + 0 + 2 + 1 + 0
    assert score.prize_usd == 1_000_000 + 50_000 + 100 + 100 + 7 + 7 + 4 + 4
    assert score.cost_usd == 24
    assert score.expected_usd == pytest.approx(12 * 0.319869, abs=1e-5)
    assert score.won == "5+1: 1, 5+0: 1, 4+1: 1, 4+0: 1, 3+1: 1, 3+0: 1, 2+1: 1, 1+1: 1, 0+1: 1"


@pytest.mark.django_db
def test_the_counts_of_thousands_of_tickets_are_those_of_a_recount_in_python() -> None:
    favours = component_with(white=[10.0 if ball in (5, 12, 33, 41, 60) else 1.0 for ball in range(1, 70)])
    for mode, size in (("random_forest", 3000), ("v1", 2000)):
        make_prediction(mode, components=[favours])
        BatchTicketGenerator(size, [mode]).generate_batch(f"run-{mode}", False, WEDNESDAY)
    insert(ONE_A_TIER)
    draw = make_draw()

    scores = score_draw(draw)

    assert len(scores) == 3
    for score in scores:
        tickets = list(PreGeneratedTicket.objects.filter(batch=score.batch))
        hits = [
            (len(set(ticket.white_balls) & set(draw.white_balls)), ticket.powerball == draw.powerball)
            for ticket in tickets
        ]
        counted = Counter(hits)
        assert score.tickets == len(tickets)
        assert score.tiers == [counted[tier.white_matches, tier.powerball_match] for tier in PRIZE_TIERS]
        assert score.white_matches == sum(white for white, _ in hits)
        prizes = [find_prize(*hit) for hit in hits]
        assert score.prize_usd == sum(prize for prize in prizes if isinstance(prize, int))
    assert sum(sum(score.tiers) for score in scores) > 300


@pytest.mark.django_db
def test_draw_is_scored_against_its_tickets_only() -> None:
    insert(some_tickets(4))
    insert_batch_tickets(some_tickets(3), "v1", "run-2", SATURDAY)

    (score,) = score_draw(make_draw())

    assert score.tickets == 4
    assert BatchScore.objects.count() == 1


@pytest.mark.django_db
def test_a_batch_is_counted_in_one_query_that_its_index_serves() -> None:
    if connection.vendor != "sqlite":
        pytest.skip("EXPLAIN QUERY PLAN is SQLite's; PostgreSQL chooses by the size of the table")
    insert(some_tickets(50))
    draw = make_draw()

    with CaptureQueriesContext(connection) as queries:
        score_draw(draw)

    (sql,) = [query["sql"] for query in queries if "pre_generated_tickets" in query["sql"]]
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {sql}")
        steps = [row[3] for row in cursor.fetchall()]
    assert "USING INDEX idx_pre_generated_pipeline_run (pipeline_run_id=? AND mode=?)" in steps[0]


# Once


@pytest.mark.django_db
def test_the_same_draw_scored_twice_changes_nothing() -> None:
    insert(ONE_A_TIER)
    draw = make_draw()
    score_draw(draw)
    before = BatchScore.objects.values().get()

    assert score_draw(draw) == []
    assert verdicts(draw) == [Verdict.UNCHANGED]
    assert BatchScore.objects.values().get() == before


@pytest.mark.django_db(transaction=True)
def test_four_scorers_at_once_leave_one_score() -> None:
    insert(ONE_A_TIER)
    draw = make_draw()
    barrier = threading.Barrier(4)
    errors: list[BaseException] = []

    def score() -> None:
        try:
            barrier.wait()
            score_draw(draw)
        except BaseException as error:  # noqa: BLE001 - told by the test
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=score) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert errors == []
    assert BatchScore.objects.get().tiers == [1] * 9


@pytest.mark.django_db
def test_a_score_outlives_the_purge_of_its_tickets_and_stays_as_it_is() -> None:
    batch = insert(ONE_A_TIER)
    draw = make_draw()
    score_draw(draw)
    before = BatchScore.objects.values().get()

    purge_batch(batch)

    assert verdicts(draw) == [Verdict.UNCHANGED]
    assert BatchScore.objects.values().get() == before
    assert draws_to_score() == []
    with pytest.raises(ProtectedError):
        batch.delete()


# Again


@pytest.mark.django_db
def test_a_corrected_draw_is_scored_again() -> None:
    insert(ONE_A_TIER)
    draw = make_draw()
    score_draw(draw)

    correct(draw, powerball=8)

    assert draws_to_score() == [draw]
    (score,) = score_known_draws()
    assert (score.powerball, score.tiers) == (8, [1, 1, 1, 1, 1, 1, 0, 0, 0])
    assert draws_to_score() == []


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["n1", "n5", "powerball"])
def test_a_correction_of_any_number_is_noticed(name: str) -> None:
    insert(ONE_A_TIER)
    draw = make_draw()
    score_draw(draw)

    correct(draw, **{name: 1 if name != "n5" else 69})

    assert draws_to_score() == [draw]


@pytest.mark.django_db
def test_a_correction_after_a_purge_keeps_the_old_score_under_its_own_numbers_and_is_reported(
    caplog: pytest.LogCaptureFixture,
) -> None:
    batch = insert_of_two_ages(ONE_A_TIER[:1], ONE_A_TIER[1:])
    draw = make_draw()
    score_draw(draw)
    before = BatchScore.objects.values().get()
    clear_old_batch_tickets()

    assert verdicts(correct(draw, powerball=8)) == [Verdict.UNSCORABLE]

    assert BatchScore.objects.values().get() == before
    assert BatchScore.objects.get().powerball == 7
    assert (
        not BatchScore.objects.for_current_numbers().exists()
    )  # so nobody is shown it beside the new numbers
    assert f"batch {batch.pk} of v1 of run-1 for 2026-11-25 cannot be scored again" in caplog.text


@pytest.mark.django_db
def test_tickets_added_after_the_draw_are_scored_with_the_others_next_time() -> None:
    insert(ONE_A_TIER[:3])
    draw = make_draw()
    score_draw(draw)

    insert(ONE_A_TIER[3:])

    assert draws_to_score() == [draw]
    (score,) = score_known_draws()
    assert (score.tickets, score.tiers) == (9, [1] * 9)


@pytest.mark.django_db
def test_tickets_added_when_others_were_purged_do_not_pass_for_all() -> None:
    batch = insert(ONE_A_TIER[:3])
    draw = make_draw()
    score_draw(draw)
    purge_batch(batch)

    insert(ONE_A_TIER[3:])

    assert verdicts(draw) == [Verdict.UNSCORABLE]
    assert BatchScore.objects.get().tickets == 3


# Not yet, and not at all


@pytest.mark.django_db
@pytest.mark.parametrize("status", ["queued", "running"])
def test_a_batch_that_is_not_finished_waits(status: str) -> None:
    insert(ONE_A_TIER)
    TicketBatch.objects.update(status=status)
    draw = make_draw()

    assert draws_to_score() == []
    assert verdicts(draw) == [Verdict.UNFINISHED]
    assert not BatchScore.objects.exists()

    TicketBatch.objects.update(status="failed")
    assert draws_to_score() == [draw]
    assert verdicts(draw) == [Verdict.SCORED]


@pytest.mark.django_db
def test_a_batch_is_scored_with_the_tickets_that_are_left_and_one_without_any_is_passed_over() -> None:
    purge_batch(insert(ONE_A_TIER))
    insert_of_two_ages(some_tickets(1, powerball=2), some_tickets(2), run_id="run-2")
    clear_old_batch_tickets()
    draw = make_draw()

    assert verdicts(draw) == [Verdict.EMPTY, Verdict.SCORED]

    score = BatchScore.objects.get()
    assert (score.tickets, score.purged) == (2, 1)
    assert draws_to_score() == []


@pytest.mark.django_db
def test_without_its_draw_nothing_is_due() -> None:
    insert(ONE_A_TIER)

    assert draws_to_score() == []
    assert score_known_draws() == []


@pytest.mark.django_db
def test_tickets_that_come_while_a_batch_is_counted_are_counted_too(monkeypatch: pytest.MonkeyPatch) -> None:
    insert(ONE_A_TIER[:3])
    draw = make_draw()
    count = scorer.count_matches

    def count_and_be_overtaken(batch: TicketBatch, draw: Draw) -> scorer.MatchCounts:
        counted = count(batch, draw)
        monkeypatch.setattr(scorer, "count_matches", count)
        insert(ONE_A_TIER[3:])
        return counted

    monkeypatch.setattr(scorer, "count_matches", count_and_be_overtaken)
    (score,) = score_draw(draw)

    assert (score.tickets, score.tiers) == (9, [1] * 9)
    assert draws_to_score() == []


@pytest.mark.django_db
def test_a_purge_while_a_batch_is_counted_leaves_nothing_to_score(monkeypatch: pytest.MonkeyPatch) -> None:
    batch = insert(ONE_A_TIER)
    draw = make_draw()
    count = scorer.count_matches

    def count_and_be_overtaken(batch: TicketBatch, draw: Draw) -> scorer.MatchCounts:
        counted = count(batch, draw)
        purge_batch(batch)
        return counted

    monkeypatch.setattr(scorer, "count_matches", count_and_be_overtaken)

    assert verdicts(draw) == [Verdict.EMPTY]
    assert not BatchScore.objects.filter(batch=batch).exists()


# What the database forbids


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("values", "constraint"),
    [
        ({"tickets": 8}, "batch_score_tiers_agree"),
        ({"white_matches": 46}, "batch_score_white_matches_agree"),
        ({"prize_usd": 1}, "batch_score_prize_agrees"),
        ({"tier_9": 2, "tickets": 10}, "batch_score_prize_agrees"),
        (
            dict.fromkeys([*TIER_FIELDS, "tickets", "white_matches", "prize_usd"], 0),
            "batch_score_has_tickets",
        ),
    ],
)
def test_a_score_that_contradicts_itself_is_refused_by_the_database(
    values: dict[str, int], constraint: str
) -> None:
    insert(ONE_A_TIER)
    score_draw(make_draw())

    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        BatchScore.objects.update(**values)
    BatchScore.objects.get().full_clean()
