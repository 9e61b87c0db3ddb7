"""The newest tickets that a list's filters leave, found without reading the millions that they do not.

What is asked of tickets is mostly asked of whole batches, and the batches know how many they hold: theirs are
read in the order of an index, the newest batches first. Where few tickets can have the numbers that are asked
for, the unique index finds them, whose columns the numbers are.
"""

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

from predictions.powerball import WHITE_BALLS, WHITE_MAX
from tickets.models import PreGeneratedTicketQuerySet, TicketBatch
from tickets.models.number_query import NumberQuery

RESULT_LIMIT = 10_001  # one more than is said: then it is "more than 10,000"
FOUND_BY_NUMBERS = 1_001  # a search walks over many tickets for each that it finds
BATCH_GROUP_ROWS = 50_000  # tickets of small batches that one query reads and sorts


class _Batch(NamedTuple):
    pk: int
    run_id: str
    mode: str
    stored: int


def newest_ids(tickets: PreGeneratedTicketQuerySet, limit: int) -> list[int]:
    """The keys of the newest tickets of a list, at most so many, newest first.

    `tickets` must have been filtered by its own methods: `filter_keeping_id_order`, `created_between` and
    `with_numbers`.
    """
    wanted = tickets.number_query
    if wanted is not None and wanted.is_selective:
        return _by_numbers(tickets, wanted)[:limit]
    if tickets.filters:
        return _by_batch(tickets, limit)
    if tickets.age_filters and wanted is None:  # in the order of the index of ages
        aged = tickets.filter(**tickets.age_filters).order_by("-created_at", "-id")
        return sorted(aged.values_list("pk", flat=True)[:limit], reverse=True)
    return list(tickets.order_by("-id").values_list("pk", flat=True)[:limit])


def _by_batch(tickets: PreGeneratedTicketQuerySet, limit: int) -> list[int]:
    """Batch after batch until enough are found; of the others then only what is newer than those."""
    rows = TicketBatch.objects.with_stock(**tickets.filters).order_by("-id")
    rest = [_Batch(*row) for row in rows.values_list("pk", "run__pipeline_run_id", "mode", "stored")]
    within = tickets.without_filters()
    found: list[int] = []
    while rest:
        is_enough = len(found) == limit
        group = rest if is_enough else _next_group(rest)
        rest = rest[len(group) :]
        newer = within.filter(pk__gt=found[-1]) if is_enough else within
        keys = _in_batches(newer, group).order_by("-id").values_list("pk", flat=True)[:limit]
        found = sorted([*found, *keys], reverse=True)[:limit]
    return found


def _next_group(batches: Sequence[_Batch]) -> Sequence[_Batch]:
    """One big batch, or the small ones before it: of several the database must sort what it finds."""
    together, stored = 0, 0
    for batch in batches:
        stored += batch.stored
        if stored > BATCH_GROUP_ROWS:
            break
        together += 1
    return batches[: max(1, together)]


def _in_batches(tickets: PreGeneratedTicketQuerySet, group: Sequence[_Batch]) -> PreGeneratedTicketQuerySet:
    """Those of some batches; run and mode let idx_pre_generated_pipeline_run serve the query."""
    if len(group) == 1:
        one = group[0]
        return tickets.filter(pipeline_run_id=one.run_id, mode=one.mode, batch=one.pk)
    return tickets.filter(
        pipeline_run_id__in={one.run_id for one in group},
        mode__in={one.mode for one in group},
        batch__in=[one.pk for one in group],
    )


def _by_numbers(tickets: PreGeneratedTicketQuerySet, wanted: NumberQuery) -> list[int]:
    """By the unique index, once for each places that the balls can have among a ticket's five.

    Sorted here: a database that is asked to sort may walk over all tickets instead.
    """
    stocked = TicketBatch.objects.with_stock(**tickets.filters).order_by()
    draws = list(stocked.values_list("draw_date", flat=True).distinct())
    keys: list[int] = []
    for columns in _columns(wanted.white_balls):
        found = tickets.filter(draw_date__in=draws, **columns).order_by()
        keys += found.values_list("pk", flat=True)
    return sorted(keys, reverse=True)


def _columns(white_balls: Sequence[int]) -> Iterator[dict[str, object]]:
    """What each column of a ticket must be, up to the last ball named; of those before it every value is
    named, too, so that an index is entered rather than read.
    """
    for places in combinations(range(1, WHITE_BALLS + 1), len(white_balls)):
        at = dict(zip(places, white_balls, strict=True))
        columns: dict[str, object] = {}
        for place in range(1, max(places) + 1):
            columns[f"n{place}__in"] = [at[place]] if place in at else _possible_balls(at, place)
        if all(columns.values()):
            yield columns


def _possible_balls(at: dict[int, int], place: int) -> list[int]:
    """The balls that a place can have, given those of other places: a ticket's balls ascend."""
    low = max((ball + place - other for other, ball in at.items() if other < place), default=place)
    high = min((ball + place - other for other, ball in at.items() if other > place), default=WHITE_MAX)
    return list(range(low, high + 1))
