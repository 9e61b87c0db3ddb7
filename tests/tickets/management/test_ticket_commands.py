"""Tests of the commands generate_batch, cleanup_tickets and verify_batch."""

import re
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.core.cache import caches
from django.core.management import CommandError
from django.db import OperationalError
from django_q.models import OrmQ

from tests.commands import call, manage
from tests.factories import WEDNESDAY, make_prediction, some_tickets
from tickets.generation import worker
from tickets.models import GenerationRun, PreGeneratedTicket, TicketBatch
from tickets.models.policies import ModePolicy
from tickets.store import insert_batch_tickets, purge_batch

pytestmark = pytest.mark.usefixtures("on_tuesday")

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
FOR_WEDNESDAY = ("--draw-date", "2026-11-25")


# generate_batch


@pytest.mark.django_db(transaction=True)
def test_sync_run_exits_0_with_a_summary_and_1_if_partial() -> None:
    make_prediction()
    options = ("--sync", "--batch-size", "20", *FOR_WEDNESDAY, "--pipeline-run-id")

    good = manage("generate_batch", *options, "good", "--modes", "random_forest")
    assert (good.returncode, good.stderr) == (0, "")
    assert good.stdout == "Run good for the draw of 2026-11-25 is completed: random_forest 20 tickets.\n"

    partial = manage("generate_batch", *options, "half")
    assert partial.returncode == 1
    assert partial.stderr.splitlines()[-1] == (
        "CommandError: Run half for the draw of 2026-11-25 is partial: random_forest 20, lstm 0 tickets; "
        "lstm: no prediction of lstm for the draw of 2026-11-25; run `manage.py run_pipeline`"
    )
    assert "Traceback" not in partial.stderr


