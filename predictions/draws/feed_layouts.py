"""The layouts in which official draws are published.

Each reader returns one `FeedRow` per line: a parsed draw, or the reason why it is not one. A bad line does
not affect the others; a text in another layout raises FeedError.
"""

import csv
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from predictions.draws.feed_columns import (
    DATE_PARTS,
    FIELD_BY_NAME,
    WHITE_BALLS,
    map_columns,
    normalize,
    other_game_columns,
    parse_draw,
    unknown_columns,
)
from predictions.draws.feed_rows import FeedError, FeedRow, FeedRows, ParsedDraw
from shiolplus.logs.safe_text import sanitize_line

DELIMITERS = (",", ";", "\t")
TITLE_LINES = 3  # lines searched for a header; Wisconsin has a title above it
TEXAS_FIELDS = ("game", *DATE_PARTS, *WHITE_BALLS, "powerball", "multiplier")
LABELS = {"draw_date": "Draw Date", "winning_numbers": "Winning Numbers", "powerball": "PB"}

Line = tuple[int, str]


def number_lines(text: str) -> list[Line]:
    """Return the lines with more than separators, numbered as in the file."""
    return [
        (number, line) for number, line in enumerate(text.splitlines(), start=1) if line.strip(' \t,;"\ufeff')
    ]


def find_delimiter(lines: Sequence[Line]) -> str:
    return max(
        DELIMITERS, key=lambda mark: max((line.count(mark) for _, line in lines[:TITLE_LINES]), default=0)
    )


def split_cells(line: str, delimiter: str) -> list[str]:
    """Split one line, so that a broken quote affects no other; raise ValueError if it is not CSV."""
    try:
        return next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error as error:
        raise ValueError(f"not a line of CSV: {error}") from error


def read_rows(
    lines: Sequence[Line], delimiter: str, parse: Callable[[list[str]], ParsedDraw]
) -> list[FeedRow]:
    rows = []
    for number, line in lines:
        try:
            rows.append(FeedRow(number, parse(split_cells(line, delimiter))))
        except ValueError as error:
            rows.append(FeedRow(number, None, str(error)))
    return rows


def read_table(
    lines: Sequence[Line], required: Mapping[str, str], whites_before_powerball: bool = False
) -> FeedRows:
    """Read lines that start with a header; `required` maps the required fields to their labels."""
    delimiter = find_delimiter(lines)
    try:
        names = split_cells(lines[0][1], delimiter) if lines else []
    except ValueError as error:
        raise FeedError(f"the header is {error}") from error
    columns = map_columns(names)
    if missing := [label for field, label in required.items() if field not in columns]:
        actual = f"it has {', '.join(filter(None, names))}" if lines else "there is none"
        raise FeedError(f"the header has no column {', '.join(missing)}; {sanitize_line(actual[:200])}")
    if whites_before_powerball:
        first = columns["powerball"] - len(WHITE_BALLS)
        columns |= {name: first + index for index, name in enumerate(WHITE_BALLS)}
    width = 1 + max(index for field, index in columns.items() if field in (*required, *WHITE_BALLS))

    def parse(cells: list[str]) -> ParsedDraw:
        if len(cells) < width:
            raise ValueError(f"too few columns: {len(cells)}")
        return parse_draw({field: cells[index] for field, index in columns.items() if index < len(cells)})

    return FeedRows(
        read_rows(lines[1:], delimiter, parse),
        unknown_columns=unknown_columns(names),
        other_game_columns=other_game_columns(names),
    )


def read_ny_csv(text: str) -> FeedRows:
    """Read New York's CSV export by column names, since columns get added."""
    return read_table(
        number_lines(text), {field: LABELS[field] for field in ("draw_date", "winning_numbers")}
    )


def read_bundled(text: str) -> FeedRows:
    """Read the project's layout, `draw_date,n1,n2,n3,n4,n5,powerball,multiplier`, by column names."""
    return read_table(
        number_lines(text), {field: field for field in ("draw_date", *WHITE_BALLS, "powerball")}
    )


def read_wisconsin(text: str) -> FeedRows:
    """Read Wisconsin's layout: a title, then a header with Draw Date, PB and Power Play.

    The five white balls, in the order drawn, are in the unnamed columns before PB.
    """
    lines = number_lines(text)
    while lines and "draw date" not in lines[0][1].lower():
        lines = lines[1:]
    return read_table(
        lines, {field: LABELS[field] for field in ("draw_date", "powerball")}, whites_before_powerball=True
    )


