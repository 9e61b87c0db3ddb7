"""Each layout of the feeds, with its peculiarities."""

import json
from datetime import date
from typing import Any

import pytest

from predictions.draws import feeds
from predictions.draws.feeds import FeedError, ParsedDraw

NY_CSV = "Draw Date,Winning Numbers,Multiplier\n"
GOOD = ParsedDraw(date(2022, 11, 9), (7, 14, 24, 30, 56), 7, 2)
GOOD_NY_CSV = NY_CSV + "11/09/2022,07 14 24 30 56 07,2\n"


def drawn(text: str, layout: str = "auto") -> list[ParsedDraw]:
    """Return the draws of a text without bad rows."""
    rows = list(feeds.read(text, layout))
    assert [row.reason for row in rows if row.draw is None] == []
    return [row.draw for row in rows if row.draw]


def reasons(text: str, layout: str = "auto") -> dict[int, str]:
    """Return the reason of each bad row, by line."""
    return {row.line: row.reason for row in feeds.read(text, layout) if row.draw is None}


# New York, CSV


def test_ny_rows_keep_the_order_of_the_feed_whatever_their_dates() -> None:
    text = NY_CSV + "12/22/2025,03 18 36 41 54 07,2\n02/03/2010,17 22 36 37 52 24,2\n"
    assert [draw.draw_date for draw in drawn(text)] == [date(2025, 12, 22), date(2010, 2, 3)]


def test_unsorted_white_balls_are_sorted_and_the_sixth_stays_the_powerball() -> None:
    assert drawn(NY_CSV + "01/06/2018,12 61 30 29 33 26,3\n") == [
        ParsedDraw(date(2018, 1, 6), (12, 29, 30, 33, 61), 26, 3)
    ]


def test_zero_padded_numbers_are_numbers() -> None:
    assert drawn(GOOD_NY_CSV) == [GOOD]


def test_a_blank_multiplier_is_none() -> None:
    assert drawn(NY_CSV + "01/18/2012,06 29 34 44 50 28,\n")[0].multiplier is None


def test_a_multiplier_column_may_be_missing_altogether() -> None:
    assert drawn("Draw Date,Winning Numbers\n01/18/2012,06 29 34 44 50 28\n")[0].multiplier is None


def test_columns_are_found_by_name_among_new_and_swapped_ones() -> None:
    text = (
        "Double Play Winning Numbers,Multiplier,Winning Numbers,Draw Date\n"
        "11 20 26 43 46 18,2,07 14 24 30 56 07,11/09/2022\n"
    )
    assert drawn(text) == [GOOD]


@pytest.mark.parametrize(
    "text",
    [
        "\ufeff" + GOOD_NY_CSV,
        GOOD_NY_CSV.replace("\n", "\r\n"),
        NY_CSV + "\n\n  \n11/09/2022,07 14 24 30 56 07,2\n\n",
        "\n" + GOOD_NY_CSV,
        GOOD_NY_CSV.rstrip("\n"),
        '"DRAW DATE","Winning Numbers", Multiplier\n11/09/2022," 07 14 24 30  56 07 ", 2 \n',
    ],
    ids=["BOM", "CRLF", "blank lines", "blank first line", "no last newline", "quotes and spaces"],
)
def test_the_small_print_of_a_csv_file_does_not_matter(text: str) -> None:
    assert drawn(text) == [GOOD]


def test_a_ten_times_multiplier_is_read_in_any_era() -> None:
    assert drawn(NY_CSV + "06/12/2010,09 12 13 35 38 30,10\n")[0].multiplier == 10


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("02/30/2022,07 14 24 30 56 07,2", "draw date '02/30/2022' is not a date such as 12/22/2025"),
        ("soon,07 14 24 30 56 07,2", "draw date 'soon' is not a date"),
        ("11/07/2022,07 14 24 30 56,2", "winning numbers '07 14 24 30 56' are 5 numbers, not 6"),
        ("11/07/2022,07 14 24 30 5x 07,2", "white ball '5x' is not a number"),
        ("11/07/2022,07 14 -4 30 56 07,2", "white ball '-4' is not a number"),
        ("11/07/2022,07 14 24 30 56 ٣,2", "powerball '٣' is not a number"),
        ("11/07/2022,07 14 24 30 56 07,11", "multiplier 11 is not in 1 to 10"),
        ("11/07/2022,07 14 24 30 56 07,two", "multiplier 'two' is not a number"),
        ("11/07/2022", "too few columns: 1"),
        ('"11/07/2022,07 14 24', "too few columns: 1"),
    ],
)
def test_a_bad_row_is_reported_with_its_line_and_the_good_ones_pass(line: str, reason: str) -> None:
    rows = list(feeds.read(GOOD_NY_CSV + line + "\n11/12/2022,16 20 44 57 58 06,2\n"))
    assert [row.line for row in rows] == [2, 3, 4]
    assert rows[1].draw is None
    assert reason in rows[1].reason
    assert [row.draw.draw_date for row in rows if row.draw] == [date(2022, 11, 9), date(2022, 11, 12)]


def test_a_line_too_long_for_the_csv_module_is_a_bad_row_like_any_other() -> None:
    text = NY_CSV + "11/07/2022," + "1" * 140_000 + ",2\n11/09/2022,07 14 24 30 56 07,2\n"
    rows = list(feeds.read(text))
    assert [row.draw for row in rows] == [None, GOOD]
    assert "field larger than field limit" in rows[0].reason


