"""Claimed tickets are never deleted before their draw is scored, and expire only long after it."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import IntegrityError, connection, transaction
from django.db.models import F, ProtectedError, QuerySet
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from predictions.draws import feeds
from predictions.draws.sources import import_rows
from predictions.models import Draw
from tests.commands import call
from tests.factories import WEDNESDAY, claim_tickets, make_draw, make_prediction, some_tickets
from tests.staff import superuser
from tickets.cluster.reaper import reap
from tickets.generation.generator import BatchTicketGenerator
from tickets.generation.lifecycle import cancel_batch, retry_batch
from tickets.generation.worker import run_batch
from tickets.models import ApiClient, Claim, GenerationRun, PreGeneratedTicket, TicketBatch
from tickets.scoring.scorer import score_draw, score_known_draws
from tickets.store import (
    clear_old_batch_tickets,
    deletion,
    find_expired_claimed_tickets,
    insert_batch_tickets,
    purge_batch,
)
from tickets.store.purge import purge_candidates
from tickets.tasks import clean_up_tickets, purge_ticket_batch

pytestmark = pytest.mark.django_db

DRAWN = datetime(2026, 11, 26, 3, 59, tzinfo=UTC)  # Wednesday, 22:59 in New York
LATER = DRAWN + timedelta(days=90)
SECOND = timedelta(seconds=1)


@pytest.fixture(autouse=True)
def _the_day_before() -> Iterator[None]:
    with time_machine.travel(datetime(2026, 11, 24, 12, tzinfo=UTC), tick=False):
        yield


@pytest.fixture
def batch() -> TicketBatch:
    """Insert ten old tickets of random_forest, three of them claimed."""
    insert_batch_tickets(some_tickets(10), "random_forest", "pipe-1", WEDNESDAY)
    PreGeneratedTicket.objects.update(created_at=F("created_at") - timedelta(days=400))
    batch = TicketBatch.objects.select_related("run").get()
    claim_tickets(batch, 3)
    return batch


def left(batch: TicketBatch) -> int:
    """Return the number of a batch's tickets, after checking the batch's own count."""
    batch.refresh_from_db()
    assert batch.stored == PreGeneratedTicket.objects.filter(batch=batch).count()
    return batch.stored


def generate_with_cleanup(batch: TicketBatch) -> None:
    make_prediction(draw_date=WEDNESDAY)
    BatchTicketGenerator(5, [batch.mode]).generate_batch(async_mode=False, draw_date=WEDNESDAY)


def purge_in_admin(batch: TicketBatch) -> None:
    superuser().post("/admin/tickets/pregeneratedticket/purge/", {"batches": str(batch.pk)})


def delete_in_admin(model: str, pk: int) -> None:
    superuser().post(f"/admin/tickets/{model}/{pk}/delete/", {"post": "yes"})


def is_protected(rows: QuerySet[Any]) -> None:
    """The ORM refuses to delete rows that tickets refer to."""
    with pytest.raises(ProtectedError), transaction.atomic():
        rows.delete()


def delete_raw(table: str) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {table}")
        connection.check_constraints()  # deferred until the end of the test's transaction otherwise


def is_held(table: str) -> None:
    """The database refuses to delete rows that tickets or claims refer to."""
    with pytest.raises(IntegrityError):
        delete_raw(table)


def cancel_and_retry(batch: TicketBatch) -> None:
    """Cancel and retry a batch as if it were being generated."""
    make_prediction()
    TicketBatch.objects.update(status=TicketBatch.Status.RUNNING, origin="generated")
    assert cancel_batch(batch)
    assert retry_batch(batch)
    run_batch(batch.pk)


DOORS: dict[str, Callable[[TicketBatch], object]] = {
    "clear_old_batch_tickets": lambda batch: clear_old_batch_tickets(1),
    "cleanup_tickets": lambda batch: call("cleanup_tickets", "--days", "1"),
    "a batch's own cleanup": generate_with_cleanup,
    "purge_batch": purge_batch,
    "a purge by age": lambda batch: purge_batch(batch, before=datetime.now(UTC)),
    "a purge's task": lambda batch: purge_ticket_batch(batch.pk, None),
    "the admin's purge": purge_in_admin,
    "the clock's cleanup": lambda batch: clean_up_tickets(),
}

CLOSED_DOORS: dict[str, Callable[[TicketBatch], object]] = {  # delete nothing, claimed or not
    "cancelling the batch and trying again": cancel_and_retry,
    "the watchdog's reaper": lambda batch: reap(),
    "inserting its tickets again": lambda batch: insert_batch_tickets(
        some_tickets(10), "v1", "pipe-1", WEDNESDAY
    ),
    "deleting the client": lambda batch: is_protected(ApiClient.objects.all()),
    "deleting the client in the admin": lambda batch: delete_in_admin(
        "apiclient", ApiClient.objects.get().pk
    ),
    "deleting the client by SQL": lambda batch: is_held("tickets_apiclient"),
    "deleting the claim": lambda batch: is_protected(Claim.objects.all()),
    "deleting the claim in the admin": lambda batch: delete_in_admin("claim", Claim.objects.get().pk),
    "deleting the claim by SQL": lambda batch: is_held("tickets_claim"),
    "deleting the batch": lambda batch: is_protected(TicketBatch.objects.all()),
    "deleting the batch in the admin": lambda batch: delete_in_admin("ticketbatch", batch.pk),
    "deleting the batch by SQL": lambda batch: is_held("tickets_ticketbatch"),
    "deleting the run": lambda batch: is_protected(GenerationRun.objects.all()),
    "deleting the run in the admin": lambda batch: delete_in_admin("generationrun", batch.run_id),
    "deleting the ticket in the admin": lambda batch: delete_in_admin(
        "pregeneratedticket", batch.tickets.exclude(claim=None)[0].pk
    ),
}


@pytest.mark.parametrize("door", DOORS.values(), ids=DOORS)
def test_no_door_deletes_a_claimed_ticket_before_its_draw_is_scored(
    door: Callable[[TicketBatch], object], batch: TicketBatch
) -> None:
    with time_machine.travel(LATER + timedelta(days=1000)):
        door(batch)

    assert left(batch) == 3
    assert set(batch.tickets.values_list("claim", flat=True)) == {Claim.objects.get().pk}


@pytest.mark.parametrize("door", CLOSED_DOORS.values(), ids=CLOSED_DOORS)
def test_cleanup_that_deletes_nothing_keeps_claimed_tickets(
    door: Callable[[TicketBatch], object], batch: TicketBatch
) -> None:
    with time_machine.travel(LATER + timedelta(days=1000)):
        door(batch)

    assert left(batch) == 10
    assert batch.tickets.filter(claim=Claim.objects.get()).count() == 3


def test_a_draw_that_is_named_too_early_or_comes_from_elsewhere_frees_no_claimed_ticket(
    batch: TicketBatch,
) -> None:
    text = "Draw Date,Winning Numbers,Multiplier\n11/25/2026,05 12 33 41 60 07,2\n"

    report = import_rows(feeds.read(text, "ny-csv"), "too early", overwrite=True)
    score_known_draws()

    assert (report.new, len(report.rejected)) == (0, 1)
    assert purge_batch(batch) == 7
    assert left(batch) == 3


def test_a_draw_that_is_corrected_after_the_purge_leaves_the_claim_its_numbers(batch: TicketBatch) -> None:
    score_draw(make_draw())
    purge_batch(batch)
    numbers = Claim.objects.get().numbers

    Draw.objects.update(n1=1)
    score_known_draws()

    assert Claim.objects.get().numbers == numbers
    assert batch.score.tickets == 10


@pytest.mark.parametrize("missing", [Draw, "score"], ids=["the draw", "the score"])
def test_scored_is_a_score_of_the_batch_and_a_stored_draw(missing: object, batch: TicketBatch) -> None:
    score_draw(make_draw())
    if missing is Draw:
        Draw.objects.all().delete()
    else:
        batch.score.delete()

    purge_batch(batch)

    assert left(batch) == 3


def test_a_scored_batch_is_purged_whole_and_the_claim_keeps_its_numbers(batch: TicketBatch) -> None:
    score_draw(make_draw())

    assert purge_batch(batch) == 10

    assert left(batch) == 0
    assert Claim.objects.get().numbers == [[1, 2, 3, 4, 5, 1], [1, 2, 3, 4, 6, 1], [1, 2, 3, 4, 7, 1]]


@pytest.mark.parametrize("scored", [False, True])
@pytest.mark.parametrize("before", [None, DRAWN], ids=["all", "by age"])
def test_the_preview_of_a_purge_counts_what_really_goes(
    scored: bool, before: datetime | None, batch: TicketBatch
) -> None:
    insert_batch_tickets(some_tickets(4, powerball=2), "v1", "all-claimed", WEDNESDAY)
    claim_tickets(TicketBatch.objects.get(mode="v1"), 4)
    if scored:
        score_draw(make_draw())

    candidates = purge_candidates(before=before)

    with time_machine.travel(LATER):
        deleted = {item.batch.mode: purge_batch(item.batch, before=before) for item in candidates}
    assert deleted == {item.batch.mode: item.tickets for item in candidates}
    assert deleted == ({"random_forest": 10, "v1": 4} if scored else {"random_forest": 7})


@pytest.mark.parametrize(
    ("now", "goes"), [(LATER - SECOND, False), (LATER, False), (LATER + SECOND, True)], ids=str
)
def test_by_age_a_claimed_ticket_goes_90_days_after_its_draw_however_old_it_is_itself(
    now: datetime, goes: bool, batch: TicketBatch
) -> None:
    score_draw(make_draw())
    batch.tickets.filter(n5=6).update(created_at=LATER)

    with time_machine.travel(now, tick=False):
        clear_old_batch_tickets(1)

    assert left(batch) == (0 if goes else 3)
    assert len(Claim.objects.get().numbers) == 3


def test_how_long_claimed_tickets_stay_is_a_setting(batch: TicketBatch) -> None:
    score_draw(make_draw())

    with override_settings(CLAIM_KEEP_DAYS=5):
        for days, stay in ((5, 3), (6, 0)):
            with time_machine.travel(DRAWN + timedelta(days=days), tick=False):
                clear_old_batch_tickets()
            assert left(batch) == stay


def test_another_modes_claimed_tickets_stay(batch: TicketBatch) -> None:
    score_draw(make_draw())

    with time_machine.travel(LATER + SECOND):
        assert clear_old_batch_tickets(mode="v1") == 0
        assert clear_old_batch_tickets(mode="random_forest") == 10


def test_a_ticket_claimed_while_others_are_deleted_stays(
    batch: TicketBatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deletion, "DELETE_CHUNK", 2)
    deleted: list[int] = []

    def claim_after_the_first_chunk(count: int) -> None:
        if not deleted:
            claim_tickets(batch, 4)
        deleted.append(count)

    assert clear_old_batch_tickets(1, watch=claim_after_the_first_chunk) == 3

    assert deleted == [2, 0, 0, 1]
    assert left(batch) == 7


def test_the_command_counts_claimed_ones_apart(batch: TicketBatch) -> None:
    score_draw(make_draw())

    with time_machine.travel(LATER + SECOND):
        assert call("cleanup_tickets", "--dry-run", "--days", "7")[0] == (
            "Would delete 7 tickets older than 7 days and 3 claimed tickets drawn more than 90 days ago.\n"
        )
        assert left(batch) == 10
        assert call("cleanup_tickets")[0] == (
            "Deleted 10 tickets older than the retention of their mode "
            "or claimed and drawn more than 90 days ago.\n"
        )
    assert left(batch) == 0


def test_old_claimed_tickets_are_found_by_their_own_index() -> None:
    if connection.vendor != "sqlite":
        pytest.skip("EXPLAIN QUERY PLAN is SQLite's; PostgreSQL chooses by the size of the table")

    with CaptureQueriesContext(connection) as queries:
        list(find_expired_claimed_tickets().values_list("batch", "pk")[:10])

    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {queries[0]['sql']}")
        steps = " / ".join(row[3] for row in cursor.fetchall())
    assert "USING INDEX idx_pre_generated_claimed (draw_date<?)" in steps
    assert "TEMP B-TREE" not in steps


def test_admin_shows_the_exact_number_to_delete(batch: TicketBatch) -> None:
    page = superuser().get("/admin/tickets/pregeneratedticket/purge/", {"batches": batch.pk})

    assert "<strong>7 tickets</strong> will be deleted" in page.content.decode()
