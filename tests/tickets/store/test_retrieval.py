"""get_cached_tickets and get_batch_ticket_stats return exactly what the API shows."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from predictions.models import Draw
from predictions.modes.registry import MODE_NAMES
from tests.factories import WEDNESDAY, make_prediction, some_tickets, ticket
from tickets.generation.generator import BatchTicketGenerator
from tickets.models import GenerationRun, TicketBatch
from tickets.store import get_batch_ticket_stats, get_cached_tickets, insert_batch_tickets, purge_batch

SATURDAY = date(2026, 11, 28)
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
LAST_DRAW = date(2025, 12, 22)  # 3 18 36 41 54 +7
NOTHING = dict.fromkeys(MODE_NAMES, 0)


def white_balls(tickets: list[dict[str, Any]]) -> list[list[int]]:
    return [ticket["white_balls"] for ticket in tickets]


# get_cached_tickets


@pytest.mark.django_db
@time_machine.travel("2026-11-24T04:05:06Z", tick=False)
def test_a_cached_ticket_has_exactly_the_keys_of_the_api() -> None:
    insert_batch_tickets([ticket(2, 4, 12, 49, 60, 25, confidence=0.81)], "random_forest", "pipe-1")

    assert get_cached_tickets("random_forest") == [
        {
            "white_balls": [2, 4, 12, 49, 60],
            "powerball": 25,
            "confidence": 0.81,
            "strategy": "random_forest",
            "cached": True,
            "created_at": "2026-11-24T04:05:06Z",
            "draw_date": "2026-11-25",
            "pipeline_run_id": "pipe-1",
            "result": None,
        }
    ]


@pytest.mark.django_db
def test_the_newest_come_first_and_among_equal_times_the_last_stored() -> None:
    for hour, powerball in ((1, 5), (3, 6), (2, 7)):  # not stored in order of time
        with time_machine.travel(NOON + timedelta(hours=hour), tick=False):
            insert_batch_tickets(some_tickets(2, powerball), "v1", draw_date=WEDNESDAY)

    tickets = get_cached_tickets("v1", draw_date=WEDNESDAY)

    first, second = [1, 2, 3, 4, 5], [1, 2, 3, 4, 6]
    assert [(ticket["powerball"], ticket["white_balls"]) for ticket in tickets] == [
        (6, second),
        (6, first),
        (7, second),
        (7, first),
        (5, second),
        (5, first),
    ]


@pytest.mark.django_db
def test_limit_is_respected_and_defaults_to_ten() -> None:
    insert_batch_tickets(some_tickets(12), "v1", draw_date=WEDNESDAY)

    assert [len(get_cached_tickets("v1", limit, WEDNESDAY)) for limit in (1, 11, 12, 13)] == [1, 11, 12, 12]
    assert len(get_cached_tickets("v1", draw_date=WEDNESDAY)) == 10


@pytest.mark.django_db
def test_only_the_named_mode_and_draw_are_given() -> None:
    insert_batch_tickets([ticket(1, 2, 3, 4, 5, 6)], "v1", draw_date=WEDNESDAY)
    insert_batch_tickets([ticket(1, 2, 3, 4, 7, 6)], "v1", draw_date=SATURDAY)
    insert_batch_tickets([ticket(1, 2, 3, 4, 8, 6)], "v2", draw_date=WEDNESDAY)

    assert white_balls(get_cached_tickets("v1", 10, WEDNESDAY)) == [[1, 2, 3, 4, 5]]
    assert white_balls(get_cached_tickets("v1", 10, SATURDAY)) == [[1, 2, 3, 4, 7]]
    assert white_balls(get_cached_tickets("v2", 10, WEDNESDAY)) == [[1, 2, 3, 4, 8]]
    assert get_cached_tickets("hybrid", 10, WEDNESDAY) == []


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("now", "day"),
    [
        ("2026-11-24T12:00:00Z", "2026-11-25"),
        ("2026-11-26T03:58:59Z", "2026-11-25"),  # a second before 22:59 in New York
        ("2026-11-26T03:59:00Z", "2026-11-28"),  # the instant of the draw
        ("2026-11-29T03:59:00Z", "2026-11-30"),
    ],
)
def test_the_default_is_the_next_draw_by_the_clock(now: str, day: str) -> None:
    for draw_date in (WEDNESDAY, SATURDAY, date(2026, 11, 30)):
        insert_batch_tickets(some_tickets(1), "v1", draw_date=draw_date)

    with time_machine.travel(now, tick=False):
        assert [ticket["draw_date"] for ticket in get_cached_tickets("v1")] == [day]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("numbers", "result"),
    [
        ((3, 18, 36, 41, 54, 7), {"white_matches": 5, "powerball_match": True, "prize_usd": "jackpot"}),
        ((3, 18, 36, 41, 54, 8), {"white_matches": 5, "powerball_match": False, "prize_usd": 1_000_000}),
        ((3, 18, 36, 41, 55, 7), {"white_matches": 4, "powerball_match": True, "prize_usd": 50_000}),
        ((3, 18, 36, 42, 55, 8), {"white_matches": 3, "powerball_match": False, "prize_usd": 7}),
        ((3, 18, 37, 42, 55, 8), {"white_matches": 2, "powerball_match": False, "prize_usd": 0}),
        ((1, 2, 4, 5, 6, 7), {"white_matches": 0, "powerball_match": True, "prize_usd": 4}),
    ],
)
def test_a_ticket_for_a_known_draw_shows_its_result(
    numbers: tuple[int, int, int, int, int, int], result: dict[str, Any]
) -> None:
    Draw.objects.create(
        draw_date=LAST_DRAW, n1=3, n2=18, n3=36, n4=41, n5=54, powerball=7, multiplier=2, source="bundled"
    )
    insert_batch_tickets([ticket(*numbers)], "v1", draw_date=LAST_DRAW)

    assert [ticket["result"] for ticket in get_cached_tickets("v1", draw_date=LAST_DRAW)] == [result]


@pytest.mark.django_db
def test_a_past_draw_that_is_not_stored_gives_no_result() -> None:
    insert_batch_tickets(some_tickets(1), "v1", draw_date=LAST_DRAW)

    assert get_cached_tickets("v1", draw_date=LAST_DRAW)[0]["result"] is None


@pytest.mark.django_db
@pytest.mark.parametrize("limit", [0, -1, True, 2.0, "5", None])
def test_a_bad_limit_is_an_error(limit: Any) -> None:
    with pytest.raises(ValueError, match=r"limit must be an integer of at least 1, not "):
        get_cached_tickets("v1", limit, WEDNESDAY)


@pytest.mark.django_db
@pytest.mark.parametrize("mode", ["bogus", "", None, ["v1"]])
def test_an_unknown_mode_is_an_error_that_names_the_allowed(mode: Any) -> None:
    with pytest.raises(ValueError, match="allowed are random_forest, lstm, v1, v2, hybrid"):
        get_cached_tickets(mode, 10, WEDNESDAY)


# get_batch_ticket_stats


@pytest.mark.django_db
def test_an_empty_table_gives_zeros_and_nulls() -> None:
    assert get_batch_ticket_stats() == {
        "total_tickets": 0,
        "by_mode": {"random_forest": 0, "lstm": 0, "v1": 0, "v2": 0, "hybrid": 0},
        "available_by_mode": {"random_forest": 0, "lstm": 0, "v1": 0, "v2": 0, "hybrid": 0},
        "oldest_ticket": None,
        "newest_ticket": None,
        "last_run": None,
    }


@pytest.mark.django_db
@time_machine.travel(NOON, tick=False)
def test_statistics_count_all_and_available_tickets_per_mode() -> None:
    insert_batch_tickets(some_tickets(3), "v1", draw_date=WEDNESDAY)
    with time_machine.travel(NOON - timedelta(days=1), tick=False):
        insert_batch_tickets(some_tickets(2), "v1", draw_date=SATURDAY)
    insert_batch_tickets(some_tickets(4), "hybrid", draw_date=LAST_DRAW)

    assert get_batch_ticket_stats() == {
        "total_tickets": 9,
        "by_mode": NOTHING | {"v1": 5, "hybrid": 4},
        "available_by_mode": NOTHING | {"v1": 3},
        "oldest_ticket": "2026-11-23T12:00:00Z",
        "newest_ticket": "2026-11-24T12:00:00Z",
        "last_run": None,  # inserted tickets have no generation run
    }


@pytest.mark.django_db
@time_machine.travel(NOON, tick=False)
def test_tickets_are_counted_per_mode() -> None:
    for count, mode in enumerate(MODE_NAMES, start=1):
        insert_batch_tickets(some_tickets(count, powerball=count), mode)

    stats = get_batch_ticket_stats()
    assert stats["by_mode"] == {"random_forest": 1, "lstm": 2, "v1": 3, "v2": 4, "hybrid": 5}
    assert stats["available_by_mode"] == stats["by_mode"]


@pytest.mark.django_db
@time_machine.travel(NOON, tick=False)
def test_the_last_run_is_the_newest_one_that_generates() -> None:
    make_prediction()
    BatchTicketGenerator(5, ["random_forest"]).generate_batch("first", async_mode=False)
    BatchTicketGenerator(5, ["random_forest", "lstm"]).generate_batch("second", async_mode=False)
    insert_batch_tickets(some_tickets(1), "v1", "third")

    assert get_batch_ticket_stats()["last_run"] == {
        "generation_run_id": GenerationRun.objects.get(pipeline_run_id="second").pk,
        "pipeline_run_id": "second",
        "status": "partial",
        "finished_at": "2026-11-24T12:00:00Z",
    }


@pytest.mark.django_db
@time_machine.travel(NOON, tick=False)
def test_a_run_that_has_not_ended_has_no_end() -> None:
    make_prediction()
    BatchTicketGenerator(5, ["random_forest"]).generate_batch("waiting")

    last_run = get_batch_ticket_stats()["last_run"]
    assert (last_run["status"], last_run["finished_at"]) == ("running", None)


@pytest.mark.django_db
@time_machine.travel(NOON, tick=False)
def test_after_a_purge_the_stats_are_those_of_an_empty_table() -> None:
    insert_batch_tickets(some_tickets(3), "v1")
    purge_batch(TicketBatch.objects.get())

    stats = get_batch_ticket_stats()
    assert (stats["total_tickets"], stats["by_mode"]) == (0, NOTHING)
    assert (stats["oldest_ticket"], stats["newest_ticket"]) == (None, None)


@pytest.mark.django_db
@time_machine.travel(NOON, tick=False)
def test_the_stats_never_count_the_tickets() -> None:
    insert_batch_tickets(some_tickets(3), "v1")

    with CaptureQueriesContext(
        connection,
    ) as queries:
        get_batch_ticket_stats()

    ticket_queries = [query["sql"] for query in queries if "pre_generated_tickets" in query["sql"]]
    assert len(ticket_queries) == 2
    assert all("LIMIT 1" in sql and "COUNT" not in sql.upper() for sql in ticket_queries)
