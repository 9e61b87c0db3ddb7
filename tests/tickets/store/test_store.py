"""insert_batch_tickets stores valid tickets and skips each invalid one with its reason."""

import json
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pytest
import time_machine

from predictions.models import Prediction
from tests.factories import WEDNESDAY, make_prediction, some_tickets, ticket
from tickets.generation.generator import BatchTicketGenerator
from tickets.generation.worker import run_batch
from tickets.models import GenerationRun, PreGeneratedTicket, TicketBatch
from tickets.store import insert_batch_tickets

SATURDAY = date(2026, 11, 28)
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)

FIRST, LAST = ticket(1, 2, 3, 4, 5, 6), ticket(65, 66, 67, 68, 69, 26)


def stored() -> list[tuple[int, ...]]:
    fields = ("n1", "n2", "n3", "n4", "n5", "powerball")
    return list(PreGeneratedTicket.objects.order_by("id").values_list(*fields))


@pytest.mark.django_db
@time_machine.travel(NOON, tick=False)
def test_valid_tickets_are_stored_for_the_next_draw_and_counted() -> None:
    full = ticket(2, 4, 12, 49, 60, 25, confidence=0.81, strategy="ai_guided", metadata="by hand")

    assert insert_batch_tickets([full, LAST], "v1", "pipe-1") == 2

    fields = ("mode", "pipeline_run_id", "n1", "n5", "powerball", "confidence_score", "strategy_used")
    rows = PreGeneratedTicket.objects.order_by("id").values_list(
        *fields, "metadata", "created_at", "draw_date"
    )
    assert list(rows) == [
        ("v1", "pipe-1", 2, 60, 25, 0.81, "ai_guided", "by hand", NOON, WEDNESDAY),
        ("v1", "pipe-1", 65, 69, 26, 0.5, "v1", None, NOON, WEDNESDAY),
    ]


@pytest.mark.django_db
@time_machine.travel(NOON, tick=False)
def test_inserted_tickets_belong_to_a_ready_batch_of_their_run() -> None:
    insert_batch_tickets(some_tickets(3), "lstm", "pipe-1", WEDNESDAY)

    run = GenerationRun.objects.get(pipeline_run_id="pipe-1")
    assert (run.origin, run.status, run.draw_date, run.finished_at) == (
        "inserted",
        "completed",
        WEDNESDAY,
        NOON,
    )
    batch = TicketBatch.objects.get()
    assert (batch.run, batch.mode, batch.draw_date) == (run, "lstm", WEDNESDAY)
    assert (batch.origin, batch.status, batch.prediction, batch.finished_at) == (
        "inserted",
        "ready",
        None,
        NOON,
    )
    assert (batch.requested, batch.generated, batch.stored) == (3, 3, 3)
    assert set(PreGeneratedTicket.objects.values_list("batch", flat=True)) == {batch.pk}


@pytest.mark.django_db
def test_the_same_run_id_again_adds_to_the_same_batch() -> None:
    insert_batch_tickets(some_tickets(3), "lstm", "pipe-1", WEDNESDAY)
    insert_batch_tickets(some_tickets(2, powerball=2), "lstm", "pipe-1", WEDNESDAY)

    batch = TicketBatch.objects.get()
    assert (batch.requested, batch.generated, batch.stored) == (5, 5, 5)


@pytest.mark.django_db
def test_each_mode_and_draw_of_a_run_has_a_separate_batch() -> None:
    insert_batch_tickets(some_tickets(1), "lstm", "pipe-1", WEDNESDAY)
    insert_batch_tickets(some_tickets(2, powerball=2), "v2", "pipe-1", WEDNESDAY)
    insert_batch_tickets(some_tickets(3), "lstm", "pipe-1", SATURDAY)

    assert GenerationRun.objects.count() == 1
    batches = TicketBatch.objects.order_by("id").values_list("mode", "draw_date", "stored")
    assert list(batches) == [("lstm", WEDNESDAY, 1), ("v2", WEDNESDAY, 2), ("lstm", SATURDAY, 3)]


@pytest.mark.django_db
def test_each_call_without_run_id_is_a_separate_run() -> None:
    insert_batch_tickets(some_tickets(1), "v1", draw_date=WEDNESDAY)
    insert_batch_tickets(some_tickets(1, powerball=2), "v1", draw_date=WEDNESDAY)

    ids = set(PreGeneratedTicket.objects.values_list("pipeline_run_id", flat=True))
    assert len(ids) == 2
    assert all(run_id.startswith("manual-") for run_id in ids)