@pytest.mark.django_db
def test_sync_run_interrupted_by_an_outage_resumes_when_repeated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_prediction()
    options = ("--sync", "--batch-size", "20", "--modes", "random_forest", *FOR_WEDNESDAY)

    def raise_disk_full(*args: object) -> None:
        raise OperationalError("database or disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(worker, "insert_rows", raise_disk_full)
        with pytest.raises(
            CommandError, match=r"running: random_forest 0 tickets; random_forest: .*disk is full"
        ):
            call("generate_batch", *options, "--pipeline-run-id", "cut")
    TicketBatch.objects.update(lease_until=None)

    assert (
        "completed: random_forest 20 tickets."
        in call("generate_batch", *options, "--pipeline-run-id", "cut")[0]
    )
    assert PreGeneratedTicket.objects.count() == 20


@pytest.mark.django_db
def test_without_wait_or_sync_it_enqueues_and_warns_without_cluster() -> None:
    caches["queue"].clear()  # heartbeats of clusters that an earlier test stopped
    make_prediction()

    out, err = call(
        "generate_batch", *FOR_WEDNESDAY, "--modes", "random_forest", "--pipeline-run-id", "later"
    )

    assert out == "Run later for the draw of 2026-11-25: enqueued random_forest.\n"
    assert err.startswith("warning: no cluster is alive")
    assert OrmQ.objects.count() == 1
    assert not PreGeneratedTicket.objects.exists()


@pytest.mark.django_db
def test_enqueueing_without_any_prediction_fails_at_once_with_the_hint() -> None:
    with pytest.raises(CommandError, match=r"no prediction of lstm for .* run `manage.py run_pipeline`"):
        call("generate_batch", *FOR_WEDNESDAY)
    assert not OrmQ.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("modes", [["random_forest", "v1"], ["random_forest,v1"], ["random_forest,", "v1"]])
def test_modes_are_given_with_spaces_or_commas(modes: list[str]) -> None:
    make_prediction("random_forest")
    make_prediction("v1")

    out, _ = call("generate_batch", "--sync", *FOR_WEDNESDAY, "--batch-size", "3", "--modes", *modes)

    assert out.endswith("is completed: random_forest 3, v1 3 tickets.\n")


@pytest.mark.django_db
@time_machine.travel(NOON, tick=False)
def test_without_a_draw_date_the_tickets_are_for_the_next_draw() -> None:
    make_prediction()

    out, _ = call("generate_batch", "--sync", "--modes", "random_forest")

    assert "for the draw of 2026-11-25 is completed: random_forest 100 tickets." in out
    assert TicketBatch.objects.get().draw_date == WEDNESDAY


@pytest.mark.django_db
def test_same_run_id_generates_nothing_twice() -> None:
    make_prediction()
    command = (
        "generate_batch",
        "--sync",
        *FOR_WEDNESDAY,
        "--modes",
        "random_forest",
        "--pipeline-run-id",
        "x",
    )
    call(*command, "--batch-size", "20")

    out, _ = call(*command, "--batch-size", "20")

    assert out == (
        "Run x already exists; its tickets are not generated again.\n"
        "Run x for the draw of 2026-11-25 is completed: random_forest 20 tickets.\n"
    )
    assert PreGeneratedTicket.objects.count() == 20
    with pytest.raises(CommandError, match="'x' already names a run with batch_size 20, not 21"):
        call(*command, "--batch-size", "21")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--draw-date", "2026-11-24"], "2026-11-24 is a Tuesday without a draw"),
        (["--pipeline-run-id", ""], "allowed is a text of 1 to 64 characters"),
        (["--pipeline-run-id", "x" * 65], "allowed is a text of 1 to 64 characters"),
        (["--batch-size", "99999999999"], "must be an integer from 1 to 10,000,000"),
    ],
)
def test_invalid_value_is_an_error_and_creates_no_run(arguments: list[str], message: str) -> None:
    with pytest.raises(CommandError, match=message):
        call("generate_batch", "--sync", *arguments)
    assert not GenerationRun.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("arguments", "remaining"), [([], 0), (["--no-cleanup"], 4), (["--cleanup-days", "11"], 4)]
)
@time_machine.travel(NOON, tick=False)
def test_old_tickets_are_deleted_first_unless_disabled(arguments: list[str], remaining: int) -> None:
    insert_old(4, "random_forest")
    insert_old(2, "v1")
    make_prediction()

    call("generate_batch", "--sync", "--modes", "random_forest", "--batch-size", "3", *arguments)

    assert PreGeneratedTicket.objects.filter(pipeline_run_id="old-random_forest").count() == remaining
    assert PreGeneratedTicket.objects.filter(pipeline_run_id="old-v1").count() == 2


def insert_old(count: int, mode: str) -> None:
    """Insert tickets that are ten days old at NOON."""
    with time_machine.travel(NOON - timedelta(days=10), tick=False):
        insert_batch_tickets(
            some_tickets(count, powerball=len(mode)), mode, f"old-{mode}", draw_date=WEDNESDAY
        )


@pytest.mark.django_db
def test_batch_size_defaults_to_the_policy_and_paused_modes_are_skipped() -> None:
    for mode in ("random_forest", "v1", "v2"):
        make_prediction(mode)
    ModePolicy.objects.filter(mode="v1").update(batch_size=7)

    out, _ = call("generate_batch", "--sync", *FOR_WEDNESDAY, "--modes", "random_forest,v1")
    assert out.endswith("is completed: random_forest 100, v1 7 tickets.\n")

    ModePolicy.objects.filter(mode="v2").update(paused=True)
    with pytest.raises(CommandError, match=r"is completed: v1 9 tickets; v2: paused; staff who may change"):
        call("generate_batch", "--sync", *FOR_WEDNESDAY, "--modes", "v1,v2", "--batch-size", "9")
    with pytest.raises(CommandError, match=r"is cancelled: no batches; v2: paused"):
        call("generate_batch", "--sync", *FOR_WEDNESDAY, "--modes", "v2")


