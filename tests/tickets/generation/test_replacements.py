"""A ticket that already exists for its draw is rejected, replaced, recorded and counted."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from predictions.distributions.sampling import component_order, draw_tickets, generator_for, sample
from tests.factories import (
    WEDNESDAY,
    dealt_component,
    make_prediction,
    peaked_component,
    queued_batch,
    stratified_component,
    tilted_component,
)
from tickets.generation.verification import verify_batch
from tickets.generation.worker import run_batch
from tickets.models import TicketBatch
from tickets.store import insert_batch_tickets

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("on_tuesday")]


def replacements(batch: TicketBatch) -> list[dict[str, Any]]:
    """Return the metadata of a batch's replacements."""
    return [
        json.loads(text) for text in batch.tickets.exclude(metadata=None).values_list("metadata", flat=True)
    ]


def test_tickets_that_exist_already_are_replaced_recorded_and_counted() -> None:
    make_prediction()
    existing = sample(tilted_component(), 100, generator_for(7, 0, 0)).tolist()[10:13]
    inserted = [{"white_balls": ticket[:5], "powerball": ticket[5]} for ticket in existing]
    assert insert_batch_tickets(inserted, "v1", draw_date=WEDNESDAY) == 3
    batch = queued_batch()

    run_batch(batch.pk)

    batch.refresh_from_db()
    assert (batch.status, batch.stored, batch.replaced) == ("ready", 100, 3)
    records = replacements(batch)
    assert sorted(record["place"] for record in records) == [10, 11, 12]
    assert {record["round"] for record in records} == {1}
    verification = verify_batch(batch)
    assert (verification.equal, verification.replaced) == (97, 3)
    assert verification.is_reproducible


def test_two_batches_of_one_seed_share_no_ticket_and_both_are_reproducible() -> None:
    """Every ticket of the second batch already exists, as do some of its replacements."""
    make_prediction(components=[peaked_component()])
    first, second = queued_batch(200), queued_batch(200)
    run_batch(first.pk)
    run_batch(second.pk)

    second.refresh_from_db()
    assert (second.status, second.stored) == ("ready", 200)
    assert second.replaced == 200
    assert verify_batch(second).is_reproducible


def test_duplicates_are_rejected_by_the_table_then_replaced_and_counted() -> None:
    make_prediction(components=[peaked_component()])
    batch = queued_batch(2000)
    drawn = sample(peaked_component(), 2000, generator_for(7, 0, 0))
    first_places = np.unique(drawn, axis=0, return_index=True)[1]
    assert len(first_places) < 1990

    run_batch(batch.pk)

    batch.refresh_from_db()
    assert (batch.status, batch.stored) == ("ready", 2000)
    assert batch.replaced == 2000 - len(first_places)
    records = replacements(batch)
    assert {record["place"] for record in records} == set(range(2000)) - set(first_places.tolist())
    verification = verify_batch(batch)
    assert (verification.equal, verification.replaced) == (len(first_places), batch.replaced)
    assert verification.is_reproducible


def test_a_repeat_in_a_later_chunk_is_replaced_as_one_in_the_same_chunk_is() -> None:
    make_prediction(components=[peaked_component()])
    batch = queued_batch(2000, chunk_size=400)
    chunks = [sample(peaked_component(), 400, generator_for(7, chunk, 0)) for chunk in range(5)]
    within = sum(400 - len(np.unique(chunk, axis=0)) for chunk in chunks)

    run_batch(batch.pk)

    batch.refresh_from_db()
    assert (batch.status, batch.stored) == ("ready", 2000)
    assert batch.replaced >= 2000 - len(np.unique(np.concatenate(chunks), axis=0)) > within > 0
    assert verify_batch(batch).is_reproducible


def test_mixture_of_components_is_generated_and_verified_despite_existing_tickets() -> None:
    mixture = [
        replace(peaked_component("frequency_weighted"), share=0.5),
        replace(stratified_component(tilted_component("range_balanced")), share=0.25),
        dealt_component("coverage_optimizer", 0.25),
    ]
    make_prediction(components=mixture)
    batch = queued_batch(800, chunk_size=200)
    order = component_order(batch.component_counts, 7)
    drawn = draw_tickets(mixture, order[:200], generator_for(7, 0, 0))
    existing = np.flatnonzero(order[:200] > 0)[:40].tolist()  # by strata and by decks
    inserted = [
        {"white_balls": white_balls, "powerball": powerball}
        for *white_balls, powerball in drawn[existing].tolist()
    ]
    assert insert_batch_tickets(inserted, "lstm", draw_date=WEDNESDAY) == 40

    run_batch(batch.pk)

    batch.refresh_from_db()
    assert (batch.status, batch.stored) == ("ready", 800)
    strategies = list(batch.tickets.order_by("id").values_list("strategy_used", flat=True))
    assert {name: strategies.count(name) for name in set(strategies)} == {
        "frequency_weighted": 400,
        "range_balanced": 200,
        "coverage_optimizer": 200,
    }
    replaced = batch.tickets.exclude(metadata=None).exclude(strategy_used="frequency_weighted")
    assert set(existing) <= {
        json.loads(text)["place"] for text in replaced.values_list("metadata", flat=True)
    }
    decks = batch.tickets.filter(strategy_used="coverage_optimizer")
    assert set(decks.values_list("confidence_score", flat=True)) == {0.5}
    verification = verify_batch(batch)
    assert verification.is_reproducible
    assert verification.replaced == batch.replaced > 40
