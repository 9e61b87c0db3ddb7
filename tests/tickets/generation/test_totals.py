"""Totals over batches and claims."""

from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from predictions.modes.registry import MODE_NAMES
from tests.factories import WEDNESDAY, count_claims, make_prediction, some_tickets
from tickets.generation.generator import BatchTicketGenerator
from tickets.generation.totals import BatchTotal, ClaimTotal, ClaimTotals, batch_totals
from tickets.models import TicketBatch
from tickets.models.claims import ClaimHour
from tickets.store import insert_batch_tickets, purge_batch

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("on_tuesday")]

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)  # Monday's draw was the last, Wednesday's is the next
SATURDAY, MONDAY = date(2026, 11, 21), date(2026, 11, 23)


def test_batches_are_summed_by_mode_and_status() -> None:
    make_prediction("v1")
    for size in (10, 20):
        BatchTicketGenerator(size, ["v1"]).generate_batch(async_mode=False, draw_date=WEDNESDAY)
    first, second = TicketBatch.objects.order_by("id")
    for batch, seconds in ((first, 1.5), (second, 2.5)):
        ends = {"started_at": NOON, "finished_at": NOON + timedelta(seconds=seconds)}
        TicketBatch.objects.filter(pk=batch.pk).update(**ends)
    purge_batch(first)
    insert_batch_tickets(some_tickets(3), "v1", draw_date=WEDNESDAY)

    with CaptureQueriesContext(connection) as queries:
        totals = batch_totals()

    assert len(queries) == 1
    assert totals["v1", "ready"] == BatchTotal(batches=2, generated=30, stored=23, seconds=4.0)
    assert totals["v1", "failed"] == BatchTotal()
    assert len(totals) == 25


def test_claims_of_all_draws_are_summed_and_those_of_past_draws_once_a_draw() -> None:
    claims = ClaimTotals()
    count_claims("v1", draw_date=SATURDAY, claims=4, tickets=20, refused=1)
    count_claims("v1", draw_date=MONDAY, claims=2, tickets=2, refused=0)
    count_claims("v1", draw_date=WEDNESDAY, shard=3, claims=1, tickets=5, refused=2)

    assert claims.at(NOON)["v1"] == ClaimTotal(granted=7, tickets=27, refused=3)
    assert claims.at(NOON)["lstm"] == ClaimTotal()
    with CaptureQueriesContext(connection) as queries:
        assert list(claims.at(NOON)) == list(MODE_NAMES)
    assert len(queries) == 1

    for day in (MONDAY, WEDNESDAY):  # one before the draw and one now
        ClaimHour.objects.filter(draw_date=day).update(tickets=100)
    assert claims.at(NOON)["v1"].tickets == 220
    assert (
        claims.at(NOON + timedelta(days=2))["v1"].tickets == 220
    )  # after another draw, nothing is lost or doubled
    assert ClaimTotals().at(NOON)["v1"].tickets == 220
