"""newest_ids returns the same tickets as a full scan."""

from datetime import date
from itertools import product

import pytest

from tests.factories import WEDNESDAY, ticket
from tickets.admin import ticket_lookup as finder
from tickets.admin.ticket_lookup import newest_ids
from tickets.models import PreGeneratedTicket
from tickets.models.number_query import parse_number_query
from tickets.store import insert_batch_tickets

pytestmark = pytest.mark.django_db

SATURDAY = date(2026, 11, 28)
NUMBERS = [
    *("", "5", "69", "+7", "5 +7", "5 12", "60 69", "5 12 +7", "60 69 +8", "1 2 3", "5 12 33", "12 60 69"),
    *("1 2 3 4", "12 33 41 60", "5 12 33 41 60", "5 12 33 41 60 +7", "2 5"),
]


@pytest.fixture
def tickets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Store tickets of two draws and three modes in batches that overlap in time."""
    monkeypatch.setattr(finder, "BATCH_GROUP_ROWS", 7)  # so that some are read together and some alone
    whites = [
        (5, 12, 33, 41, 60),
        (1, 2, 3, 4, 5),
        (2, 5, 12, 60, 69),
        (1, 33, 41, 60, 69),
        (5, 12, 13, 14, 69),
    ]
    for number, (run, mode) in enumerate(product(["a", "b", "c", "a", "b"], ["v1", "v2", "lstm"])):
        made = [ticket(*white, number % 13 + powerball) for white in whites for powerball in (1, 7)]
        insert_batch_tickets(made[number % 5 :], mode, f"run-{run}", (WEDNESDAY, SATURDAY)[number % 9 % 2])


@pytest.mark.usefixtures("tickets")
@pytest.mark.parametrize(
    "filters",
    [
        {},
        {"mode": "v2"},
        {"mode": "random_forest"},
        {"draw_date": SATURDAY},
        {"draw_date": WEDNESDAY, "mode": "lstm"},
        {"pipeline_run_id": "run-a"},
        {"pipeline_run_id": "run-c", "mode": "v1", "draw_date": SATURDAY},
    ],
)
def test_lookup_returns_the_newest_matching_tickets(filters: dict[str, object]) -> None:
    rows = list(PreGeneratedTicket.objects.filter(**filters).order_by("-id"))
    assert PreGeneratedTicket.objects.count() > 50

    for text in NUMBERS:
        list_ = PreGeneratedTicket.objects.filter_keeping_id_order(**filters)
        white, red = (), None
        if text:
            white, red = wanted = parse_number_query(text)
            list_ = list_.with_numbers(wanted)
        have = [row.pk for row in rows if set(white) <= set(row.white_balls) and red in (None, row.powerball)]
        for limit in (3, 1000):
            assert newest_ids(list_, limit) == have[:limit], (text, limit)


@pytest.mark.usefixtures("tickets")
@pytest.mark.parametrize("filters", [{}, {"mode": "v1"}])
def test_age_filter_combines_with_other_filters(filters: dict[str, object]) -> None:
    keys = list(PreGeneratedTicket.objects.filter(**filters).order_by("id").values_list("pk", flat=True))
    old, young = keys[: len(keys) // 2], keys[len(keys) // 2 :]
    PreGeneratedTicket.objects.filter(pk__in=old).update(created_at="2026-11-01T00:00:00Z")
    list_ = PreGeneratedTicket.objects.filter_keeping_id_order(**filters)

    assert newest_ids(list_.created_between(created_at__gte="2026-11-02 00:00:00Z"), 1000) == young[::-1]
    aged = list_.created_between(
        created_at__gte="2026-11-01 00:00:00Z", created_at__lt="2026-11-01 00:00:01Z"
    )
    assert newest_ids(aged, 2) == old[:-3:-1]
    assert len(newest_ids(aged.with_numbers(parse_number_query("5")), 1000)) > 5