INVALID: dict[str, tuple[Any, str]] = {
    "not a dict": ([1, 2, 3, 4, 5], "it is list, not a dict"),
    "nothing": (None, "it is NoneType, not a dict"),
    "no white balls": ({"powerball": 3}, "it has no white_balls"),
    "no powerball": ({"white_balls": [1, 2, 3, 4, 9]}, "it has no powerball"),
    "an empty dict": ({}, "it has no white_balls and no powerball"),
    "four balls": ({"white_balls": [1, 2, 3, 4], "powerball": 3}, "white_balls has 4 numbers, not 5"),
    "six balls": ({"white_balls": [1, 2, 3, 4, 5, 6], "powerball": 3}, "white_balls has 6 numbers, not 5"),
    "unsorted": (ticket(1, 3, 2, 4, 5, 3), "not ascending: 3 is before 2"),
    "repeated": (ticket(1, 2, 2, 4, 5, 3), "white ball 2 is repeated"),
    "white ball too low": (ticket(0, 2, 3, 4, 5, 3), "white ball 0 is not in 1 to 69"),
    "white ball too high": (ticket(1, 2, 3, 4, 70, 3), "white ball 70 is not in 1 to 69"),
    "a huge white ball": (ticket(1, 2, 3, 4, 10**5000, 3), ""),
    "powerball too low": (ticket(1, 2, 3, 4, 9, 0), "powerball 0 is not in 1 to 26"),
    "powerball too high": (ticket(1, 2, 3, 4, 9, 27), "powerball 27 is not in 1 to 26"),
    "a white float": (ticket(1, 2, 3.0, 4, 9, 3), "white ball 3.0 is not an integer"),  # type: ignore[arg-type]
    "a float powerball": (ticket(1, 2, 3, 4, 9, 3.0), "powerball 3.0 is not an integer"),  # type: ignore[arg-type]
    "a white text": (ticket(1, 2, "3", 4, 9, 3), "white ball '3' is not an integer"),  # type: ignore[arg-type]
    "a text powerball": (ticket(1, 2, 3, 4, 9, "3"), "powerball '3' is not an integer"),  # type: ignore[arg-type]
    "a white bool": (ticket(True, 2, 3, 4, 9, 3), "white ball True is not an integer"),
    "a bool powerball": (ticket(1, 2, 3, 4, 9, True), "powerball True is not an integer"),
    "a NumPy bool": (ticket(1, 2, 3, 4, 9, np.True_), "is not an integer"),  # type: ignore[arg-type]
    "NumPy floats": ({"white_balls": np.arange(1.0, 6.0), "powerball": 3}, "is not an integer"),
    "no powerball inside": (ticket(1, 2, 3, 4, 9, None), "powerball None is not an integer"),  # type: ignore[arg-type]
    "a set": ({"white_balls": {1, 2, 3, 4, 9}, "powerball": 3}, "not a list of 5 integers"),
    "a dict of balls": ({"white_balls": dict.fromkeys(range(1, 6)), "powerball": 3}, "not a list of 5"),
    "a text of balls": ({"white_balls": "12345", "powerball": 3}, "white_balls is '12345', not a list"),
    "a 2-D array": ({"white_balls": np.arange(1, 6).reshape(1, 5), "powerball": 3}, "not a list of 5"),
    "a 2-D list": ({"white_balls": [[1, 2, 3, 4, 5]], "powerball": 3}, "white_balls "),
    "a ragged list": ({"white_balls": [1, [2, 3], 4, 5, 6], "powerball": 3}, ""),
    "confidence NaN": (
        ticket(1, 2, 3, 4, 9, 3, confidence=float("nan")),
        "confidence nan is not between 0 and 1",
    ),
    "confidence inf": (
        ticket(1, 2, 3, 4, 9, 3, confidence=float("inf")),
        "confidence inf is not between 0 and 1",
    ),
    "confidence low": (ticket(1, 2, 3, 4, 9, 3, confidence=-0.01), "confidence -0.01 is not between 0 and 1"),
    "confidence high": (ticket(1, 2, 3, 4, 9, 3, confidence=1.01), "confidence 1.01 is not between 0 and 1"),
    "confidence huge": (ticket(1, 2, 3, 4, 9, 3, confidence=10**400), "is not between 0 and 1"),
    "confidence a text": (ticket(1, 2, 3, 4, 9, 3, confidence="0.5"), "confidence '0.5' is not a number"),
    "confidence a bool": (ticket(1, 2, 3, 4, 9, 3, confidence=True), "confidence True is not a number"),
    "confidence nothing": (ticket(1, 2, 3, 4, 9, 3, confidence=None), "confidence None is not a number"),
    "strategy a number": (ticket(1, 2, 3, 4, 9, 3, strategy=5), "strategy 5 is not text"),
    "strategy nothing": (ticket(1, 2, 3, 4, 9, 3, strategy=None), "strategy None is not text"),
    "strategy with NUL": (ticket(1, 2, 3, 4, 9, 3, strategy="a\0b"), "contains characters that cannot be"),
    "strategy half a pair": (
        ticket(1, 2, 3, 4, 9, 3, strategy="\ud800"),
        "contains characters that cannot be",
    ),
    "metadata with NUL": (ticket(1, 2, 3, 4, 9, 3, metadata="a\0b"), "'a\\x00b' contains characters"),
    "metadata not JSON": (ticket(1, 2, 3, 4, 9, 3, metadata={1, 2}), "metadata is neither text nor JSON"),
}


