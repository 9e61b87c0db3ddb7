"""Retrieval of stored tickets and their counts, without model instances."""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from typing import Any

from django.db import connection

from predictions.draws.sources import upcoming_draw
from predictions.models import Draw
from predictions.modes.registry import MODE_NAMES, check_mode
from predictions.powerball import find_prize

# Raw SQL: building this query with the ORM takes three times as long as running it. claim_id is NULL in every
# row; naming it in ORDER BY lets PostgreSQL read the index in order.
NEWEST_UNCLAIMED_SQL = """
    SELECT n1, n2, n3, n4, n5, powerball, confidence_score, strategy_used, created_at, pipeline_run_id
    FROM pre_generated_tickets WHERE mode = %s AND draw_date = %s AND claim_id IS NULL
    ORDER BY claim_id, created_at DESC, id DESC LIMIT %s
"""


def get_cached_tickets(mode: str, limit: int = 10, draw_date: date | None = None) -> list[dict[str, Any]]:
    """Return the newest unclaimed tickets of a mode and draw, by default the next, as the API does.

    Raise ValueError for an unknown mode or a limit below 1.
    """
    check_mode(mode)
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
        raise ValueError(f"limit must be an integer of at least 1, not {limit!r}")
    upcoming = upcoming_draw()
    day = draw_date or upcoming
    draw = Draw.objects.filter(draw_date=day).first() if day < upcoming else None
    with connection.cursor() as cursor:
        cursor.execute(NEWEST_UNCLAIMED_SQL, [mode, connection.ops.adapt_datefield_value(day), limit])
        rows = cursor.fetchall()
    return serialize_tickets(mode, day, [(*row[:8], isoformat_utc(row[8]), row[9]) for row in rows], draw)


def serialize_tickets(
    mode: str, day: date, rows: Iterable[Sequence[Any]], draw: Draw | None
) -> list[dict[str, Any]]:
    """Serialize tickets for the API, with results if the draw is given.

    A row is (n1, n2, n3, n4, n5, powerball, confidence, strategy, created_at as text, pipeline_run_id).
    """
    day_text = day.isoformat()
    return [
        {
            "white_balls": list(row[:5]),
            "powerball": row[5],
            "confidence": row[6],
            "strategy": row[7] or mode,
            "cached": True,
            "created_at": row[8],
            "draw_date": day_text,
            "pipeline_run_id": row[9],
            "result": None if draw is None else draw_result(row[:5], row[5], draw),
        }
        for row in rows
    ]


def draw_result(white_balls: Sequence[int], powerball: int, draw: Draw) -> dict[str, Any]:
    white_matches = len(set(white_balls) & set(draw.white_balls))
    powerball_match = powerball == draw.powerball
    return {
        "white_matches": white_matches,
        "powerball_match": powerball_match,
        "prize_usd": find_prize(white_matches, powerball_match),
    }


def isoformat_utc(instant: datetime | None) -> str | None:
    """Return ISO 8601 with Z. SQLite cursors return naive datetimes in UTC."""
    if instant is None:
        return None
    naive = instant if instant.tzinfo is None else instant.astimezone(UTC).replace(tzinfo=None)
    return naive.isoformat() + "Z"


STOCK_SQL = """
    SELECT mode, SUM(stored), SUM(CASE WHEN draw_date = %s THEN stored ELSE 0 END)
    FROM tickets_ticketbatch GROUP BY mode
"""
CLAIMED_SQL = "SELECT mode, SUM(tickets) FROM tickets_claimhour WHERE draw_date = %s GROUP BY mode"
# Each reads one index entry; MIN and MAX in one query would read the whole index.
OLDEST_SQL = "SELECT created_at FROM pre_generated_tickets ORDER BY created_at LIMIT 1"
LATEST_SQL = "SELECT created_at FROM pre_generated_tickets ORDER BY created_at DESC LIMIT 1"
LAST_RUN_SQL = """
    SELECT id, pipeline_run_id, status, finished_at
    FROM tickets_generationrun WHERE origin = 'generated' ORDER BY id DESC LIMIT 1
"""
LAST_RUN_KEYS = ("generation_run_id", "pipeline_run_id", "status", "finished_at")


def get_batch_ticket_stats() -> dict[str, Any]:
    """Return stock statistics, summed over batches; `available_by_mode` is for the next draw."""
    by_mode, available = dict.fromkeys(MODE_NAMES, 0), dict.fromkeys(MODE_NAMES, 0)
    with connection.cursor() as cursor:
        next_draw = [connection.ops.adapt_datefield_value(upcoming_draw())]
        cursor.execute(STOCK_SQL, next_draw)
        for mode, stored, for_next_draw in cursor.fetchall():
            by_mode[mode], available[mode] = int(stored), int(for_next_draw)
        cursor.execute(CLAIMED_SQL, next_draw)
        for mode, claimed in cursor.fetchall():
            available[mode] -= int(claimed)
        cursor.execute(OLDEST_SQL)
        (oldest,) = cursor.fetchone() or (None,)
        cursor.execute(LATEST_SQL)
        (newest,) = cursor.fetchone() or (None,)
        cursor.execute(LAST_RUN_SQL)
        last_run = None
        if row := cursor.fetchone():
            last_run = dict(zip(LAST_RUN_KEYS, (*row[:3], isoformat_utc(row[3])), strict=True))
    return {
        "total_tickets": sum(by_mode.values()),
        "by_mode": by_mode,
        "available_by_mode": available,
        "oldest_ticket": isoformat_utc(oldest),
        "newest_ticket": isoformat_utc(newest),
        "last_run": last_run,
    }
