"""The layouts in which official draws are published.

Each reader yields one `Row` a line: a parsed draw, or the reason why the line is not one. One bad line
never stops the good ones; a text that is not of the layout at all is a FeedError.
"""

import csv
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime

SIZE_CAP = 5_000_000  # bytes; all draws since 2010 are 60,000


class FeedError(Exception):
    """A feed that could not be reached, or whose text is not draws."""


@dataclass(frozen=True)
class RawDraw:
    """A draw as published; the balls are ascending but not yet checked against any era."""

    draw_date: date
    white_balls: tuple[int, ...]
    powerball: int
    multiplier: int | None


@dataclass(frozen=True)
class Row:
    """One line (or JSON item) of a feed: a draw, or the reason why it is none."""

    line: int
    draw: RawDraw | None
    reason: str = ""


# Fields


def _day(text: str) -> date:
    for layout in ("%m/%d/%Y", "%Y-%m-%d", "%Y-%m-%dT%H:%M:%S.%f", "%Y-%m-%dT%H:%M:%S"):
        try:
            return datetime.strptime(text.strip(), layout).date()  # noqa: DTZ007 - a date, not an instant
        except ValueError:
            continue
    raise ValueError(f"draw date {text!r} is not a date such as 12/22/2025 or 2025-12-22")


def _number(name: str, text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,3}", text.strip()):
        raise ValueError(f"{name} {text!r} is not a number")
    return int(text)


def _draw(day: str, whites: Sequence[str], powerball: str, multiplier: str | None) -> RawDraw:
    power_play = (multiplier or "").strip().rstrip("xX")
    return RawDraw(
        draw_date=_day(day),
        white_balls=tuple(sorted(_number("white ball", ball) for ball in whites)),
        powerball=_number("powerball", powerball),
        multiplier=_multiplier(power_play) if power_play else None,
    )


def _multiplier(text: str) -> int:
    if not 1 <= (multiplier := _number("multiplier", text)) <= 10:
        raise ValueError(f"multiplier {multiplier} is not in 1 to 10")
    return multiplier


def _six(numbers: str) -> tuple[list[str], str]:
    balls = numbers.split()
    if len(balls) != 6:
        raise ValueError(f"winning numbers {numbers!r} are {len(balls)} numbers, not 6")
    return balls[:5], balls[5]


# Layouts

Cells = list[str]


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """The lines that say something, numbered as in the file."""
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            yield number, line


def _cells(line: str) -> Cells:
    """One line split alone, so that a broken quote spoils its own line only; ValueError when it cannot."""
    try:
        return next(csv.reader([line]), [])
    except csv.Error as error:
        raise ValueError(f"not a line of CSV: {error}") from error


def _header(lines: Iterator[tuple[int, str]], wanted: Sequence[str], mark: str = "") -> dict[str, int]:
    """Where each column of the header stands; the header is the first line that holds `mark`."""
    line = next((line for _, line in lines if mark in line.lower()), "")
    try:
        cells = _cells(line)
    except ValueError as error:
        raise FeedError(f"the header is {error}") from error
    columns = {name.strip().lower(): index for index, name in enumerate(cells)}
    if missing := [name for name in wanted if name.lower() not in columns]:
        found = f"it has {', '.join(filter(None, cells))}" if line else "there is none"
        raise FeedError(f"the header has no column {', '.join(missing)}; {found[:200]}")
    return columns


def _rows(lines: Iterator[tuple[int, str]], parse: Callable[[Cells], RawDraw]) -> Iterator[Row]:
    for number, line in lines:
        try:
            cells = _cells(line)
            yield Row(number, parse(cells))
        except ValueError as error:
            yield Row(number, None, str(error))
        except IndexError:
            yield Row(number, None, f"too few columns: {len(cells)}")


def _optional(cells: Cells, columns: dict[str, int], name: str) -> str | None:
    index = columns.get(name)
    return cells[index] if index is not None and index < len(cells) else None


def read_ny_csv(text: str) -> Iterator[Row]:
    """New York's CSV export; columns by name, since new ones appear."""
    lines = _lines(text)
    columns = _header(lines, ["Draw Date", "Winning Numbers"])

    def parse(cells: Cells) -> RawDraw:
        whites, powerball = _six(cells[columns["winning numbers"]])
        return _draw(cells[columns["draw date"]], whites, powerball, _optional(cells, columns, "multiplier"))

    return _rows(lines, parse)


