"""Deleting a draw deletes its scores and keeps its claims, also in the admin."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from threading import Thread

import pytest
import time_machine
from django.contrib.admin.models import DELETION, LogEntry
from django.contrib.auth.models import User
from django.db import connection
from django.test import TestCase

from predictions.draws import deletion
from predictions.draws.deletion import (
    DependentKind,
    delete_draws,
    draws_to_delete,
    preview_deletion,
    register_dependents,
)
from predictions.evaluation.log_loss import evaluate_predictions
from predictions.models import Draw, Prediction, StrategyShares
from predictions.training.strategy_shares import update_shares
from tests.factories import claim_tickets, make_draw, make_prediction, ticket, tilted_component
from tests.staff import heard_of, staff_who_may, superuser
from tickets.models import Claim, PreGeneratedTicket, TicketBatch
from tickets.models.scores import BatchScore
from tickets.scoring.scorer import Verdict, draws_to_score, score_draw, score_known_draws
from tickets.store import clear_old_batch_tickets, insert_batch_tickets, purge_batch

pytestmark = pytest.mark.django_db

MONDAY = date(2025, 12, 22)
DRAWS = "/admin/predictions/draw/"
DELETE = f"{DRAWS}delete-draws/"
FORM = {"draw_dates": "2025-12-22", "reason": "another game"}


@pytest.fixture(autouse=True)
def _after_the_draw() -> Iterator[None]:
    with time_machine.travel(datetime(2026, 11, 24, 12, tzinfo=UTC), tick=False):
        yield


@pytest.fixture
def draw() -> Draw:
    """Return a scored draw with two tickets, one of them claimed."""
    tickets = [ticket(5, 12, 33, 41, 60, 7), ticket(1, 2, 3, 4, 5, 6)]
    insert_batch_tickets(tickets, "v1", draw_date=MONDAY)
    claim_tickets(TicketBatch.objects.get(), 1)
    draw = make_draw(MONDAY)
    score_draw(draw)
    return draw


def delete() -> None:
    with TestCase.captureOnCommitCallbacks(execute=True):
        delete_draws([MONDAY], "another game", "test")


@pytest.mark.usefixtures("draw")
def test_the_preview_lists_scores_and_claims() -> None:
    dependents = preview_deletion(draws_to_delete([MONDAY])).dependents

    counts = {dependent.name: dependent.count for dependent in dependents}
    assert (counts["ticket batch scores"], counts["claims"]) == (1, 1)


@pytest.mark.usefixtures("draw")
def test_the_scores_go_and_claims_and_tickets_stay() -> None:
    numbers = Claim.objects.get().numbers

    delete()

    assert not BatchScore.objects.exists()
    assert Claim.objects.get().numbers == numbers
    assert PreGeneratedTicket.objects.count() == 2


@pytest.mark.usefixtures("draw")
def test_no_door_deletes_a_claimed_ticket_of_a_deleted_draw() -> None:
    delete()

    clear_old_batch_tickets(1)
    purge_batch(TicketBatch.objects.get())

    assert PreGeneratedTicket.objects.get().claim is not None


@pytest.mark.usefixtures("draw")
def test_the_right_draw_is_scored_when_it_is_stored() -> None:
    delete()
    assert draws_to_score() == []
    right = make_draw(MONDAY, (1, 2, 3, 4, 5), 6)

    assert draws_to_score() == [right]
    score_draw(right)

    assert BatchScore.objects.get().white_balls == [1, 2, 3, 4, 5]


def test_a_draw_deleted_while_its_tickets_are_counted_is_not_scored(draw: Draw) -> None:
    delete()
    outcomes: list[Verdict] = []

    score_draw(draw, lambda outcome: outcomes.append(outcome.verdict))

    assert outcomes == [Verdict.DELETED]
    assert not BatchScore.objects.exists()


# In the admin


@pytest.mark.usefixtures("draw")
def test_a_page_of_the_admin_previews_the_deletion_and_changes_nothing() -> None:
    page = heard_of(superuser().get(DELETE, FORM))

    assert "1 draw will be deleted." in page
    assert "2025-12-22: 5 12 33 41 60 +7 - test" in page
    assert (
        "ticket batch scores 1 deleted; batches are scored again from their stored tickets when the draws "
        "are stored again" in page
    )
    assert "claims 1 kept with their numbers" in page
    assert Draw.objects.exists()
    assert BatchScore.objects.exists()


@pytest.mark.usefixtures("draw")
def test_a_confirmed_deletion_is_done_and_logged_with_its_reason() -> None:
    response = superuser().post(DELETE, FORM | {"reason": "NY Lotto\nforged \x1b line"}, follow=True)

    assert response.redirect_chain == [(DRAWS, 302)]
    assert not Draw.objects.exists()
    assert not BatchScore.objects.exists()
    entry = LogEntry.objects.get()
    assert entry.action_flag == DELETION
    assert entry.change_message.startswith("Deleted 1 draw (2025-12-22: 5 12 33 41 60 +7) from 'test'; ")
    assert entry.change_message.endswith("Reason: NY Lotto forged \\x1b line")
    assert "Reason: NY Lotto forged \\x1b line." in heard_of(response)


@pytest.mark.usefixtures("draw")
def test_the_draws_of_a_source_are_confirmed_by_their_dates() -> None:
    admin = superuser()

    page = admin.get(DELETE, {"source": "test", "reason": "another game"}).content.decode()
    without_preview = admin.post(DELETE, {"source": "test", "reason": "another game"})

    assert '<input type="hidden" name="draw_dates" value="2025-12-22">' in page
    assert "preview the draws of the source first" in heard_of(without_preview)
    assert Draw.objects.exists()


@pytest.mark.usefixtures("draw")
def test_second_confirmation_reports_the_draw_as_deleted() -> None:
    admin = superuser()
    admin.post(DELETE, FORM)

    again = admin.post(DELETE, FORM)

    assert "Nothing was deleted: no draw of 2025-12-22 is stored." in heard_of(again)
    assert LogEntry.objects.count() == 1


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"draw_dates": ""}, "Enter the dates or the source of the draws to delete."),
        ({"draw_dates": "22.12.2025"}, "&#x27;22.12.2025&#x27; is not a date; allowed are dates such as"),
        ({"draw_dates": "2025-12-22\x00"}, "Null characters are not allowed."),
        ({"reason": " "}, "Reason: this field is required."),
        ({"reason": "\u200b"}, "Reason: a reason is required"),
    ],
)
@pytest.mark.usefixtures("draw")
def test_a_bad_value_is_named_and_nothing_is_deleted(values: dict[str, str], said: str) -> None:
    response = superuser().post(DELETE, FORM | values)

    assert said in heard_of(response)
    assert Draw.objects.exists()


def test_a_draws_own_page_leads_to_its_deletion(draw: Draw) -> None:
    link = f"{DELETE}?draw_dates=2025-12-22"

    assert link in superuser().get(f"{DRAWS}{draw.pk}/change/").content.decode()


def test_draw_deletion_page_needs_delete_permission(draw: Draw) -> None:
    for permission, status in (("add_draw", 403), ("delete_draw", 200)):
        staff = staff_who_may(permission)
        assert staff.get(DELETE, FORM).status_code == status
        shown = staff.get(f"{DRAWS}{draw.pk}/change/").content.decode()
        assert ("Delete this draw" in shown) is (status == 200)
        staff.logout()
        User.objects.all().delete()


# At the same time


def score() -> None:
    score_known_draws()


def evaluate() -> None:
    evaluate_predictions()


def move_shares() -> None:
    update_shares()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("work", [score, evaluate, move_shares])
def test_work_on_a_draw_that_is_being_deleted_leaves_nothing_behind(
    work: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    insert_batch_tickets([ticket(1, 2, 3, 4, 5, 6)], "v1", draw_date=MONDAY)
    make_prediction("v1", MONDAY, [tilted_component("frequency_weighted")])
    make_draw(MONDAY)

    def in_background() -> None:
        work()
        connection.close()

    thread = Thread(target=in_background)

    def start_and_let_it_get_to_the_lock(rows: object) -> None:
        thread.start()
        thread.join(1)  # the deletion has removed the dependents and not committed yet

    monkeypatch.setattr(deletion, "_kinds", list(deletion._kinds))
    register_dependents(
        DependentKind("others", "kept", lambda days: Draw.objects.all(), start_and_let_it_get_to_the_lock)
    )

    delete_draws([MONDAY], "another game", "test")
    thread.join(30)

    assert not thread.is_alive()
    assert not BatchScore.objects.exists()
    assert not StrategyShares.objects.exists()
    assert Prediction.objects.get().evaluated_at is None
