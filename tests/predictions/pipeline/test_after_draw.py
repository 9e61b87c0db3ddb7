"""The pipeline after each draw, tick by tick, across daylight-saving changes."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Any

import pytest
import time_machine
from django_q.models import OrmQ

from predictions.draws import download
from predictions.models import Draw, PipelineRun
from predictions.pipeline.runner import accept_run
from predictions.pipeline.steps import STEPS, StepContext
from predictions.powerball import draw_instant, eastern_instant, next_draw
from predictions.tasks import run_pipeline_after_draw
from tests.factories import make_draw
from tests.feed_server import NY_CSV, Answer, FeedServer

pytestmark = pytest.mark.django_db

# Per night: the draw, its first check, the number of hourly checks, and the noon after it, in UTC.
NIGHTS = [
    (date(2026, 7, 11), "2026-07-12 03:30", 13, "2026-07-12 16:00"),  # summer
    (date(2026, 11, 23), "2026-11-24 04:30", 13, "2026-11-24 17:00"),  # winter
    (date(2026, 3, 7), "2026-03-08 04:30", 12, "2026-03-08 16:00"),  # a skipped hour
    (date(2026, 10, 31), "2026-11-01 03:30", 14, "2026-11-01 17:00"),  # a repeated hour
    (date(2027, 3, 13), "2027-03-14 04:30", 12, "2027-03-14 16:00"),
    (date(2027, 11, 6), "2027-11-07 03:30", 14, "2027-11-07 17:00"),
]
WINTER = NIGHTS[1]
NOTHING_NEW = Answer()


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def published(day: date) -> Answer:
    return Answer(body=f"{NY_CSV}{day:%m/%d/%Y},07 14 24 30 56 07,2\n".encode())


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Start a server in place of New York's: one response per request, the last one repeated."""
    servers: list[FeedServer] = []

    def start(*answers: Answer) -> FeedServer:
        server = FeedServer(*answers)
        server.__enter__()
        servers.append(server)
        monkeypatch.setitem(download.URLS, "ny", server.url)
        monkeypatch.setattr(download, "RETRIES", download.Retry(total=0))
        return server

    yield start
    for server in servers:
        server.__exit__()


def tick(instant: datetime) -> str | None:
    """Return the run id that a tick at this instant accepts."""
    with time_machine.travel(instant):
        return run_pipeline_after_draw()["pipeline_run_id"]


