"""Tests of what all commands share: help, exit codes, no output with -v 0."""

import pytest
from django.core.cache import caches
from django.core.management import call_command

from tests.commands import call, manage
from tests.factories import make_prediction
from tickets.models import PreGeneratedTicket, TicketBatch

pytestmark = pytest.mark.usefixtures("on_tuesday")

FOR_WEDNESDAY = ("--draw-date", "2026-11-25")


@pytest.mark.parametrize(
    "command",
    [
        "init",
        "import_draws",
        "train_models",
        "run_pipeline",
        "generate_batch",
        "cleanup_tickets",
        "verify_batch",
        "score_tickets",
        "serve",
        "demo",
    ],
)
def test_each_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_info:
        call_command(command, "--help")

    assert exit_info.value.code == 0
    usage, description, *_ = capsys.readouterr().out.split("\n\n")
    assert usage.startswith("usage: ")
    assert command in usage.splitlines()[0]
    assert len(description.split()) >= 12  # a sentence


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["import_draws", "--file", "a", "--url", "b"], "not allowed with argument"),
        (["import_draws", "--source", "mars"], "bundled"),
        (
            ["generate_batch", "--modes", "v1,bogus"],
            "bogus is not allowed; choose from random_forest, lstm, v1, v2, hybrid",
        ),
        (["generate_batch", "--batch-size", "0"], "'0' is not a positive integer"),
        (["generate_batch", "--wait", "--sync"], "not allowed with argument"),
        (["generate_batch", "--draw-date", "tomorrow"], "'tomorrow' is not a date such as 2026-11-25"),
        (["cleanup_tickets", "--days", "-1"], "'-1' is not a positive integer"),
        (["cleanup_tickets", "--mode", "bogus"], "random_forest"),
        (["score_tickets", "--draw-date", "monday"], "'monday' is not a date such as 2026-11-25"),
        (["verify_batch", "abc"], "abc"),
        (["verify_batch"], "ID"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_usage_error_exits_2_and_names_allowed_values(arguments: list[str], message: str) -> None:
    done = manage(*arguments)

    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


@pytest.mark.django_db(transaction=True)
def test_at_verbosity_0_success_is_silent_and_an_error_is_not() -> None:
    make_prediction()
    options = ("--sync", "--batch-size", "5", *FOR_WEDNESDAY, "-v", "0", "--modes")

    good = manage("generate_batch", *options, "random_forest")
    assert (good.returncode, good.stdout, good.stderr) == (0, "", "")
    assert PreGeneratedTicket.objects.count() == 5

    bad = manage("generate_batch", *options, "lstm")
    assert (bad.returncode, bad.stdout) == (1, "")
    assert "lstm: no prediction of lstm for the draw of 2026-11-25" in bad.stderr.splitlines()[-1]


@pytest.mark.django_db
def test_every_other_command_is_silent_at_verbosity_0_too(capfd: pytest.CaptureFixture[str]) -> None:
    caches["queue"].clear()  # no cluster is alive, and the warning about it is omitted too
    make_prediction()
    call("generate_batch", "--sync", "--modes", "random_forest", *FOR_WEDNESDAY, "-v", "0")
    batch = str(TicketBatch.objects.get().pk)

    for arguments in (
        ["import_draws"],
        ["generate_batch", "--modes", "random_forest", *FOR_WEDNESDAY],
        ["cleanup_tickets"],
        ["cleanup_tickets", "--dry-run"],
        ["verify_batch", batch],
        ["score_tickets"],
        ["init"],
    ):
        assert call(*arguments, "-v", "0") == ("", "")
    assert capfd.readouterr() == ("", "")
