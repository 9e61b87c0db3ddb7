"""Batches are scored in the background when their draw arrives, or by `score_tickets`."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import time_machine
from django.core.management import CommandError
from django.test import TestCase
from django_q.models import OrmQ, Task

from predictions.draws.feeds import FeedRow, ParsedDraw
from predictions.draws.sources import import_rows
from predictions.models import Draw
from predictions.workqueue import clusters
from tests.commands import call, manage
from tests.factories import WEDNESDAY, make_draw, make_prediction, some_tickets, ticket
from tests.processes import cluster, wait_until
from tickets.generation.generator import BatchTicketGenerator
from tickets.models import TicketBatch
from tickets.models.scores import BatchScore
from tickets.store import clear_old_batch_tickets, insert_batch_tickets, purge_batch
from tickets.tasks import generate_ticket_batch, score_draws

MONDAY = date(2025, 12, 22)
DRAWN = ParsedDraw(MONDAY, (3, 18, 36, 41, 54), 7, 2)
WINNER = ticket(3, 18, 36, 41, 55, 7)  # 4+1: $50,000


def arrive(*draws: ParsedDraw, overwrite: bool = False) -> None:
    with TestCase.captureOnCommitCallbacks(execute=True):
        import_rows([FeedRow(2, draw) for draw in draws], "test", overwrite=overwrite)


def queued() -> list[tuple[str, str, tuple[list[date]]]]:
    return [(task.key, task.func(), task.args()) for task in OrmQ.objects.order_by("id")]


# The arrival


@pytest.mark.django_db
def test_a_draw_that_arrives_has_the_scoring_of_its_batches_enqueued() -> None:
    insert_batch_tickets([WINNER], "v1", draw_date=MONDAY)

    arrive(DRAWN)

    assert queued() == [("shiolplus", "tickets.tasks.score_draws", ([MONDAY],))]


@pytest.mark.django_db
def test_a_draw_without_batches_and_one_scored_before_enqueue_nothing() -> None:
    arrive(DRAWN)
    insert_batch_tickets([WINNER], "v1", draw_date=MONDAY)
    score_draws([MONDAY])

    arrive(ParsedDraw(date(2025, 12, 20), (4, 5, 28, 52, 69), 20, 3))

    assert queued() == []


@pytest.mark.django_db
def test_a_correction_enqueues_the_scoring_again() -> None:
    insert_batch_tickets([WINNER], "v1", draw_date=MONDAY)
    arrive(DRAWN)
    score_draws([MONDAY])
    OrmQ.objects.all().delete()

    arrive(ParsedDraw(MONDAY, (3, 18, 36, 41, 55), 7, 2), overwrite=True)

    assert queued() == [("shiolplus", "tickets.tasks.score_draws", ([MONDAY],))]


@pytest.mark.django_db
def test_batch_running_at_its_draw_is_scored_with_the_next_draw() -> None:
    insert_batch_tickets([WINNER], "v1", draw_date=MONDAY)
    TicketBatch.objects.update(status="running")
    arrive(DRAWN)
    assert queued() == []
    TicketBatch.objects.update(status="ready")

    arrive(ParsedDraw(date(2025, 12, 20), (4, 5, 28, 52, 69), 20, 3))

    assert queued() == [("shiolplus", "tickets.tasks.score_draws", ([MONDAY],))]


@pytest.mark.django_db
@pytest.mark.parametrize("async_mode", [False, True])
def test_batch_for_a_stored_draw_is_scored_when_ready(async_mode: bool) -> None:
    make_draw(MONDAY)
    make_prediction(draw_date=MONDAY)

    BatchTicketGenerator(50, ["random_forest"]).generate_batch(draw_date=MONDAY, async_mode=async_mode)
    if async_mode:
        assert not BatchScore.objects.exists()
        generate_ticket_batch(*OrmQ.objects.get().task["args"])

    assert BatchScore.objects.get().tickets == 50


@pytest.mark.django_db
def test_task_delivered_twice_scores_once_and_returns_counts() -> None:
    insert_batch_tickets([WINNER], "v1", draw_date=MONDAY)
    arrive(DRAWN)

    assert score_draws([MONDAY]) == {"draws": 1, "scored": 1}
    before = BatchScore.objects.values().get()
    assert score_draws([MONDAY]) == {"draws": 1, "scored": 0}
    assert BatchScore.objects.values().get() == before
    assert score_draws([date(2025, 12, 20)]) == {"draws": 0, "scored": 0}


@pytest.mark.django_db(transaction=True)
def test_import_leads_to_scores_by_a_real_cluster(tmp_path: Path) -> None:
    insert_batch_tickets([WINNER, *some_tickets(200)], "v1", draw_date=MONDAY)
    call("import_draws")

    with cluster(clusters.DEFAULT, tmp_path / "log"):
        wait_until(lambda: Task.objects.exists(), 30, "the scoring")

    task = Task.objects.get()
    assert (task.success, task.cluster, task.result) == (True, "shiolplus", {"draws": 1, "scored": 1})
    score = BatchScore.objects.get()
    assert (score.tickets, score.tiers[2], score.prize_usd) == (201, 1, 50_000)


# By hand


@pytest.mark.django_db
def test_by_hand_all_due_draws_are_scored_with_a_table_and_a_summary_last(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "140")  # a wide terminal, in which no row is folded
    make_prediction("v2", MONDAY)
    BatchTicketGenerator(50, ["v2", "lstm"]).generate_batch("run-1", False, MONDAY)
    insert_batch_tickets([WINNER, ticket(1, 2, 4, 5, 6, 7)], "v1", draw_date=MONDAY)
    insert_batch_tickets([WINNER], "v1", draw_date=WEDNESDAY)
    arrive(DRAWN)

    out, _ = call("score_tickets")

    assert out == "All stored draws: 2 scored, 1 without tickets.\n"
    rows = [line.split() for line in capfd.readouterr().err.splitlines() if "2025-12-22" in line[:12]]
    v1 = TicketBatch.objects.get(mode="v1", draw_date=MONDAY).pk
    won = ["4+1:", "1,", "0+1:", "1"]
    assert ["2025-12-22", str(v1), "v1", "2", "$50,004", "$0.64", "$4", *won, "scored"] in rows
    assert [row[2] for row in rows] == ["v2", "lstm", "v1"]
    assert BatchScore.objects.count() == 2
    assert call("score_tickets")[0] == "All stored draws: no batches to score.\n"


@pytest.mark.django_db
def test_a_draw_that_is_named_is_scored_alone() -> None:
    insert_batch_tickets([WINNER], "v1", draw_date=MONDAY)
    insert_batch_tickets([WINNER], "v1", draw_date=WEDNESDAY)
    arrive(DRAWN)
    make_draw(WEDNESDAY)

    assert call("score_tickets", "--draw-date", "2025-12-22")[0] == "Draw of 2025-12-22: 1 scored.\n"
    assert call("score_tickets", "--draw-date", "2025-12-22")[0] == "Draw of 2025-12-22: 1 already scored.\n"
    assert BatchScore.objects.get().draw_date == MONDAY


@pytest.mark.django_db
@time_machine.travel(datetime(2026, 11, 24, 12, tzinfo=UTC), tick=False)
@pytest.mark.parametrize(
    ("day", "complaint"),
    [
        ("2025-12-23", "2025-12-23 is a Tuesday without a draw; draws at that time are on Mondays"),
        ("2015-01-03", "the draw of 2015-01-03 was of the 59/35 matrix; tickets are 69/26"),
        ("2026-11-25", "The draw of 2026-11-25 has not taken place yet."),
        ("2025-12-22", "The draw of 2025-12-22 is not stored. Run `manage.py import_draws`."),
    ],
)
def test_a_day_that_cannot_be_scored_is_named_with_what_is_allowed(day: str, complaint: str) -> None:
    with pytest.raises(CommandError) as failed:
        call("score_tickets", "--draw-date", day)

    assert str(failed.value).startswith(complaint)
    assert failed.value.returncode == 1


@pytest.mark.django_db
def test_a_stored_draw_without_batches_is_nothing_to_score_and_no_error() -> None:
    arrive(DRAWN)

    out, _ = call("score_tickets", "--draw-date", "2025-12-22")

    assert out == "Draw of 2025-12-22: no batches to score.\n"


@pytest.mark.django_db(transaction=True)
def test_unscorable_batch_exits_1_and_verbosity_0_prints_only_that() -> None:
    insert_batch_tickets([WINNER], "v1", draw_date=MONDAY)
    arrive(DRAWN)
    quiet = ("score_tickets", "-v", "0")
    good = manage(*quiet)
    assert (good.returncode, good.stdout, good.stderr) == (0, "", "")
    assert BatchScore.objects.count() == 1

    purge_batch(TicketBatch.objects.get())
    Draw.objects.update(powerball=8)
    bad = manage(*quiet)

    assert (bad.returncode, bad.stdout) == (1, "")
    assert bad.stderr.splitlines()[-1] == (
        "CommandError: All stored draws: 1 cannot be scored again: some of its tickets were purged."
    )
    assert BatchScore.objects.get().powerball == 7
    assert clear_old_batch_tickets() == 0