def read_texas(text: str) -> FeedRows:
    """Read Texas's `Powerball,M,D,YYYY,w1…w5,PB,multiplier`, with or without a header."""
    lines = number_lines(text)
    delimiter = find_delimiter(lines)
    if lines and set(DATE_PARTS) <= map_columns(lines[0][1].replace('"', "").split(delimiter)).keys():
        return read_table(lines, {field: field for field in (*DATE_PARTS, *WHITE_BALLS, "powerball")})

    def parse(cells: list[str]) -> ParsedDraw:
        if normalize(cells[0]) != "powerball":
            raise ValueError(f"the game is {cells[0]!r}, not Powerball")
        while len(cells) > len(TEXAS_FIELDS) and not cells[-1].strip():
            cells = cells[:-1]
        if len(cells) not in (10, 11):
            raise ValueError(f"{len(cells)} columns, not 11")
        return parse_draw(dict(zip(TEXAS_FIELDS, cells, strict=False)))

    return FeedRows(read_rows(lines, delimiter, parse))


def read_ny_json(text: str) -> FeedRows:
    """Read New York's JSON: a list of objects, `{"data": [...]}`, or Socrata's `rows.json`."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FeedError(f"not JSON: {error}") from error
    items = _find_items(document)
    names = list(dict.fromkeys(key for item in items if isinstance(item, dict) for key in item))
    rows = []
    for number, item in enumerate(items, start=1):
        try:
            rows.append(FeedRow(number, parse_draw(_fields_of_item(item))))
        except ValueError as error:
            rows.append(FeedRow(number, None, str(error)))
    return FeedRows(
        rows,
        unit="item",
        unknown_columns=unknown_columns(names),
        other_game_columns=other_game_columns(names),
    )


def _find_items(document: Any) -> list[Any]:
    items = document.get("data") if isinstance(document, dict) else document
    if not isinstance(items, list):
        raise FeedError(f"the JSON is a {type(document).__name__}, not a list of draws")
    try:
        names = [str(column["name"]) for column in document["meta"]["view"]["columns"]]
    except (TypeError, KeyError):
        return items
    # Socrata's internal columns come first, and some exports do not list them.
    return [
        dict(zip(names, item[-len(names) :], strict=False)) if isinstance(item, list) and names else item
        for item in items
    ]


def _fields_of_item(item: Any) -> dict[str, str]:
    if not isinstance(item, dict):
        raise ValueError(f"a {type(item).__name__}, not an object")
    values: dict[str, Any] = {}
    for key, value in item.items():
        if value is not None and (field := FIELD_BY_NAME.get(normalize(key))):
            values.setdefault(field, value)
    numbers = (*WHITE_BALLS, "powerball") if "n1" in values else ()
    texts = ("draw_date",) if numbers else ("draw_date", "winning_numbers")
    missing = [field for field in texts if not isinstance(values.get(field), str)]
    if missing := missing + [field for field in numbers if field not in values]:
        raise ValueError(f"no text under {', '.join(missing)}")
    return {field: str(value) for field, value in values.items()}


READERS: dict[str, Callable[[str], FeedRows]] = {
    "ny-csv": read_ny_csv,
    "ny-json": read_ny_json,
    "texas": read_texas,
    "wisconsin": read_wisconsin,
    "bundled": read_bundled,
}


def detect_format(text: str) -> str:
    """Return the layout of a text, detected by its first lines; raise FeedError if it is unknown."""
    start = text.lstrip("\ufeff \r\n\t")[:60]
    if start.startswith(("[", "{")):
        return "ny-json"
    lines = number_lines(text[:10_000])
    for cells in _first_cells(lines):
        if layout := _layout_of_header(cells):
            return layout
    first_line = lines[0][1].strip() if lines else ""
    raise FeedError(f"not a known layout ({', '.join(READERS)}); it begins {first_line[:60].lower()!r}")


def _first_cells(lines: Sequence[Line]) -> Iterator[list[str]]:
    delimiter = find_delimiter(lines)
    for _, line in lines[:TITLE_LINES]:
        try:
            yield split_cells(line, delimiter)
        except ValueError:  # the reader reports the line
            continue


def _layout_of_header(cells: Sequence[str]) -> str | None:
    columns = map_columns(cells).keys()
    layouts: dict[str, set[str]] = {
        "texas": set(DATE_PARTS) | {"powerball"},
        "bundled": {"draw_date", *WHITE_BALLS, "powerball"},
        "ny-csv": {"draw_date", "winning_numbers"},
        "wisconsin": {"draw_date", "powerball"},
    }
    if layout := next((name for name, fields in layouts.items() if fields <= columns), None):
        return layout
    return "texas" if len(cells) > 1 and normalize(cells[0]) == "powerball" else None
