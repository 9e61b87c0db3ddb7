"""`manage.py backtest`: what the modes would have been worth on past draws, beside chance."""

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.box import SIMPLE_HEAD
from rich.table import Table

from predictions.draws.bundled import DEVELOPMENT_END
from predictions.draws.sources import known_draws
from predictions.evaluation.backtest import (
    BASELINE,
    DEFAULT_DRAWS,
    DEFAULT_REFIT_EVERY,
    MIN_DRAWS,
    RELATIVE_COST,
    comparisons,
    missing_folds,
    outcome,
    run,
    start_or_resume,
)
from predictions.evaluation.comparison import Comparison
from predictions.models import Backtest, BacktestFold
from predictions.modes.registry import MEASURED_NAMES, MODE_NAMES
from predictions.powerball import EXPECTED_WHITE_MATCHES
from predictions.training.trainer import DEFAULT_SEED
from shiolplus.cli import (
    add_modes_argument,
    configure_console_logging,
    console,
    eta_progress,
    iso_date,
    positive_int,
    write_line,
)

TEST_SET_WARNING = (
    f"warning: draws after {DEVELOPMENT_END} are the test set; "
    "choose no mode, parameter or default by this backtest"
)
FIGURES = ("Joint", "White", "Powerball", "Gain", "± s.e.", "95 % interval", "Hits")


class Command(BaseCommand):
    help = (
        "Walk forward over the newest draws of the development data: each mode is fitted only on the draws "
        "before those it is asked for, and its laws are measured on them beside the uniform law, exactly "
        "and in nats a draw. A backtest that was interrupted goes on where it was. "
        "Exits 1 when a mode could not be measured."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        add_modes_argument(parser, MEASURED_NAMES, f"modes to measure beside {BASELINE} (default: all)")
        parser.add_argument(
            "--draws",
            type=positive_int,
            default=DEFAULT_DRAWS,
            metavar="N",
            help=f"test the newest N draws, at least {MIN_DRAWS} (default: {DEFAULT_DRAWS})",
        )
        parser.add_argument(
            "--refit-every",
            type=positive_int,
            default=DEFAULT_REFIT_EVERY,
            metavar="K",
            help=f"fit anew every K draws (default: {DEFAULT_REFIT_EVERY})",
        )
        parser.add_argument(
            "--seed", type=positive_int, default=DEFAULT_SEED, help="of the fits' random numbers (default: 1)"
        )
        parser.add_argument(
            "--through",
            type=iso_date,
            default=DEVELOPMENT_END,
            metavar="DATE",
            help="test no draw after this date (default: %(default)s, the end of the development data; "
            "later draws are the test set, so choose nothing by a backtest that includes them)",
        )
        parser.add_argument(
            "--fresh", action="store_true", help="begin anew, though an unfinished backtest could be resumed"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        verbosity = options["verbosity"]
        configure_console_logging(verbosity)
        if known_draws().first is None:
            raise CommandError("no draws of the 69/26 era are stored; run `manage.py import_draws`")
        if options["through"] > DEVELOPMENT_END and verbosity > 0:
            self.stderr.write(self.style.WARNING(TEST_SET_WARNING))
        try:
            backtest = start_or_resume(
                options["modes"] or MODE_NAMES,
                options["draws"],
                options["refit_every"],
                options["seed"],
                fresh=options["fresh"],
                through=options["through"],
            )
        except ValueError as error:
            raise CommandError(str(error), returncode=2) from error
        try:
            self._run(backtest, verbosity)
        except KeyboardInterrupt:
            left, stored = len(missing_folds(backtest)), backtest.folds.filter(error="").count()
            raise CommandError(
                f"backtest {backtest.pk} interrupted with {stored} of {stored + left} folds stored; "
                "the same command goes on from there"
            ) from None
        self._summarise(backtest, verbosity)

    def _run(self, backtest: Backtest, verbosity: int) -> None:
        missing = missing_folds(backtest)
        if stored := backtest.folds.filter(error="").count():
            text = f"backtest {backtest.pk} goes on: {stored} folds are stored, {len(missing)} are missing"
            write_line(self.stdout, verbosity, text)
        total, started = sum(RELATIVE_COST[one.mode] for one in missing), time.monotonic()
        done: list[BacktestFold] = []
        with eta_progress(verbosity) as bar:
            task = bar.add_task(f"0 of {len(missing)} folds", total=total)

            def watch(fold: BacktestFold) -> None:
                done.append(fold)
                count = f"{len(done)} of {len(missing)} folds"
                bar.update(task, advance=RELATIVE_COST[fold.mode], description=count)
                if bar.disable:
                    spent = sum(RELATIVE_COST[one.mode] for one in done)
                    left = (time.monotonic() - started) * (total - spent) / spent
                    write_line(
                        self.stdout,
                        verbosity,
                        f"{count}: {_described(fold)}; about {left:.0f} s left",
                    )

            run(backtest, watch)

    def _summarise(self, backtest: Backtest, verbosity: int) -> None:
        found = comparisons(backtest)
        if found:
            console(verbosity).print(_table(found))
        summary = _summary(backtest, found)
        if backtest.status != Backtest.Status.COMPLETED:
            raise CommandError(f"{summary}: {backtest.error}")
        write_line(self.stdout, verbosity, summary)


def _described(fold: BacktestFold) -> str:
    if fold.error:
        return f"{fold.mode} could not be measured"
    return f"{fold.mode} on {fold.draws} draws in {fold.seconds:.1f} s"


def _table(found: list[Comparison]) -> Table:
    hits = f"{EXPECTED_WHITE_MATCHES} = {float(EXPECTED_WHITE_MATCHES):.4f}"
    caption = (
        f"Log-losses in nats a draw. Gain: {BASELINE}'s joint loss minus the mode's, with its interval "
        f"between draws. Hits: white balls a ticket is expected to hit, {hits} by chance."
    )
    # Eighty columns are enough for it, which is what a log file gets.
    table = Table(box=SIMPLE_HEAD, padding=0, caption=caption)
    table.add_column("Mode", no_wrap=True)
    for title in FIGURES:
        table.add_column(title, justify="right", no_wrap=True)
    for one in found:
        table.add_row(one.mode, *_figures(one))
    return table


def _figures(one: Comparison) -> list[str]:
    return [
        *(f"{loss:.4f}" for loss in (one.joint, one.white, one.powerball)),
        f"{one.difference:+.4f}",
        f"{one.standard_error:.4f}",
        f"{one.low:+.4f} {one.high:+.4f}",
        f"{one.white_matches:.4f}",
    ]


def _summary(backtest: Backtest, found: list[Comparison]) -> str:
    modes = len(found) - any(one.mode == BASELINE for one in found)
    return (
        f"backtest {backtest.pk} {backtest.status}: {modes} mode{'' if modes == 1 else 's'} on "
        f"{backtest.draws} draws through {backtest.draws_through}, fitted every {backtest.refit_every}: "
        f"{outcome(found)}"
    )
