"""Tests of `manage.py backtest`, with real processes."""

import os
import re
import signal
import subprocess
import sys
from datetime import date, timedelta
from io import StringIO

import pytest
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError

from predictions.draws.bundled import DEVELOPMENT_END
from predictions.evaluation.backtest import comparisons
from predictions.models import Backtest, BacktestFold
from tests.commands import call
from tests.factories import make_draw, store_fair_draws
from tests.processes import environment, group_of, wait_until

BROKEN = {"v2": {"max_depth": -1}}
SMALL = ("--draws", "30", "--refit-every", "10")


@pytest.mark.django_db
def test_command_prints_each_fold_with_remaining_time_and_a_summary(
    capsys: pytest.CaptureFixture[str],
) -> None:
    store_fair_draws(640)

    out, _ = call("backtest", "--modes", "v2", "--draws", "30", "--refit-every", "15")

    lines = out.splitlines()
    fold = r"[1-4] of 4 folds: (v2|uniform) on 15 draws in \d+\.\d s; about \d+ s left"
    assert len(lines) == 5
    assert all(re.fullmatch(fold, line) for line in lines[:4])
    (backtest,) = Backtest.objects.all()
    (v2, _) = comparisons(backtest)
    better, worse = int(v2.low > 0), int(v2.high < 0)
    assert lines[-1] == (
        f"Backtest {backtest.pk} completed: 1 mode on 30 draws through 2025-12-22, fitted every 15 draws: "
        f"{better} better than chance, {1 - better - worse} no different, {worse} worse."
    )
    table = capsys.readouterr().err
    assert f"{v2.difference:+.4f}" in table
    assert re.search(
        r"uniform +19\.4930 16\.2349 +3\.2581 \+0\.0000 0\.0000 \+0\.0000 \+0\.0000 0\.3623", table
    )
    assert "25/69 = 0.3623 by chance" in " ".join(table.split())


@pytest.mark.django_db(transaction=True)
def test_after_ctrl_c_nothing_runs_on_and_the_same_command_measures_the_rest(
    settings: pytest.FixtureRequest,
) -> None:
    store_fair_draws(640)
    command = ["backtest", "--modes", "v2", *SMALL]
    process = interrupted(command)
    out, err = process.communicate(timeout=20)

    assert process.returncode == 1
    match = re.search(r"interrupted with (\d) of 6 folds stored\. Run the same command to resume it", err)
    assert match, err
    stored = int(match[1])
    assert BacktestFold.objects.filter(error="").count() == BacktestFold.objects.count() == stored
    assert Backtest.objects.get().status == "running"
    assert group_of(process.pid) == []

    out, _ = call(*command)

    resumed = Backtest.objects.get()
    assert f"Resuming backtest {resumed.pk}: {stored} folds stored, {6 - stored} missing." in out
    call(*command, "--fresh")
    fresh = Backtest.objects.exclude(pk=resumed.pk).get()
    assert (resumed.status, resumed.results) == ("completed", fresh.results)


def interrupted(command: list[str]) -> subprocess.Popen[str]:
    """Start a command and send it SIGINT once its first fold is stored."""
    process = subprocess.Popen(
        [sys.executable, "manage.py", *command],
        cwd=settings.BASE_DIR,
        env=environment(SHIOL_FIT_PROCESSES="2"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # A shell that runs the tests in the background makes them, and their children, ignore SIGINT.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        wait_until(BacktestFold.objects.exists, 60, "a first fold")
        process.send_signal(signal.SIGINT)
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    return process


@pytest.mark.django_db
def test_a_mode_that_fails_is_an_error_by_its_name(settings: pytest.FixtureRequest) -> None:
    store_fair_draws(640)
    settings.MODE_PARAMETERS = BROKEN  # type: ignore[attr-defined]

    with pytest.raises(CommandError, match=r"Backtest \d+ failed.*v2: .*max_depth") as raised:
        call("backtest", "--modes", "v2", *SMALL)

    assert raised.value.returncode == 1


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--draws", "29"], "29 draws: allowed is 30 to 440"),
        (["--draws", "5000"], "5000 draws: allowed is 30 to 440"),
        (["--draws", "0"], "'0' is not a positive integer"),
        (["--refit-every", "x"], "'x' is not a positive integer"),
        (["--modes", "v3"], "v3 is not allowed; choose from random_forest, lstm, v1, v2, hybrid, uniform"),
    ],
)
def test_invalid_values_are_rejected_with_what_is_allowed(arguments: list[str], message: str) -> None:
    store_fair_draws(640)

    with pytest.raises(CommandError, match=message) as raised:
        call("backtest", *(["--modes", "uniform"] if "--modes" not in arguments else []), *arguments)

    assert raised.value.returncode == 2 or "argument" in str(raised.value)
    assert not Backtest.objects.exists()


@pytest.mark.django_db
def test_error_without_draws_says_how_to_import_them() -> None:
    with pytest.raises(CommandError, match="import_draws") as raised:
        call("backtest")
    assert raised.value.returncode == 1


@pytest.mark.django_db
def test_at_verbosity_0_it_is_silent(capfd: pytest.CaptureFixture[str]) -> None:
    store_fair_draws(300)

    assert call("backtest", "--modes", "uniform", *SMALL, "-v", "0") == ("", "")
    assert capfd.readouterr() == ("", "")
    assert Backtest.objects.get().status == "completed"


def store_a_draw_of_the_test_set() -> None:
    store_fair_draws(640)
    make_draw(DEVELOPMENT_END + timedelta(days=2))


@pytest.mark.django_db
def test_by_default_no_draw_after_the_development_data_is_tested() -> None:
    store_a_draw_of_the_test_set()

    out, _ = call("backtest", "--modes", "uniform", *SMALL)

    assert Backtest.objects.get().draws_through == DEVELOPMENT_END == date(2025, 12, 22)
    assert "30 draws through 2025-12-22" in out.splitlines()[-1]


@pytest.mark.django_db
def test_the_test_set_is_used_only_on_request_and_with_a_warning() -> None:
    store_a_draw_of_the_test_set()
    err = StringIO()

    call_command("backtest", "--modes", "uniform", *SMALL, "--through", "2025-12-24", stderr=err)

    assert str(Backtest.objects.get().draws_through) == "2025-12-24"
    assert err.getvalue() == (
        "Warning: draws after 2025-12-22 are the test set; "
        "do not choose a mode, parameter or default based on this backtest.\n"
    )


@pytest.mark.django_db
def test_an_earlier_end_is_no_warning() -> None:
    store_fair_draws(640)
    err = StringIO()

    call_command("backtest", "--modes", "uniform", *SMALL, "--through", "2025-12-20", stderr=err)

    assert str(Backtest.objects.get().draws_through) == "2025-12-20"
    assert err.getvalue() == ""