def read_ny_json(text: str) -> Iterator[Row]:
    """New York's JSON; the multiplier's key is absent where it is blank."""
    try:
        items = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FeedError(f"not JSON: {error}") from error
    if not isinstance(items, list):
        raise FeedError(f"the JSON is a {type(items).__name__}, not a list of draws")
    for number, item in enumerate(items, start=1):
        try:
            if not isinstance(item, dict):
                raise ValueError(f"a {type(item).__name__}, not an object")
            if missing := [
                key for key in ("draw_date", "winning_numbers") if not isinstance(item.get(key), str)
            ]:
                raise ValueError(f"no text under {', '.join(missing)}")
            whites, powerball = _six(item["winning_numbers"])
            multiplier = item.get("multiplier")
            yield Row(
                number,
                _draw(item["draw_date"], whites, powerball, None if multiplier is None else str(multiplier)),
            )
        except ValueError as error:
            yield Row(number, None, str(error))


def read_texas(text: str) -> Iterator[Row]:
    """Texas: no header, `Powerball,M,D,YYYY,w1…w5,PB,multiplier`, balls in drawn order."""

    def parse(cells: Cells) -> RawDraw:
        if cells[0].strip().lower() != "powerball":
            raise ValueError(f"the game is {cells[0]!r}, not Powerball")
        if len(cells) not in (10, 11):
            raise ValueError(f"{len(cells)} columns, not 11")
        month, day, year = (_date_part(cell) for cell in cells[1:4])
        return _draw(f"{month}/{day}/{year}", cells[4:9], cells[9], [*cells, ""][10])

    return _rows(_lines(text), parse)


def _date_part(text: str) -> str:
    if not re.fullmatch(r"[0-9]{1,4}", text.strip()):
        raise ValueError(f"date part {text!r} is not a number")
    return text.strip()


def read_wisconsin(text: str) -> Iterator[Row]:
    """Wisconsin: a title line, then a header that names the date, the Powerball (PB) and the Power Play.

    The five white balls, in drawn order, stand in the nameless columns before PB.
    """
    lines = _lines(text)
    columns = _header(lines, ["Draw Date", "PB"], mark="draw date")
    red = columns["pb"]

    def parse(cells: Cells) -> RawDraw:
        return _draw(
            cells[columns["draw date"]],
            cells[red - 5 : red],
            cells[red],
            _optional(cells, columns, "power play"),
        )

    return _rows(lines, parse)


def read_bundled(text: str) -> Iterator[Row]:
    """Our own layout: `draw_date,n1,n2,n3,n4,n5,powerball,multiplier`, columns by name."""
    lines = _lines(text)
    wanted = ["draw_date", "n1", "n2", "n3", "n4", "n5", "powerball"]
    columns = _header(lines, wanted)

    def parse(cells: Cells) -> RawDraw:
        day, *whites, powerball = (cells[columns[name]] for name in wanted)
        return _draw(day, whites, powerball, _optional(cells, columns, "multiplier"))

    return _rows(lines, parse)


READERS: dict[str, Callable[[str], Iterator[Row]]] = {
    "ny-csv": read_ny_csv,
    "ny-json": read_ny_json,
    "texas": read_texas,
    "wisconsin": read_wisconsin,
    "bundled": read_bundled,
}


def format_of(text: str) -> str:
    """Which layout a text is in, by its first lines; FeedError when it is none of them."""
    start = text.lstrip("\ufeff \r\n\t")[:500].lower()
    first_line = start.partition("\n")[0]
    if start.startswith("["):
        return "ny-json"
    if "draw_date" in first_line and "n1" in first_line:
        return "bundled"
    if first_line.startswith("powerball,"):
        return "texas"
    if "winning numbers" in first_line and "draw date" in first_line:
        return "ny-csv"
    if "draw date" in start and "pb" in start:
        return "wisconsin"
    raise FeedError(f"not a known layout ({', '.join(READERS)}); it begins {first_line[:60]!r}")


def read(text: str, layout: str = "auto") -> Iterator[Row]:
    """The rows of a feed's text; `layout` is "auto" or a key of READERS."""
    text = text.removeprefix("\ufeff")
    return READERS[format_of(text) if layout == "auto" else layout](text)


def decode(content: bytes) -> str:
    """The text of a file or download, within the size cap; FeedError otherwise."""
    if len(content) > SIZE_CAP:
        raise FeedError(f"larger than the allowed {SIZE_CAP:,} bytes")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FeedError(f"not UTF-8 text: {error}") from error
