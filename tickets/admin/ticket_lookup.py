"""Look up the newest tickets of a filtered list without reading the whole table.

Most filters select whole batches, read newest first; selective numbers are searched in the unique index.
"""

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

from predictions.powerball import WHITE_BALLS, WHITE_MAX
from tickets.models import PreGeneratedTicketQuerySet, TicketBatch
from tickets.models.number_query import NumberQuery

RESULT_LIMIT = 10_001  # one more than shown, to detect "more than 10,000"
NUMBER_RESULT_LIMIT = 1_001  # a search by numbers scans many tickets per match
BATCH_GROUP_ROWS = 50_000  # tickets of small batches read and sorted by one query


class _Batch(NamedTuple):
    pk: int
    run_id: str
    mode: str
    stored: int


def newest_ids(tickets: PreGeneratedTicketQuerySet, limit: int) -> list[int]:
    """Return the ids of at most `limit` tickets, newest first.

    `tickets` may be filtered only by `filter_keeping_id_order`, `created_between` and `with_numbers`.
    """
    query = tickets.number_query
    if query is not None and query.is_selective:
        return _by_numbers(tickets, query)[:limit]
    if tickets.filters:
        return _by_batch(tickets, limit)
    if tickets.age_filters and query is None:  # in the order of the index on created_at
        aged = tickets.filter(**tickets.age_filters).order_by("-created_at", "-id")
        return sorted(aged.values_list("pk", flat=True)[:limit], reverse=True)
    return list(tickets.order_by("-id").values_list("pk", flat=True)[:limit])


def _by_batch(tickets: PreGeneratedTicketQuerySet, limit: int) -> list[int]:
    """Read batch by batch, newest first, until the limit is reached.

    Batches may overlap in time, so the others are then read for newer tickets only.
    """
    rows = TicketBatch.objects.with_stock(**tickets.filters).order_by("-id")
    remaining = [_Batch(*row) for row in rows.values_list("pk", "run__pipeline_run_id", "mode", "stored")]
    candidates = tickets.without_filters()
    ids: list[int] = []
    while remaining:
        is_full = len(ids) == limit
        group = remaining if is_full else _next_group(remaining)
        remaining = remaining[len(group) :]
        newer = candidates.filter(pk__gt=ids[-1]) if is_full else candidates
        group_ids = _in_batches(newer, group).order_by("-id").values_list("pk", flat=True)[:limit]
        ids = sorted([*ids, *group_ids], reverse=True)[:limit]
    return ids


def _next_group(batches: Sequence[_Batch]) -> Sequence[_Batch]:
    """Return the next large batch alone, or several small ones, whose tickets the database must sort."""
    count, stored = 0, 0
    for batch in batches:
        stored += batch.stored
        if stored > BATCH_GROUP_ROWS:
            break
        count += 1
    return batches[: max(1, count)]


def _in_batches(tickets: PreGeneratedTicketQuerySet, batches: Sequence[_Batch]) -> PreGeneratedTicketQuerySet:
    """Filter by batch, and by run and mode so that idx_pre_generated_pipeline_run is used."""
    if len(batches) == 1:
        batch = batches[0]
        return tickets.filter(pipeline_run_id=batch.run_id, mode=batch.mode, batch=batch.pk)
    return tickets.filter(
        pipeline_run_id__in={batch.run_id for batch in batches},
        mode__in={batch.mode for batch in batches},
        batch__in=[batch.pk for batch in batches],
    )


def _by_numbers(tickets: PreGeneratedTicketQuerySet, query: NumberQuery) -> list[int]:
    """Search the unique index once per possible position of the balls; ORDER BY could scan the table."""
    stocked = TicketBatch.objects.with_stock(**tickets.filters).order_by()
    draws = list(stocked.values_list("draw_date", flat=True).distinct())
    ids: list[int] = []
    for lookups in _column_lookups(query.white_balls):
        matches = tickets.filter(draw_date__in=draws, **lookups).order_by()
        ids += matches.values_list("pk", flat=True)
    return sorted(ids, reverse=True)


def _column_lookups(white_balls: Sequence[int]) -> Iterator[dict[str, object]]:
    """Yield the filters for each possible position of the balls in columns n1 to n5.

    Columns before the last given ball list all possible values, so that the index can be searched.
    """
    for positions in combinations(range(1, WHITE_BALLS + 1), len(white_balls)):
        fixed = dict(zip(positions, white_balls, strict=True))
        lookups: dict[str, object] = {}
        for position in range(1, max(positions) + 1):
            balls = [fixed[position]] if position in fixed else _possible_balls(fixed, position)
            lookups[f"n{position}__in"] = balls
        if all(lookups.values()):
            yield lookups


def _possible_balls(fixed: dict[int, int], position: int) -> list[int]:
    """Return the balls that fit at a position between the given ones, in ascending order."""
    low = max(
        (ball + position - other for other, ball in fixed.items() if other < position), default=position
    )
    high = min(
        (ball + position - other for other, ball in fixed.items() if other > position), default=WHITE_MAX
    )
    return list(range(low, high + 1))