# New York, JSON


def ny_item(**changes: Any) -> dict[str, Any]:
    return {
        "draw_date": "2022-11-09T00:00:00.000",
        "winning_numbers": "07 14 24 30 56 07",
        "multiplier": "2",
    } | changes


def test_ny_json_is_read_with_its_zoneless_dates_and_unknown_keys() -> None:
    assert drawn(json.dumps([ny_item(double_play_winning_numbers="11 20 26 43 46 18")])) == [GOOD]


def test_an_absent_multiplier_key_is_none_and_so_is_null() -> None:
    absent = ny_item()
    del absent["multiplier"]
    assert [draw.multiplier for draw in drawn(json.dumps([absent, ny_item(multiplier=None)]))] == [None, None]


def test_invalid_json_items_are_reported_by_index_and_valid_ones_pass() -> None:
    items = [
        ny_item(winning_numbers=None),
        ny_item(),
        "a draw",
        {"draw_date": "2022-11-09T00:00:00.000"},
        ny_item(draw_date=20221109),
        ny_item(multiplier=[2]),
    ]
    text = json.dumps(items)
    assert [row.draw for row in feeds.read(text) if row.draw] == [GOOD]
    assert reasons(text) == {
        1: "no text under winning_numbers",
        3: "a str, not an object",
        4: "no text under winning_numbers",
        5: "no text under draw_date",
        6: "multiplier '[2]' is not a number",
    }


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"error": true, "message": "Invalid SoQL"}', "the JSON is a dict, not a list of draws"),
        ('[{"draw_date": "2022-11-0', "not JSON: Unterminated string"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_json_without_a_list_of_draws_is_rejected(text: str, reason: str) -> None:
    with pytest.raises(FeedError, match=reason):
        list(feeds.read(text, "ny-json"))


# Texas, Wisconsin and the bundled layout


def test_texas_is_read_without_header_unpadded_and_in_drawn_order() -> None:
    text = "Powerball,1,8,2022,21,20,65,36,60,13,10\nPowerball,1,18,2012,50,34,29,6,44,28,\n"
    assert drawn(text) == [
        ParsedDraw(date(2022, 1, 8), (20, 21, 36, 60, 65), 13, 10),
        ParsedDraw(date(2012, 1, 18), (6, 29, 34, 44, 50), 28, None),
    ]


def test_texas_rows_of_another_game_or_width_are_reported() -> None:
    text = (
        "Powerball,11,9,2022,24,7,14,30,56,7,2\nMega Millions,11,8,2022,5,13,29,38,59,23,4\nPowerball,11,9\n"
    )
    assert reasons(text) == {2: "the game is 'Mega Millions', not Powerball", 3: "3 columns, not 11"}


def test_wisconsin_is_read_below_its_title_with_3x_for_a_multiplier() -> None:
    text = (
        '"Wisconsin Lottery - Powerball Winning Numbers - Order Drawn"\n'
        '"Draw Date",,,,,,PB,"Power Play","Est. Jackpot"\n'
        '2022-11-09,24,7,14,30,56,7,2x,"$1,000.00M"\n'
        "2026-03-23,63,56,18,12,47,1,10x,$133.00M\n"
    )
    assert drawn(text) == [GOOD, ParsedDraw(date(2026, 3, 23), (12, 18, 47, 56, 63), 1, 10)]


def test_bundled_layout_is_read_by_column_names() -> None:
    assert drawn("n1,n2,n3,n4,n5,powerball,draw_date\n7,14,24,30,56,7,2022-11-09\n") == [
        ParsedDraw(GOOD.draw_date, GOOD.white_balls, 7, None)
    ]


# Texts that are not feeds


@pytest.mark.parametrize(
    "text", ["", "<!DOCTYPE html>\n<html><body>Sign in to the hotel</body></html>", "a,b,c\n1,2,3\n"]
)
def test_a_text_of_no_known_layout_is_refused_and_quoted(text: str) -> None:
    with pytest.raises(FeedError, match=r"not a known layout .*; it begins "):
        feeds.read(text)


def test_an_html_page_where_a_csv_file_was_promised_is_refused() -> None:
    with pytest.raises(FeedError, match="the header has no column Draw Date, Winning Numbers; it has <html>"):
        list(feeds.read("<html>\n<body>", "ny-csv"))


def test_a_header_without_a_needed_column_is_refused_with_what_it_has() -> None:
    with pytest.raises(FeedError, match="no column Winning Numbers; it has Draw Date, Numbers"):
        list(feeds.read("Draw Date,Numbers\n11/09/2022,07 14 24 30 56 07\n", "ny-csv"))


def test_invalid_utf_8_is_rejected() -> None:
    with pytest.raises(FeedError, match="not UTF-8 text"):
        feeds.decode(b"Draw Date,Winning N\xfcmbers\n")


def test_oversized_content_is_rejected() -> None:
    assert feeds.decode(b" " * feeds.SIZE_CAP)
    with pytest.raises(FeedError, match="larger than the allowed 5,000,000 bytes"):
        feeds.decode(b" " * (feeds.SIZE_CAP + 1))