@pytest.mark.django_db
@pytest.mark.parametrize(("bad", "reason"), INVALID.values(), ids=INVALID)
def test_invalid_ticket_is_skipped_and_the_others_are_stored(
    bad: Any, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert insert_batch_tickets([FIRST, bad, LAST], "v1", "pipe-1", WEDNESDAY) == 2

    assert stored() == [(1, 2, 3, 4, 5, 6), (65, 66, 67, 68, 69, 26)]
    (message,) = [record.getMessage() for record in caplog.records]
    assert message.startswith("Skipping ticket 1 of v1: ")
    assert reason in message


@pytest.mark.django_db
def test_call_without_a_valid_ticket_creates_no_batch() -> None:
    assert insert_batch_tickets([ticket(5, 4, 3, 2, 1, 1)], "v1", "pipe-1", WEDNESDAY) == 0
    assert insert_batch_tickets([], "v1", "pipe-1", WEDNESDAY) == 0

    assert not TicketBatch.objects.exists()
    assert not GenerationRun.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("tickets", ["12345", b"12345", FIRST, 5, None])
def test_tickets_that_are_no_list_are_an_error(tickets: Any) -> None:
    with pytest.raises(ValueError, match=r"tickets must be a list of dicts, not "):
        insert_batch_tickets(tickets, "v1", "pipe-1", WEDNESDAY)
    assert not GenerationRun.objects.exists()


@pytest.mark.django_db
def test_tickets_may_come_one_by_one() -> None:
    assert insert_batch_tickets((ticket for ticket in [FIRST, LAST]), "v1", "pipe-1", WEDNESDAY) == 2


@pytest.mark.django_db
def test_numpy_numbers_are_numbers_and_are_stored_plain() -> None:
    balls = np.array([3, 9, 27, 50, 69], dtype=np.uint8)
    tickets = [
        {"white_balls": balls, "powerball": np.int32(26), "confidence": np.float64(0.25)},
        {"white_balls": tuple(map(np.int64, (1, 2, 3, 4, 5))), "powerball": 1, "confidence": np.float32(1)},
        {"white_balls": [1, 2, 3, 4, 6], "powerball": np.int64(1), "confidence": 0},
    ]

    assert insert_batch_tickets(tickets, "v2", "pipe-1", WEDNESDAY) == 3

    assert stored() == [(3, 9, 27, 50, 69, 26), (1, 2, 3, 4, 5, 1), (1, 2, 3, 4, 6, 1)]
    row = PreGeneratedTicket.objects.order_by("id").values_list("n1", "powerball", "confidence_score")[0]
    assert [type(value) for value in row] == [int, int, float]
    confidences = PreGeneratedTicket.objects.order_by("id").values_list("confidence_score", flat=True)
    assert list(confidences) == [0.25, 1.0, 0.0]


@pytest.mark.django_db
def test_metadata_that_is_not_text_is_stored_as_json() -> None:
    insert_batch_tickets([FIRST | {"metadata": {"note": "é", "n": [1, 2]}}], "v2", "pipe-1", WEDNESDAY)

    assert json.loads(PreGeneratedTicket.objects.get().metadata or "") == {"note": "é", "n": [1, 2]}


@pytest.mark.django_db
@pytest.mark.parametrize("mode", ["bogus", "", "V1", None, ["v1"]])
def test_an_unknown_mode_is_an_error_that_names_the_allowed(mode: Any) -> None:
    with pytest.raises(ValueError, match="allowed are random_forest, lstm, v1, v2, hybrid"):
        insert_batch_tickets([FIRST], mode, "pipe-1", WEDNESDAY)
    assert not PreGeneratedTicket.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("run_id", ["", "x" * 65, "nul\0", 5, b"pipe", "half \ud800"])
def test_a_bad_run_id_is_an_error_and_nothing_is_stored(run_id: Any) -> None:
    with pytest.raises(ValueError, match=r"pipeline_run_id .*: allowed is a text of 1 to 64 characters"):
        insert_batch_tickets([FIRST], "v1", run_id, WEDNESDAY)
    assert not GenerationRun.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("run_id", ["x", "x" * 64, "é/ 日"])
def test_a_run_id_is_any_text_of_1_to_64_characters(run_id: str) -> None:
    assert insert_batch_tickets([FIRST], "v1", run_id, WEDNESDAY) == 1
    assert PreGeneratedTicket.objects.get().pipeline_run_id == run_id


@pytest.mark.django_db
@pytest.mark.parametrize("day", [date(2026, 11, 24), date(2021, 8, 16), date(1999, 1, 2)])
def test_a_day_without_a_draw_is_an_error(day: date) -> None:
    with pytest.raises(ValueError, match=r"without a draw|before the first supported matrix"):
        insert_batch_tickets([FIRST], "v1", "pipe-1", day)
    assert not GenerationRun.objects.exists()


@pytest.mark.django_db
def test_a_ticket_twice_in_a_call_is_stored_once_logged_and_not_counted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert insert_batch_tickets([FIRST, LAST, FIRST], "v1", "pipe-1", WEDNESDAY) == 2

    assert stored() == [(1, 2, 3, 4, 5, 6), (65, 66, 67, 68, 69, 26)]
    messages = [record.getMessage() for record in caplog.records]
    assert messages == ["Skipping ticket 1 2 3 4 5 +6: it already exists for 2026-11-25"]
    batch = TicketBatch.objects.get()
    assert (batch.requested, batch.generated, batch.stored) == (2, 2, 2)


@pytest.mark.django_db
@pytest.mark.parametrize("mode", ["v1", "lstm"])
def test_ticket_that_exists_for_the_draw_is_skipped(mode: str, caplog: pytest.LogCaptureFixture) -> None:
    insert_batch_tickets([FIRST], "v1", "pipe-1", WEDNESDAY)

    assert insert_batch_tickets([LAST, FIRST], mode, "pipe-2", WEDNESDAY) == 1

    assert "Skipping ticket 1 2 3 4 5 +6: it already exists for 2026-11-25" in caplog.text
    assert TicketBatch.objects.get(run__pipeline_run_id="pipe-2").stored == 1
    assert PreGeneratedTicket.objects.get(n1=1).mode == "v1"


@pytest.mark.django_db
def test_the_same_numbers_for_another_draw_are_another_ticket(caplog: pytest.LogCaptureFixture) -> None:
    insert_batch_tickets([FIRST], "v1", "pipe-1", WEDNESDAY)

    assert insert_batch_tickets([FIRST], "v1", "pipe-1", SATURDAY) == 1
    assert insert_batch_tickets([FIRST | {"powerball": 7}], "v1", "pipe-1", WEDNESDAY) == 1
    assert not caplog.records


@pytest.mark.django_db
def test_tickets_handed_in_do_not_decide_how_their_run_ends() -> None:
    make_prediction()
    BatchTicketGenerator(5, ["random_forest"]).generate_batch("pipe-1", draw_date=WEDNESDAY)
    Prediction.objects.update(components=[])
    insert_batch_tickets([FIRST], "v1", "pipe-1", WEDNESDAY)

    run_batch(TicketBatch.objects.get(origin="generated").pk)

    assert GenerationRun.objects.get().status == "failed"
