"""Imports into the database: accepted, rejected and conflicting rows, and queries on the stored draws."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.test import TestCase

from predictions.draws import feeds
from predictions.draws.bundled import BUNDLED_DRAWS, DEVELOPMENT_END, read_bundled_draws
from predictions.draws.feeds import FeedError, FeedRow, ParsedDraw
from predictions.draws.importer import ImportReport, RejectedRow
from predictions.draws.sources import (
    freshness_text,
    import_file,
    import_rows,
    import_source,
    import_url,
    load_draw_history,
    missing_draws,
    newest_draw_date,
    upcoming_draw,
)
from predictions.models import Draw, Feed
from predictions.powerball import CURRENT_ERA, scheduled_draws
from predictions.signals import draws_stored
from tests.feed_server import Answer, FeedServer

pytestmark = pytest.mark.django_db

NOVEMBER = ParsedDraw(date(2022, 11, 9), (7, 14, 24, 30, 56), 7, 2)
TEXAS_LATE_DRAW = (
    "Powerball,11,7,2022,56,41,33,47,10,10,2\n"  # published the next morning; missing in New York
)


def rows_of(*draws: ParsedDraw) -> list[FeedRow]:
    return [FeedRow(line, draw) for line, draw in enumerate(draws, start=2)]


def changed(draw: ParsedDraw, **values: Any) -> ParsedDraw:
    return ParsedDraw(**(vars(draw) | values))


def stored(day: date) -> tuple[list[int], int, int | None, str]:
    draw = Draw.objects.get(draw_date=day)
    return draw.white_balls, draw.powerball, draw.multiplier, draw.source


def counts(report: ImportReport) -> tuple[int, int, int, int, int]:
    return report.new, report.changed, report.unchanged, len(report.rejected), len(report.conflicts)


# The bundle


def test_the_bundle_brings_1_988_draws_once() -> None:
    assert counts(import_source("bundled")) == (1988, 0, 0, 0, 0)
    assert counts(import_source("bundled")) == (0, 0, 1988, 0, 0)
    assert Draw.objects.count() == BUNDLED_DRAWS == 1988
    assert Draw.objects.filter(multiplier=None).count() == 210


def test_the_bundled_draws_of_the_current_era_have_no_gap() -> None:
    import_source("bundled")
    stored_days = Draw.objects.filter(draw_date__gte=CURRENT_ERA.since).order_by("draw_date")
    expected = list(scheduled_draws(date(2015, 10, 7), date(2026, 8, 19)))
    assert list(stored_days.values_list("draw_date", flat=True)) == expected
    assert newest_draw_date() == date(2026, 8, 19)
    assert missing_draws() == []


def test_103_bundled_draws_follow_the_development_data() -> None:
    import_source("bundled")
    assert date(2025, 12, 22) == DEVELOPMENT_END
    assert Draw.objects.filter(draw_date__gt=DEVELOPMENT_END).count() == 103


def test_no_draw_is_in_two_bundled_files() -> None:
    days = [row.draw.draw_date for row in read_bundled_draws() if row.draw]
    assert len(days) == len(set(days)) == 1988


def test_the_six_draws_that_new_york_lacks_are_named(real_draws: None) -> None:
    assert missing_draws() == [
        date(2014, 6, 28),
        date(2017, 6, 10),
        date(2021, 4, 28),
        date(2022, 3, 12),
        date(2022, 4, 9),
        date(2022, 11, 7),
    ]


def test_texas_fills_a_gap_of_the_bundle_and_confirms_its_neighbour(real_draws: None, tmp_path: Path) -> None:
    file = tmp_path / "powerball.csv"
    file.write_text(TEXAS_LATE_DRAW + "Powerball,11,9,2022,24,7,56,30,14,7,2\n")
    assert counts(import_file(file)) == (1, 0, 1, 0, 0)
    assert stored(date(2022, 11, 7)) == ([10, 33, 41, 47, 56], 10, 2, "powerball.csv")
    assert date(2022, 11, 7) not in missing_draws()


# Reports


def test_every_row_read_has_exactly_one_outcome(real_draws: None) -> None:
    Draw.objects.filter(draw_date=date(2022, 11, 5)).update(multiplier=None)
    report = import_rows(
        [
            FeedRow(1, None, "not a date"),
            FeedRow(2, ParsedDraw(date(2022, 11, 7), (10, 33, 41, 47, 56), 10, 2)),  # new
            FeedRow(3, ParsedDraw(date(2022, 11, 5), (28, 45, 53, 56, 69), 20, 3)),  # adds a multiplier
            FeedRow(4, NOVEMBER),
            FeedRow(5, changed(NOVEMBER, multiplier=None)),  # without multiplier
            FeedRow(6, ParsedDraw(date(2022, 11, 2), (2, 11, 22, 35, 60), 24, 2)),  # stored: Powerball 23
        ],
        "test",
    )
    assert counts(report) == (1, 1, 2, 1, 1)
    assert report.read == 6
    assert report.is_incomplete
    assert report.summary() == "test: 6 read, 1 new, 1 changed, 2 unchanged, 1 rejected, 1 in conflict"


def test_a_bad_row_is_reported_by_line_and_does_not_stop_the_good_ones() -> None:
    report = import_rows([FeedRow(2, None, "not a date"), FeedRow(3, NOVEMBER)], "test")
    assert report.rejected == [RejectedRow(2, "not a date")]
    assert stored(NOVEMBER.draw_date) == ([7, 14, 24, 30, 56], 7, 2, "test")


def test_a_dry_run_reports_the_same_and_stores_nothing(real_draws: None) -> None:
    before = list(Draw.objects.values())
    rows = rows_of(changed(NOVEMBER, powerball=8), ParsedDraw(date(2022, 11, 7), (10, 33, 41, 47, 56), 10, 2))
    report = import_rows(rows, "test", overwrite=True, dry_run=True)
    assert counts(report) == (1, 1, 0, 0, 0)
    assert report.summary().endswith("(dry run: nothing was stored)")
    assert list(Draw.objects.values()) == before


# The signal draws_stored


@pytest.fixture
def notified() -> Iterator[list[list[date]]]:
    """Collect, per `draws_stored` signal, those of its dates that are stored at that time."""
    heard: list[list[date]] = []

    def listen(sender: type[Draw], dates: list[date], **kwargs: Any) -> None:
        known = Draw.objects.filter(draw_date__in=dates).order_by("draw_date")
        heard.append(list(known.values_list("draw_date", flat=True)))

    draws_stored.connect(listen)
    yield heard
    draws_stored.disconnect(listen)


def import_and_commit(*draws: ParsedDraw, **options: bool) -> None:
    with TestCase.captureOnCommitCallbacks(execute=True):
        import_rows(rows_of(*draws), "test", **options)


def test_new_and_changed_draws_are_signalled_once_after_the_commit(notified: list[list[date]]) -> None:
    older = ParsedDraw(date(2022, 11, 5), (28, 45, 53, 56, 69), 20, 3)
    import_and_commit(NOVEMBER, older)
    assert notified == [[older.draw_date, NOVEMBER.draw_date]]

    import_and_commit(changed(NOVEMBER, powerball=8), older, overwrite=True)
    assert notified[1:] == [[NOVEMBER.draw_date]]


def test_nothing_is_signalled_before_a_commit_or_after_a_rollback(notified: list[list[date]]) -> None:
    with TestCase.captureOnCommitCallbacks(execute=True), transaction.atomic():
        import_rows(rows_of(NOVEMBER), "test")
        assert notified == []
        transaction.set_rollback(True)

    assert notified == []
    assert not Draw.objects.exists()


def test_unchanged_draws_dry_runs_and_conflicts_are_not_signalled(notified: list[list[date]]) -> None:
    import_and_commit(NOVEMBER, dry_run=True)
    assert notified == []

    import_and_commit(NOVEMBER)
    import_and_commit(NOVEMBER)
    import_and_commit(changed(NOVEMBER, powerball=8))
    assert notified == [[NOVEMBER.draw_date]]


def test_failing_receiver_is_logged_and_the_import_succeeds(caplog: pytest.LogCaptureFixture) -> None:
    def fail(**kwargs: Any) -> None:
        raise RuntimeError("the listener broke")

    draws_stored.connect(fail)
    try:
        import_and_commit(NOVEMBER)
    finally:
        draws_stored.disconnect(fail)

    assert Draw.objects.count() == 1
    assert "fail failed on 1 stored draws" in caplog.text
    assert "the listener broke" in caplog.text


# Conflicts


def test_a_draw_that_contradicts_the_stored_one_is_reported_and_not_stored() -> None:
    import_rows(rows_of(NOVEMBER), "first")
    report = import_rows(rows_of(changed(NOVEMBER, powerball=8)), "second")
    assert report.conflicts == [
        RejectedRow(
            2,
            "stored: 2022-11-09: 7 14 24 30 56 +7 multiplier 2; "
            "incoming: 2022-11-09: 7 14 24 30 56 +8 multiplier 2",
        )
    ]
    assert stored(NOVEMBER.draw_date) == ([7, 14, 24, 30, 56], 7, 2, "first")


def test_another_multiplier_is_a_conflict_too() -> None:
    import_rows(rows_of(NOVEMBER), "first")
    assert counts(import_rows(rows_of(changed(NOVEMBER, multiplier=3)), "second")) == (0, 0, 0, 0, 1)


def test_overwrite_stores_the_contradicting_draw_and_its_source() -> None:
    import_rows(rows_of(NOVEMBER), "first")
    report = import_rows(
        rows_of(changed(NOVEMBER, white_balls=(7, 14, 24, 30, 57), multiplier=None)), "second", overwrite=True
    )
    assert counts(report) == (0, 1, 0, 0, 0)
    assert stored(NOVEMBER.draw_date) == ([7, 14, 24, 30, 57], 7, 2, "second")


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_feed_s_second_word_on_a_date_is_rejected_even_when_overwriting(overwrite: bool) -> None:
    rows = rows_of(NOVEMBER, changed(NOVEMBER, powerball=8))
    report = import_rows(rows, "test", overwrite=overwrite)
    assert counts(report) == (1, 0, 0, 1, 0)
    assert report.rejected == [RejectedRow(3, "2022-11-09 has other numbers on line 2")]
    assert stored(NOVEMBER.draw_date)[1] == 7


def test_identical_rows_are_stored_once() -> None:
    assert counts(import_rows(rows_of(NOVEMBER, NOVEMBER), "test")) == (1, 0, 1, 0, 0)
    assert Draw.objects.count() == 1


def test_missing_multiplier_is_added_and_the_source_stays() -> None:
    import_rows(rows_of(changed(NOVEMBER, multiplier=None)), "first")
    assert counts(import_rows(rows_of(NOVEMBER), "second")) == (0, 1, 0, 0, 0)
    assert stored(NOVEMBER.draw_date) == ([7, 14, 24, 30, 56], 7, 2, "first")


def test_an_unchanged_draw_keeps_its_source_and_its_times() -> None:
    import_rows(rows_of(NOVEMBER), "first")
    before = Draw.objects.values().get()
    import_rows(rows_of(NOVEMBER), "second", overwrite=True)
    assert Draw.objects.values().get() == before


# Validation


@pytest.mark.parametrize(
    ("draw", "reason"),
    [
        (ParsedDraw(date(2014, 1, 22), (1, 2, 3, 4, 60), 1, 2), "white ball 60 is not in 1 to 59"),
        (ParsedDraw(date(2014, 1, 22), (1, 2, 3, 4, 5), 39, 2), "powerball 39 is not in 1 to 35"),
        (ParsedDraw(date(2022, 11, 9), (1, 2, 3, 4, 5), 27, 2), "powerball 27 is not in 1 to 26"),
        (ParsedDraw(date(2022, 11, 9), (1, 2, 2, 4, 5), 7, 2), "white ball 2 is repeated"),
        (ParsedDraw(date(2022, 11, 9), (1, 2, 4, 5), 7, 2), "white_balls has 4 numbers, not 5"),
        (ParsedDraw(date(2022, 11, 8), (1, 2, 3, 4, 5), 7, 2), "2022-11-08 is a Tuesday without a draw"),
        (ParsedDraw(date(2014, 1, 20), (1, 2, 3, 4, 5), 7, 2), "2014-01-20 is a Monday without a draw"),
        (
            ParsedDraw(date(2008, 11, 5), (1, 2, 3, 4, 5), 7, 2),
            "2008-11-05 is before the first supported matrix",
        ),
    ],
)
def test_a_row_that_cannot_be_a_draw_of_its_date_is_rejected(draw: ParsedDraw, reason: str) -> None:
    report = import_rows(rows_of(draw), "test")
    assert counts(report) == (0, 0, 0, 1, 0)
    assert reason in report.rejected[0].reason
    assert not Draw.objects.exists()


def test_highest_balls_of_each_era_are_accepted() -> None:
    rows = rows_of(
        ParsedDraw(date(2011, 1, 5), (1, 2, 3, 4, 59), 39, 2),
        ParsedDraw(date(2014, 1, 22), (1, 2, 3, 4, 59), 35, 2),
        ParsedDraw(date(2015, 10, 7), (1, 2, 3, 4, 69), 26, 2),
    )
    assert counts(import_rows(rows, "test")) == (3, 0, 0, 0, 0)


def test_draw_is_accepted_from_its_instant_on() -> None:
    rows = rows_of(ParsedDraw(date(2025, 12, 24), (4, 25, 31, 52, 59), 19, 2))
    with time_machine.travel(datetime(2025, 12, 25, 3, 58, 59, tzinfo=UTC), tick=False):
        report = import_rows(rows, "test")
    assert report.rejected == [RejectedRow(2, "the draw of 2025-12-24 has not taken place yet")]
    with time_machine.travel(datetime(2025, 12, 25, 3, 59, tzinfo=UTC), tick=False):
        assert counts(import_rows(rows, "test")) == (1, 0, 0, 0, 0)


BAD_NUMBERS = pytest.mark.parametrize(
    ("numbers", "constraint"),
    [
        ((5, 5, 6, 7, 8, 1), "draw_white_balls_ascending"),
        ((6, 5, 7, 8, 9, 1), "draw_white_balls_ascending"),
        ((0, 2, 3, 4, 5, 1), "draw_balls_in_range"),
        ((1, 2, 3, 4, 70, 1), "draw_balls_in_range"),
        ((1, 2, 3, 4, 5, 0), "draw_balls_in_range"),
        ((1, 2, 3, 4, 5, 40), "draw_balls_in_range"),
    ],
)


@BAD_NUMBERS
def test_the_database_refuses_a_raw_row_that_is_no_draw(numbers: tuple[int, ...], constraint: str) -> None:
    with (
        connection.cursor() as cursor,
        pytest.raises(IntegrityError, match=constraint),
        transaction.atomic(),
    ):
        cursor.execute(
            "INSERT INTO predictions_draw"
            " (draw_date, n1, n2, n3, n4, n5, powerball, source, created_at, updated_at)"
            " VALUES ('2022-11-09', %s, %s, %s, %s, %s, %s, 'raw', '2022-11-10', '2022-11-10')",
            numbers,
        )


@BAD_NUMBERS
def test_full_clean_refuses_what_the_database_would(numbers: tuple[int, ...], constraint: str) -> None:
    names = ("n1", "n2", "n3", "n4", "n5", "powerball")
    draw = Draw(draw_date=date(2022, 11, 9), source="raw", **dict(zip(names, numbers, strict=True)))
    with pytest.raises(ValidationError, match=constraint):
        draw.full_clean()


# Sources


def test_an_unknown_source_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="source 'florida': allowed are bundled, ny, texas"):
        import_source("florida")


def test_a_file_that_is_not_there_is_a_feed_error(tmp_path: Path) -> None:
    with pytest.raises(FeedError, match=r"absent\.csv cannot be opened: No such file"):
        import_file(tmp_path / "absent.csv")


def test_an_import_that_cannot_be_read_to_its_end_stores_nothing() -> None:
    with pytest.raises(FeedError, match="not JSON"):
        import_rows(feeds.read('[{"draw_date": ', "ny-json"), "test")
    assert not Draw.objects.exists()


def test_a_clean_import_is_remembered_by_its_etag_and_not_downloaded_again() -> None:
    answers = Answer(headers={"ETag": '"v1"'}), Answer(304, b"", {"ETag": '"v1"'})
    with FeedServer(*answers) as server:
        assert counts(import_url(server.url, name="ny")) == (1, 0, 0, 0, 0)
        again = import_url(server.url, name="ny")
    assert again.not_modified
    assert again.summary() == "ny: not modified since the last import"
    assert [headers["If-None-Match"] for headers in server.requests] == [None, '"v1"']
    assert Feed.objects.get(url=server.url).etag == '"v1"'
    assert stored(NOVEMBER.draw_date) == ([7, 14, 24, 30, 56], 7, 2, "ny")


def test_a_feed_with_a_bad_row_is_downloaded_and_reported_again_next_time() -> None:
    body = b"Draw Date,Winning Numbers,Multiplier\n11/09/2022,07 14 24 30 56 07,2\n11/10/2022,1 2 3 4 5 6,2\n"
    with FeedServer(Answer(body=body, headers={"ETag": '"v1"'})) as server:
        reports = [import_url(server.url), import_url(server.url)]
    assert [counts(report) for report in reports] == [(1, 0, 0, 1, 0), (0, 0, 1, 1, 0)]
    assert [headers["If-None-Match"] for headers in server.requests] == [None, None]


@pytest.mark.parametrize("flag", ["overwrite", "dry_run"])
def test_overwrite_and_dry_run_download_the_feed_unconditionally(flag: str) -> None:
    with FeedServer(Answer(headers={"ETag": '"v1"'})) as server:
        import_url(server.url)
        import_url(server.url, **{flag: True})
    assert [headers["If-None-Match"] for headers in server.requests] == [None, None]


def test_a_dry_run_does_not_remember_the_etag() -> None:
    with FeedServer(Answer(headers={"ETag": '"v1"'})) as server:
        import_url(server.url, dry_run=True)
    assert not Feed.objects.exists()


# Stored draws


def test_only_draws_of_the_69_26_era_are_learned_from(real_draws: None) -> None:
    known = load_draw_history()
    assert (len(known.history), known.first, known.through) == (1288, date(2015, 10, 7), date(2025, 12, 22))
    assert known.history.white[0].tolist() == [18, 30, 40, 48, 52]
    assert known.history.powerball[0] == 9


def test_draws_before_a_date_are_strictly_before_it_and_through_it_are_with_it(real_draws: None) -> None:
    day = date(2022, 11, 9)
    before, through = load_draw_history(before=day), load_draw_history(through=day)
    assert before.through == date(2022, 11, 5)
    assert through.through == day
    assert len(through.history) == len(before.history) + 1


def test_without_draws_nothing_is_known() -> None:
    known = load_draw_history()
    assert (len(known.history), known.first, known.through) == (0, None, None)
    assert missing_draws() == []
    assert freshness_text(None) == "no draw is stored"


def test_the_fingerprint_changes_with_any_number_and_with_a_draw_more_or_less(real_draws: None) -> None:
    fingerprints = [
        load_draw_history().fingerprint(),
        load_draw_history(before=date(2025, 12, 22)).fingerprint(),
    ]
    assert load_draw_history().fingerprint() == fingerprints[0]
    for column, value in (("n3", 25), ("powerball", 8)):
        Draw.objects.filter(draw_date=NOVEMBER.draw_date).update(**{column: value})
        fingerprints.append(load_draw_history().fingerprint())
    assert len(set(fingerprints)) == 4


@time_machine.travel(datetime(2025, 12, 25, 3, 59, tzinfo=UTC), tick=False)
def test_the_upcoming_draw_is_by_the_clock_and_freshness_by_the_day_in_new_york(real_draws: None) -> None:
    assert upcoming_draw() == date(2025, 12, 27)
    assert freshness_text(load_draw_history().through) == "newest draw 2025-12-22, 2 days old"
