"""The rules of the game against published figures, and the draw calendar against real draws."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta, timezone
from fractions import Fraction
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from predictions.draws import feeds
from predictions.draws.bundled import BUNDLED_FILES
from predictions.powerball import (
    CURRENT_ERA,
    EASTERN,
    ERAS,
    EXPECTED_PRIZE_USD,
    EXPECTED_WHITE_MATCHES,
    PRIZE_TIERS,
    check_draw_date,
    check_numbers,
    cost_usd,
    draw_instant,
    era_on,
    expected_prize_usd,
    find_prize,
    is_draw_day,
    last_draw,
    next_draw,
    scheduled_draws,
)

# White balls matched, Powerball matched, prize and odds as published on powerball.com.
PUBLISHED_TIERS = [
    (5, True, "jackpot", "292201338.00"),
    (5, False, 1_000_000, "11688053.52"),
    (4, True, 50_000, "913129.18"),
    (4, False, 100, "36525.17"),
    (3, True, 100, "14494.11"),
    (3, False, 7, "579.76"),
    (2, True, 7, "701.33"),
    (1, True, 4, "91.98"),
    (0, True, 4, "38.32"),
]


@pytest.fixture(scope="module")
def bundled_dates() -> list[date]:
    rows = feeds.read(feeds.decode(BUNDLED_FILES[0].read_bytes()), "bundled")
    return [row.draw.draw_date for row in rows if row.draw]


# Eras


@pytest.mark.parametrize(
    ("day", "name"),
    [
        (date(2009, 1, 7), "59/39"),
        (date(2012, 1, 14), "59/39"),
        (date(2012, 1, 15), "59/35"),
        (date(2012, 1, 18), "59/35"),
        (date(2015, 10, 3), "59/35"),
        (date(2015, 10, 4), "69/26"),
        (date(2015, 10, 7), "69/26"),
        (date(2026, 11, 25), "69/26"),
    ],
)
def test_an_era_begins_on_the_day_its_rule_takes_effect(day: date, name: str) -> None:
    assert era_on(day).name == name


def test_a_day_before_the_first_known_matrix_has_no_era() -> None:
    with pytest.raises(ValueError, match="2009-01-06 is before the first supported matrix"):
        era_on(date(2009, 1, 6))


def test_the_jackpot_odds_of_every_era_are_the_published_ones() -> None:
    assert [era.ticket_count for era in ERAS] == [195_249_054, 175_223_510, 292_201_338]


# Valid tickets


@pytest.mark.parametrize(
    ("white_balls", "powerball", "reason"),
    [
        ([1, 2, 3, 4], 1, "white_balls has 4 numbers, not 5"),
        ([1, 2, 3, 4, 5, 6], 1, "white_balls has 6 numbers, not 5"),
        ([], 1, "white_balls has 0 numbers, not 5"),
        ([1, 2, 2, 4, 5], 1, "white ball 2 is repeated"),
        ([1, 3, 2, 4, 5], 1, "white balls are not ascending: 3 is before 2"),
        ([0, 2, 3, 4, 5], 1, "white ball 0 is not in 1 to 69"),
        ([-1, 2, 3, 4, 5], 1, "white ball -1 is not in 1 to 69"),
        ([1, 2, 3, 4, 70], 1, "white ball 70 is not in 1 to 69"),
        ([1, 2, 3, 4, 2**70], 1, f"white ball {2**70} is not in 1 to 69"),
        ([1, 2, 3, 4, 5], 0, "powerball 0 is not in 1 to 26"),
        ([1, 2, 3, 4, 5], 27, "powerball 27 is not in 1 to 26"),
        ([True, 2, 3, 4, 5], 1, "white ball True is not an integer"),
        ([1, 2, 3, 4, 5], True, "powerball True is not an integer"),
        ([1.0, 2, 3, 4, 5], 1, "white ball 1.0 is not an integer"),
        ([1, 2, 3, 4, 5], 1.0, "powerball 1.0 is not an integer"),
        ([1, 2, 3, 4, float("nan")], 1, "white ball nan is not an integer"),
        (["1", 2, 3, 4, 5], 1, "white ball '1' is not an integer"),
        ([1, 2, 3, 4, 5], "1", "powerball '1' is not an integer"),
        ([None, 2, 3, 4, 5], 1, "white ball None is not an integer"),
        ([1, 2, 3, 4, 5], None, "powerball None is not an integer"),
        (np.array([1.0, 2.0, 3.0, 4.0, 5.0]), 1, r"white ball np.float64\(1.0\) is not an integer"),
        (np.array([True] * 5), 1, r"white ball np.True_ is not an integer"),
        (np.array([[1, 2, 3, 4, 5]]), 1, "not a list of 5 integers"),
        ([[1], [2], [3], [4], [5]], 1, r"white ball \[1\] is not an integer"),
        ([1, [2], 3, 4, 5], 1, r"white ball \[2\] is not an integer"),
        ({1, 2, 3, 4, 5}, 1, "not a list of 5 integers"),
        (dict.fromkeys([1, 2, 3, 4, 5]), 1, "not a list of 5 integers"),
        ("12345", 1, "not a list of 5 integers"),
        (12345, 1, "not a list of 5 integers"),
        (None, 1, "not a list of 5 integers"),
    ],
)
def test_invalid_ticket_is_rejected_with_the_reason(white_balls: Any, powerball: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        check_numbers(white_balls, powerball)


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.int64, np.uint64])
def test_numpy_integers_of_any_width_are_numbers(kind: type[np.integer]) -> None:
    check_numbers(np.array([1, 2, 3, 4, 69], dtype=kind), kind(26))
    check_numbers([kind(1), 2, 3, 4, 69], 26)


def test_a_ball_is_checked_against_its_era() -> None:
    check_numbers((1, 2, 3, 4, 59), 39, ERAS[0])
    check_numbers((1, 2, 3, 4, 59), 35, ERAS[1])
    with pytest.raises(ValueError, match="powerball 39 is not in 1 to 35"):
        check_numbers((1, 2, 3, 4, 59), 39, ERAS[1])
    with pytest.raises(ValueError, match="white ball 60 is not in 1 to 59"):
        check_numbers((1, 2, 3, 4, 60), 1, ERAS[1])


@settings(deadline=None)
@given(whites=st.sets(st.integers(1, 69), min_size=5, max_size=5), powerball=st.integers(1, 26))
def test_any_five_different_balls_in_ascending_order_are_a_ticket(whites: set[int], powerball: int) -> None:
    check_numbers(sorted(whites), powerball)


# Prizes


def test_the_nine_tiers_have_the_published_prizes_and_odds() -> None:
    computed = [
        (
            tier.white_matches,
            tier.powerball_match,
            find_prize(tier.white_matches, tier.powerball_match),
            f"{float(tier.odds_one_in):.2f}",
        )
        for tier in PRIZE_TIERS
    ]
    assert computed == PUBLISHED_TIERS


def test_the_jackpot_odds_are_one_in_292_201_338_exactly() -> None:
    assert PRIZE_TIERS[0].odds_one_in == CURRENT_ERA.ticket_count == 292_201_338


@pytest.mark.parametrize("white_matches", [0, 1, 2])
def test_fewer_than_three_white_balls_without_the_powerball_win_nothing(white_matches: int) -> None:
    assert find_prize(white_matches, False) == 0


def test_the_prizes_below_the_jackpot_are_worth_32_cents_a_ticket() -> None:
    by_hand = sum(
        Fraction(prize) / Fraction(292_201_338, ways)
        for prize, ways in (
            (1_000_000, 25),
            (50_000, 320),
            (100, 320 * 25),
            (100, 10 * 2016),
            (7, 10 * 2016 * 25),
            (7, 10 * 41_664),
            (4, 5 * 635_376),
            (4, 7_624_512),
        )
    )
    assert by_hand == EXPECTED_PRIZE_USD
    assert f"{float(EXPECTED_PRIZE_USD):.6f}" == "0.319869"
    assert expected_prize_usd(1_000_000) == pytest.approx(319_869.1, abs=1)
    assert cost_usd(1_000_000) == 2_000_000


def test_a_ticket_of_any_distribution_hits_25_in_69_white_balls_on_average() -> None:
    ways = Counter(len({1, 2, 3, 4, 5} & set(drawn)) for drawn in combinations(range(1, 16), 5))
    small = Fraction(sum(hits * count for hits, count in ways.items()), ways.total())
    assert small == Fraction(5 * 5, 15)  # the same formula with fifteen balls

    assert Fraction(25, 69) == EXPECTED_WHITE_MATCHES


def test_a_tier_is_written_as_white_balls_and_powerball() -> None:
    assert [str(tier) for tier in PRIZE_TIERS] == [
        *("5+1", "5+0", "4+1", "4+0", "3+1", "3+0", "2+1", "1+1", "0+1")
    ]


# The draw calendar


@pytest.mark.parametrize(
    ("clock", "draw"),
    [
        ((22, 58, 59, 999_999), date(2026, 11, 25)),
        ((22, 59, 0, 0), date(2026, 11, 28)),
        ((22, 59, 0, 1), date(2026, 11, 28)),
        ((0, 0, 0, 0), date(2026, 11, 25)),
    ],
)
def test_the_next_draw_is_strictly_after_now(clock: tuple[int, int, int, int], draw: date) -> None:
    assert next_draw(datetime(2026, 11, 25, *clock, tzinfo=EASTERN)) == draw


@pytest.mark.parametrize(
    ("draw", "instant"),
    [
        (date(2026, 3, 7), datetime(2026, 3, 8, 3, 59, tzinfo=UTC)),  # daylight saving time starts on 8 March
        (date(2026, 3, 9), datetime(2026, 3, 10, 2, 59, tzinfo=UTC)),
        (date(2026, 10, 31), datetime(2026, 11, 1, 2, 59, tzinfo=UTC)),  # and ends on 1 November
        (date(2026, 11, 2), datetime(2026, 11, 3, 3, 59, tzinfo=UTC)),
    ],
)
def test_draw_is_at_22_59_in_new_york_in_every_season(draw: date, instant: datetime) -> None:
    assert draw_instant(draw) == instant
    assert next_draw(instant - timedelta(seconds=1)) == draw
    assert next_draw(instant) > draw


@pytest.mark.parametrize(
    ("clock", "draw"),
    [
        ((22, 58, 59, 999_999), date(2026, 11, 23)),
        ((22, 59, 0, 0), date(2026, 11, 25)),
        ((23, 59, 59, 0), date(2026, 11, 25)),
        ((0, 0, 0, 0), date(2026, 11, 23)),
    ],
)
def test_last_draw_is_at_or_before_now(clock: tuple[int, int, int, int], draw: date) -> None:
    assert last_draw(datetime(2026, 11, 25, *clock, tzinfo=EASTERN)) == draw


@pytest.mark.parametrize("day", [date(2026, 3, 7), date(2026, 10, 31), date(2021, 8, 21), date(2009, 1, 7)])
def test_a_draw_is_the_last_from_its_instant_until_the_next(day: date) -> None:
    following = draw_instant(next_draw(draw_instant(day)))
    assert last_draw(draw_instant(day)) == day
    assert last_draw(following - timedelta(microseconds=1)) == day


def test_there_is_no_last_draw_before_the_first_nor_of_a_naive_datetime() -> None:
    with pytest.raises(ValueError, match="before the first supported matrix"):
        last_draw(datetime(2009, 1, 7, 12, tzinfo=UTC))
    with pytest.raises(ValueError, match="has no time zone"):
        last_draw(datetime(2026, 11, 25, 12))  # noqa: DTZ001 - the mistake under test


def test_the_day_in_new_york_counts_not_the_caller_s() -> None:
    already_thursday = timezone(timedelta(hours=9))
    assert next_draw(datetime(2026, 11, 26, 12, 58, tzinfo=already_thursday)) == date(2026, 11, 25)
    assert next_draw(datetime(2026, 11, 26, 12, 59, tzinfo=already_thursday)) == date(2026, 11, 28)


def test_a_naive_datetime_is_refused() -> None:
    with pytest.raises(ValueError, match="2026-11-25 12:00:00 has no time zone"):
        next_draw(datetime(2026, 11, 25, 12))  # noqa: DTZ001 - the mistake under test


def test_mondays_have_draws_since_23_august_2021() -> None:
    assert not is_draw_day(date(2021, 8, 16))
    assert is_draw_day(date(2021, 8, 23))
    assert next_draw(datetime(2021, 8, 15, 12, tzinfo=UTC)) == date(2021, 8, 18)
    assert next_draw(datetime(2021, 8, 22, 12, tzinfo=UTC)) == date(2021, 8, 23)


def test_a_day_without_a_draw_is_refused_with_the_draw_days_of_its_time() -> None:
    with pytest.raises(ValueError, match=r"a Tuesday without a draw; .* on Mondays, Wednesdays and Sat"):
        check_draw_date(date(2026, 11, 24))
    with pytest.raises(ValueError, match=r"a Monday without a draw; .* on Wednesdays and Saturdays"):
        check_draw_date(date(2015, 11, 23))
    check_draw_date(date(2026, 11, 23))


def test_there_is_no_draw_before_the_first_era() -> None:
    assert not is_draw_day(date(2009, 1, 3))  # a Saturday
    assert is_draw_day(date(2009, 1, 7))


def test_every_bundled_draw_is_on_a_scheduled_day(bundled_dates: list[date]) -> None:
    assert len(bundled_dates) == 1879
    assert [day for day in bundled_dates if not is_draw_day(day)] == []


def test_schedule_has_as_many_draws_per_era_as_took_place(bundled_dates: list[date]) -> None:
    days = scheduled_draws(bundled_dates[0], bundled_dates[-1])
    assert Counter(era_on(day).name for day in days) == {"59/39": 204, "59/35": 388, "69/26": 1293}


def test_a_schedule_includes_its_first_and_last_day() -> None:
    assert list(scheduled_draws(date(2026, 11, 23), date(2026, 11, 28))) == [
        date(2026, 11, 23),
        date(2026, 11, 25),
        date(2026, 11, 28),
    ]
    assert list(scheduled_draws(date(2026, 11, 28), date(2026, 11, 23))) == []