@pytest.mark.django_db
def test_terminal_shows_a_progress_bar_with_rate_per_mode(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "150")
    make_prediction("random_forest")
    make_prediction("v1")
    ModePolicy.objects.filter(mode="v1").update(batch_size=6200)

    call("generate_batch", "--sync", *FOR_WEDNESDAY, "--modes", "random_forest,v1")

    output = re.sub("\x1b[^a-zA-Z]*[a-zA-Z]", "", capsys.readouterr().err)
    last = {line.split()[0]: line for line in re.split("[\r\n]+", output) if line.strip()}
    assert re.search(r" 100 of 100 .*left", last["random_forest"])
    assert re.search(r" 6,200 of 6,200 [1-9][0-9,]* tickets/s .*left", last["v1"])


# cleanup_tickets


@pytest.mark.django_db
@time_machine.travel(NOON, tick=False)
def test_cleanup_counts_in_a_dry_run_and_then_deletes_the_old_ones() -> None:
    insert_old(4, "v1")
    insert_old(2, "lstm")
    insert_batch_tickets(some_tickets(3, powerball=20), "v1")

    assert (
        call("cleanup_tickets", "--dry-run", "--days", "7")[0]
        == "Would delete 6 tickets older than 7 days.\n"
    )
    assert PreGeneratedTicket.objects.count() == 9
    assert call("cleanup_tickets", "--days", "11")[0] == "Deleted 0 tickets older than 11 days.\n"
    assert (
        call("cleanup_tickets", "--mode", "lstm", "--days", "7")[0]
        == "Deleted 2 lstm tickets older than 7 days.\n"
    )
    assert call("cleanup_tickets", "--days", "7")[0] == "Deleted 4 tickets older than 7 days.\n"
    assert PreGeneratedTicket.objects.count() == 3


@pytest.mark.django_db
def test_cleanup_of_more_days_than_there_are_is_an_error() -> None:
    with pytest.raises(CommandError, match="days must be an integer from 1 to 36,500, not 99999999"):
        call("cleanup_tickets", "--days", "99999999")


# verify_batch


@pytest.fixture
def batch(db: None) -> TicketBatch:
    make_prediction()
    call("generate_batch", "--sync", "--modes", "random_forest", "--batch-size", "20", *FOR_WEDNESDAY)
    return TicketBatch.objects.get()


def test_reproducible_batch_is_verified(batch: TicketBatch) -> None:
    out, _ = call("verify_batch", str(batch.pk))

    assert out == (
        f"Batch {batch.pk} of random_forest for 2026-11-25 (ready) is reproducible: 20 stored, "
        "20 equal, 0 replaced, 0 missing, 0 unexplained.\n"
    )


def test_a_ticket_that_was_changed_is_found(batch: TicketBatch) -> None:
    ticket = PreGeneratedTicket.objects.all()[0]
    PreGeneratedTicket.objects.filter(pk=ticket.pk).update(powerball=ticket.powerball % 26 + 1)

    with pytest.raises(
        CommandError, match="is not reproducible: 20 stored, 19 equal, 0 replaced, 1 missing, 1 unexplained"
    ):
        call("verify_batch", str(batch.pk))


def test_a_purged_batch_is_not_proven_and_the_purge_is_named(batch: TicketBatch) -> None:
    purge_batch(batch)

    with pytest.raises(CommandError, match=r"is not reproducible: .*; 20 of its tickets were purged\."):
        call("verify_batch", str(batch.pk))


@pytest.mark.django_db
def test_inserted_tickets_are_not_reproducible() -> None:
    insert_batch_tickets(some_tickets(2), "v1", draw_date=WEDNESDAY)

    with pytest.raises(CommandError, match="cannot be regenerated: its tickets were inserted"):
        call("verify_batch", str(TicketBatch.objects.get().pk))


@pytest.mark.django_db
@pytest.mark.parametrize("number", ["99", "0", "-- -1", str(10**30)])
def test_an_unknown_batch_is_an_error(number: str) -> None:
    with pytest.raises(CommandError, match=f"Batch {number.split()[-1]} does not exist"):
        call("verify_batch", *number.split())