def night(first: str, noon: str) -> list[datetime]:
    """Return every half hour from just before the first check until two hours after noon."""
    start, end = utc(first) - timedelta(minutes=30), utc(noon) + timedelta(hours=2)
    return [start + index * timedelta(minutes=30) for index in range((end - start) // timedelta(minutes=30))]


@pytest.mark.parametrize(("day", "first", "checks", "noon"), NIGHTS)
def test_missing_draw_is_checked_hourly_and_the_run_starts_at_noon(
    day: date, first: str, checks: int, noon: str, serve: Any
) -> None:
    server = serve(NOTHING_NEW)
    checked, accepted = [], []

    for instant in night(first, noon):
        before = len(server.requests)
        if run_id := tick(instant):
            accepted.append((run_id, instant))
        if len(server.requests) > before:
            checked.append(instant)

    hourly = [utc(first) + timedelta(hours=hour) for hour in range(checks)]
    after = [utc(noon) + timedelta(minutes=minutes) for minutes in (30, 90)]  # the window ends at 14:00
    assert checked == [*hourly, utc(noon), *after]
    assert accepted == [(f"after-{day}", utc(noon))]


@pytest.mark.parametrize(("day", "first", "checks", "noon"), NIGHTS)
@pytest.mark.parametrize("check", [1, 12])
def test_the_look_that_finds_the_draw_accepts_the_run_and_is_the_last(
    day: date, first: str, checks: int, noon: str, check: int, serve: Any
) -> None:
    server = serve(*[NOTHING_NEW] * (check - 1), published(day))

    accepted = [(run_id, instant) for instant in night(first, noon) if (run_id := tick(instant))]

    assert accepted == [(f"after-{day}", utc(first) + timedelta(hours=check - 1))]
    assert len(server.requests) == check
    assert Draw.objects.filter(draw_date=day).exists()


# A draw published after noon

LATE = [  # when a draw is published and which check finds it, as days after the draw and Eastern time
    (0, time(23, 30), 0, time(23, 30)),
    (1, time(7), 1, time(7, 30)),
    (1, time(12, 1), 1, time(12, 30)),
    (1, time(15), 1, time(15, 30)),
    (1, time(23, 31), 2, time(5, 30)),
    (2, time(4, 59), 2, time(5, 30)),  # 30 hours after the draw
    (2, time(6), 2, time(11, 30)),
]


def ticks_until_the_next_draw(day: date) -> list[datetime]:
    """Return every half hour from a draw to the last tick before the first check for the next one."""
    first, following = eastern_instant(day, time(23)), next_draw(draw_instant(day) + timedelta(hours=1))
    span = eastern_instant(following, time(23, 30)) - first
    return [first + index * timedelta(minutes=30) for index in range(span // timedelta(minutes=30))]


@pytest.mark.parametrize("day", [night[0] for night in NIGHTS])
@pytest.mark.parametrize(("days", "published_at", "later", "found_at"), LATE)
def test_draw_is_found_by_the_first_check_after_publication(
    day: date, days: int, published_at: time, later: int, found_at: time, serve: Any
) -> None:
    server = serve(NOTHING_NEW)
    publication = eastern_instant(day + timedelta(days=days), published_at)
    found, checks_after = None, 0

    for instant in ticks_until_the_next_draw(day):
        if instant >= publication:
            server.answers = [published(day)]
        before = len(server.requests)
        tick(instant)
        checks_after += found is not None and len(server.requests) > before
        if found is None and Draw.objects.filter(draw_date=day).exists():
            found = instant

    assert found == eastern_instant(day + timedelta(days=later), found_at)
    assert checks_after == 0
    assert PipelineRun.objects.get().pipeline_run_id == f"after-{day}"


@pytest.mark.parametrize("day", [night[0] for night in NIGHTS])
def test_missing_draw_is_checked_until_the_next_draw(day: date, serve: Any) -> None:
    server = serve(NOTHING_NEW)
    checked = []

    for instant in ticks_until_the_next_draw(day):
        before = len(server.requests)
        tick(instant)
        checked += [instant] * (len(server.requests) - before)

    following = next_draw(draw_instant(day) + timedelta(hours=1))
    late = [
        eastern_instant(day + timedelta(days=days), time(hour, 30))
        for days in range(2, (following - day).days + 1)
        for hour in (5, 11, 17, 23)
    ]
    second_evening = eastern_instant(day + timedelta(days=1), time(23, 30))
    assert [check for check in checked if check > second_evening] == [
        check for check in late if check < draw_instant(following)
    ]
    hourly = {check - first for first, check in pairwise(checked) if check <= second_evening}
    assert hourly == {timedelta(minutes=30), timedelta(hours=1)}  # half an hour: before and after noon
    assert len(checked) == len(set(checked))


def test_a_late_draw_is_named_in_the_log_and_nothing_is_run_again(
    serve: Any, caplog: pytest.LogCaptureFixture
) -> None:
    day, _, _, noon = WINTER
    server = serve(NOTHING_NEW)
    tick(utc(noon))
    server.answers = [published(day)]

    with caplog.at_level("INFO", "predictions.pipeline.after_draw"):
        assert tick(utc("2026-11-24 20:30")) is None  # 15:30

    assert "The draw of 2026-11-23 arrived after its pipeline run; the next run learns from it" in caplog.text
    assert (PipelineRun.objects.count(), OrmQ.objects.count()) == (1, 1)


def test_late_draw_check_is_a_conditional_request(serve: Any) -> None:
    day, _, _, noon = WINTER
    make_draw(date(2026, 11, 21))
    body = f"{NY_CSV}11/21/2026,07 14 24 30 56 07,2\n".encode()
    server = serve(Answer(body=body, headers={"ETag": '"v1"'}), Answer(status=304))
    Draw.objects.all().delete()

    for instant in (utc(noon), utc("2026-11-24 17:30"), utc("2026-11-24 18:30")):
        tick(instant)

    assert [request.get("If-None-Match") for request in server.requests] == [None, '"v1"', '"v1"']
    assert not Draw.objects.filter(draw_date=day).exists()


@pytest.mark.parametrize("source", ["none", "bundled"])
def test_without_a_live_source_there_is_no_late_look(source: str, serve: Any, settings: Any) -> None:
    settings.DRAWS_SOURCE = source
    server = serve(NOTHING_NEW)

    for instant in ticks_until_the_next_draw(WINTER[0]):
        tick(instant)

    assert server.requests == []
    assert not Draw.objects.exists()


def test_the_run_is_for_the_next_draw_on_the_heavy_queue_and_accepted_once(serve: Any) -> None:
    day, first, _, _ = WINTER
    serve(published(day))

    assert [tick(utc(first)), tick(utc(first))] == ["after-2026-11-23", None]

    run = PipelineRun.objects.get()
    assert (run.source, run.draw_date, len(run.modes)) == ("ny", date(2026, 11, 25), 5)
    assert OrmQ.objects.get().key == "heavy"


def test_stored_draw_is_not_requested_again(serve: Any) -> None:
    day, first, _, _ = WINTER
    server = serve(NOTHING_NEW)
    make_draw(day)

    assert tick(utc(first)) == "after-2026-11-23"
    assert server.requests == []


def test_a_feed_out_of_reach_is_a_warning_and_the_next_tick_looks_again(
    serve: Any, caplog: pytest.LogCaptureFixture
) -> None:
    day, first, _, _ = WINTER
    serve(Answer(status=404), published(day))

    assert tick(utc(first)) is None
    assert "Could not check for the draw of 2026-11-23: " in caplog.text
    assert tick(utc(first) + timedelta(hours=1)) == "after-2026-11-23"


def test_run_without_the_draw_names_it_in_the_log(serve: Any, caplog: pytest.LogCaptureFixture) -> None:
    serve(NOTHING_NEW)

    tick(utc(WINTER[3]))

    (warning,) = [
        record.message for record in caplog.records if record.name == "predictions.pipeline.after_draw"
    ]
    assert warning == "The draw of 2026-11-23 is still not available; its pipeline runs without it"


@pytest.mark.parametrize("late", [timedelta(minutes=1), timedelta(hours=9), timedelta(days=1, hours=10)])
def test_missed_ticks_at_noon_are_made_up_by_the_next(late: timedelta, serve: Any) -> None:
    serve(NOTHING_NEW)

    assert tick(utc(WINTER[3]) + late) == "after-2026-11-23"


def test_entirely_missed_night_waits_for_the_next_draw(serve: Any) -> None:
    serve(NOTHING_NEW)

    assert tick(utc("2026-11-26 03:59")) is None  # the draw of the 25th has been held
    assert tick(utc("2026-11-26 17:00")) == "after-2026-11-25"


@pytest.mark.parametrize("source", ["none", "bundled"])
def test_without_a_source_to_wait_for_the_first_tick_is_the_one(
    source: str, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.DRAWS_SOURCE = source
    day, first, _, noon = WINTER

    accepted = [(run_id, instant) for instant in night(first, noon) if (run_id := tick(instant))]

    assert accepted == [(f"after-{day}", utc(first))]
    assert PipelineRun.objects.get().source == source
    assert "not available" not in caplog.text


# The data step of the run


def data_step(**values: Any) -> tuple[str, str]:
    """Return the status and the summary of a run's first step."""
    run, _ = accept_run(enqueue=False, **values)
    outcome = STEPS["data"](StepContext(run))
    return outcome.status, outcome.summary


@pytest.mark.usefixtures("real_draws")
def test_a_run_without_the_draw_before_it_is_a_warning_that_names_the_draw(serve: Any) -> None:
    serve(NOTHING_NEW)
    with time_machine.travel(utc("2025-12-25 17:00")):
        status, summary = data_step(source="ny")

    assert status == "warning"
    assert (
        "0 rejected, 0 in conflict; the draw of 2025-12-24 is not available yet; newest draw 2025-12-22"
        in (summary)
    )


@pytest.mark.usefixtures("real_draws")
@pytest.mark.parametrize(
    ("now", "values"),
    [
        ("2025-12-25 03:58", {"source": "ny"}),  # a minute before the draw of the 24th
        ("2025-12-25 17:00", {"source": "ny", "draw_date": date(2025, 12, 24)}),
        ("2025-12-23 17:00", {"source": "ny", "draw_date": date(2026, 1, 3)}),
    ],
)
def test_run_with_all_earlier_draws_has_no_warning(now: str, values: dict[str, Any], serve: Any) -> None:
    serve(NOTHING_NEW)
    with time_machine.travel(utc(now)):
        assert data_step(**values)[0] == "completed"


@pytest.mark.usefixtures("real_draws")
@pytest.mark.parametrize(("source", "status"), [("none", "skipped"), ("bundled", "completed")])
def test_a_source_that_is_not_live_is_never_late(source: str, status: str) -> None:
    with time_machine.travel(utc("2026-08-23 17:00")):  # the last bundled draw is of 2026-08-19
        assert data_step(source=source)[0] == status
