"""Names of columns in draw files: which are read, which are ignored, which belong to another game."""

import re
from collections.abc import Iterable, Mapping
from datetime import date

from predictions.draws.feed_rows import ParsedDraw, make_draw, parse_date, parse_number, split_winning_numbers
from shiolplus.logs.safe_text import sanitize_line

WHITE_BALLS = ("n1", "n2", "n3", "n4", "n5")
DATE_PARTS = ("month", "day", "year")
REQUIRED = (
    "Draw Date and Winning Numbers (five white balls, then the Powerball), or draw_date, n1 to n5 and "
    "powerball; optionally Multiplier"
)
SYNONYMS = {
    "draw_date": ("drawdate", "date", "drawingdate"),
    "winning_numbers": ("winningnumbers",),
    "powerball": ("powerball", "pb", "powerballnumber"),
    "multiplier": ("multiplier", "powerplay", "powerplaymultiplier"),
    "game": ("game", "gamename"),
    **{part: (part,) for part in DATE_PARTS},
    **{
        name: tuple(
            f"{word}{name[1]}" for word in ("n", "wb", "num", "number", "w", "white", "ball", "whiteball")
        )
        for name in WHITE_BALLS
    },
}
FIELD_BY_NAME = {synonym: field for field, synonyms in SYNONYMS.items() for synonym in synonyms}
# Other columns of published Powerball files.
HARMLESS = re.compile(
    r"doubleplay|(est|estimated)?jackpot|cashvalue|annuity|source$"
    r"|(sid|id|position|meta|index)$|(created|updated)(at|meta)$"
)
# Extra balls and multipliers of other games by the same lotteries.
OTHER_GAME = re.compile(
    r"bonus|extra|mega|starball|luckyball|luckystar|cashball|allstar|hotball|superball|thunderball|euronumber"
)


def normalize(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def map_columns(names: Iterable[str]) -> dict[str, int]:
    """Return the index of each known column; of two columns for one field the first is used."""
    columns: dict[str, int] = {}
    for index, name in enumerate(names):
        if field := FIELD_BY_NAME.get(normalize(name)):
            columns.setdefault(field, index)
    return columns


def other_game_columns(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sanitize_line(name.strip()) for name in names if OTHER_GAME.match(normalize(name)))


def unknown_columns(names: Iterable[str]) -> tuple[str, ...]:
    """Return the columns that are neither read, nor harmless, nor of another game."""
    return tuple(
        sanitize_line(name.strip())
        for name in names
        if normalize(name)
        and not name.startswith(":")  # Socrata's internal columns
        and normalize(name) not in FIELD_BY_NAME
        and not HARMLESS.match(normalize(name))
        and not OTHER_GAME.match(normalize(name))
    )


def parse_draw(fields: Mapping[str, str]) -> ParsedDraw:
    """Return the draw in the fields of one row; raise ValueError if it is invalid."""
    if (game := fields.get("game", "Powerball")) and normalize(game) != "powerball":
        raise ValueError(f"the game is {game!r}, not Powerball")
    if "winning_numbers" in fields:
        whites, powerball = split_winning_numbers(fields["winning_numbers"])
    else:
        whites, powerball = [fields[name] for name in WHITE_BALLS], fields["powerball"]
    draw_date = parse_date(fields["draw_date"]) if "draw_date" in fields else _date_of_parts(fields)
    return make_draw(draw_date, whites, powerball, fields.get("multiplier", ""))


def _date_of_parts(fields: Mapping[str, str]) -> date:
    month, day, year = (parse_number("date part", fields[part]) for part in DATE_PARTS)
    return parse_date(f"{month}/{day}/{year:04}")
