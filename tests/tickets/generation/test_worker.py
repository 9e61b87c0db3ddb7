"""Batches: tickets are a pure function of the row, stored in whole chunks, exactly as many as requested."""

from datetime import UTC, datetime

import pytest
from django.db import connection, transaction

from predictions.distributions.sampling import generator_for, sample
from tests.factories import WEDNESDAY, make_prediction, queued_batch, tilted_component
from tickets.generation import worker
from tickets.generation.verification import verify_batch
from tickets.generation.worker import run_batch
from tickets.models import GenerationRun, PreGeneratedTicket, TicketBatch
from tickets.store import clear_old_batch_tickets, insert_batch_tickets

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("on_tuesday")]

NUMBERS = ("n1", "n2", "n3", "n4", "n5", "powerball")


def stored_numbers(batch: TicketBatch) -> list[tuple[int, ...]]:
    return list(batch.tickets.order_by("id").values_list(*NUMBERS))


def test_a_batch_holds_exactly_the_requested_tickets_all_different() -> None:
    make_prediction()
    batch = queued_batch(1234, chunk_size=500)

    assert run_batch(batch.pk)

    batch.refresh_from_db()
    assert (batch.status, batch.stored, batch.generated, batch.attempts) == ("ready", 1234, 1234, 1)
    assert len(set(stored_numbers(batch))) == 1234
    assert batch.run.__class__.objects.get().status == "completed"


def test_its_tickets_are_the_ones_that_prediction_and_seed_say() -> None:
    make_prediction()
    batch = queued_batch(700, chunk_size=500)
    run_batch(batch.pk)

    expected = [
        *sample(tilted_component(), 500, generator_for(7, 0, 0)).tolist(),
        *sample(tilted_component(), 200, generator_for(7, 1, 0)).tolist(),
    ]
    assert stored_numbers(batch) == [tuple(ticket) for ticket in expected]


def test_same_row_gives_the_same_tickets_and_another_seed_does_not() -> None:
    make_prediction()
    first, second = queued_batch(300), queued_batch(300, seed=8)
    run_batch(first.pk)
    run_batch(second.pk)
    tickets = stored_numbers(first)
    assert not set(tickets) & set(stored_numbers(second))
    PreGeneratedTicket.objects.all().delete()

    again = queued_batch(300)
    run_batch(again.pk)

    assert stored_numbers(again) == tickets


def test_a_second_delivery_of_its_task_does_nothing() -> None:
    make_prediction()
    batch = queued_batch()
    assert run_batch(batch.pk) is True

    assert run_batch(batch.pk) is False

    batch.refresh_from_db()
    assert (batch.attempts, batch.stored, PreGeneratedTicket.objects.count()) == (1, 100, 100)


def test_a_mixture_deals_its_tickets_by_share_and_names_the_component_of_each() -> None:
    make_prediction(components=[tilted_component("a", 0.7), tilted_component("b", 0.3)])
    batch = queued_batch(1001, chunk_size=100)
    assert batch.component_counts == [701, 300]

    run_batch(batch.pk)

    batch.refresh_from_db()
    strategies = list(batch.tickets.order_by("id").values_list("strategy_used", flat=True))
    assert (strategies.count("a"), strategies.count("b")) == (701, 300)
    assert 10 < strategies[:100].count("b") < 60  # every prefix is mixed
    assert verify_batch(batch).is_reproducible


def test_an_interrupted_batch_resumes_at_its_last_committed_chunk_with_the_same_tickets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_prediction()
    whole = queued_batch(500, chunk_size=100)
    run_batch(whole.pk)
    tickets = stored_numbers(whole)
    PreGeneratedTicket.objects.all().delete()
    batch = queued_batch(500, chunk_size=100)

    def stop_after_two(now: TicketBatch) -> None:
        if now.generated == 200:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_batch(batch.pk, stop_after_two)
    batch.refresh_from_db()
    assert (batch.status, batch.stored) == ("failed", 200)
    assert batch.error == "stopped: KeyboardInterrupt"
    TicketBatch.objects.filter(pk=batch.pk).update(status="queued")  # as a retry does
    run_batch(batch.pk)

    batch.refresh_from_db()
    assert (batch.status, batch.stored, batch.generated) == ("ready", 500, 500)
    assert stored_numbers(batch) == tickets


def test_a_batch_cancelled_meanwhile_gets_no_more_tickets() -> None:
    make_prediction()
    batch = queued_batch(500, chunk_size=100)

    def cancel(now: TicketBatch) -> None:
        TicketBatch.objects.filter(pk=now.pk).update(status="cancelled")

    run_batch(batch.pk, cancel)

    batch.refresh_from_db()
    assert (batch.status, batch.stored, PreGeneratedTicket.objects.count()) == ("cancelled", 100, 100)


def test_a_failure_in_the_middle_of_a_chunk_leaves_none_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    make_prediction()
    batch = queued_batch(200, chunk_size=100)
    existing = sample(tilted_component(), 100, generator_for(7, 1, 0)).tolist()[0]
    insert_batch_tickets([{"white_balls": existing[:5], "powerball": existing[5]}], "v1", draw_date=WEDNESDAY)
    monkeypatch.setattr(worker, "MAX_ROUNDS", 0)

    run_batch(batch.pk)

    batch.refresh_from_db()
    assert (batch.status, batch.stored, batch.tickets.count()) == ("failed", 100, 100)
    assert "1 of 100 tickets of chunk 1 already exist" in batch.error
    assert GenerationRun.objects.get(pk=batch.run_id).status == "failed"


def test_cleanup_before_a_batch_deletes_old_tickets_of_its_mode_only() -> None:
    make_prediction()
    for mode, balls in (("random_forest", [1, 2, 3, 4, 5]), ("lstm", [2, 3, 4, 5, 6])):
        insert_batch_tickets([{"white_balls": balls, "powerball": 1}], mode, draw_date=WEDNESDAY)
    PreGeneratedTicket.objects.update(created_at=datetime(2020, 1, 1, tzinfo=UTC))

    run_batch(queued_batch().pk)

    assert PreGeneratedTicket.objects.filter(mode="random_forest").count() == 100
    assert PreGeneratedTicket.objects.filter(mode="lstm").count() == 1


def test_a_broken_prediction_fails_the_batch_by_name() -> None:
    prediction = make_prediction()
    batch = queued_batch()
    prediction.components[0]["white"][3] = 0.0
    prediction.save()

    run_batch(batch.pk)

    batch.refresh_from_db()
    assert batch.status == "failed"
    assert "every white weight must be positive and finite" in batch.error


def test_a_ticket_changed_in_the_table_is_found_by_verification() -> None:
    make_prediction()
    batch = queued_batch()
    run_batch(batch.pk)
    batch.refresh_from_db()
    with connection.cursor() as cursor, transaction.atomic():
        cursor.execute(
            "UPDATE pre_generated_tickets SET confidence_score = 0.123 "
            "WHERE id = (SELECT MIN(id) FROM pre_generated_tickets)"
        )

    verification = verify_batch(batch)

    assert (verification.equal, verification.missing, verification.unexplained) == (99, 1, 1)
    assert not verification.is_reproducible


def test_a_purged_batch_is_not_called_proven() -> None:
    make_prediction()
    batch = queued_batch()
    run_batch(batch.pk)
    PreGeneratedTicket.objects.update(created_at=datetime(2020, 1, 1, tzinfo=UTC))
    clear_old_batch_tickets(7)
    batch.refresh_from_db()

    assert (batch.stored, batch.generated) == (0, 100)
    assert verify_batch(batch).missing == 100
    assert not verify_batch(batch).is_reproducible
