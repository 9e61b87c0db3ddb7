"""Management command that measures the modes on past draws against the uniform baseline."""

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.box import SIMPLE_HEAD
from rich.table import Table

from predictions.draws.bundled import DEVELOPMENT_END
from predictions.draws.sources import load_draw_history
from predictions.evaluation.backtest import (
    BASELINE,
    DEFAULT_DRAWS,
    DEFAULT_REFIT_EVERY,
    MIN_DRAWS,
    RELATIVE_COST,
    comparisons,
    missing_folds,
    run_backtest,
    start_or_resume,
    summarize_results,
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
    f"Warning: draws after {DEVELOPMENT_END} are the test set; "
    "do not choose a mode, parameter or default based on this backtest."
)
NUMERIC_COLUMNS = ("Joint", "White", "Powerball", "Gain", "± s.e.", "95 % interval", "Hits")


class Command(BaseCommand):
    help = (
        "Measures the modes by walk-forward validation over the newest draws of the development data: each "
        "mode is fitted only on the draws before those it predicts, and its exact log-loss is compared to "
        "the uniform distribution, in nats per draw. An interrupted backtest is resumed. Exits with status 1 "
        "if a mode cannot be measured."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        add_modes_argument(parser, MEASURED_NAMES, f"Modes to compare to {BASELINE}. Defaults to all modes.")
        parser.add_argument(
            "--draws",
            type=positive_int,
            default=DEFAULT_DRAWS,
            metavar="N",
            help=f"Test the newest N draws, at least {MIN_DRAWS}. Defaults to {DEFAULT_DRAWS}.",
        )
        parser.add_argument(
            "--refit-every",
            type=positive_int,
            default=DEFAULT_REFIT_EVERY,
            metavar="K",
            help=f"Fit the modes again every K draws. Defaults to {DEFAULT_REFIT_EVERY}.",
        )
        parser.add_argument(
            "--seed",
            type=positive_int,
            default=DEFAULT_SEED,
            help=f"Random seed of the fits. Defaults to {DEFAULT_SEED}.",
        )
        parser.add_argument(
            "--through",
            type=iso_date,
            default=DEVELOPMENT_END,
            metavar="DATE",
            help="Test no draws after DATE. Defaults to %(default)s, the end of the development data. Later "
            "draws are the test set: do not choose anything based on a backtest that includes them.",
        )
        parser.add_argument(
            "--fresh", action="store_true", help="Start a new backtest instead of resuming an unfinished one."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        verbosity = options["verbosity"]
        configure_console_logging(verbosity)
        if load_draw_history().first is None:
            raise CommandError("No draws of the 69/26 era are stored. Run `manage.py import_draws`.")
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
            missing, stored = len(missing_folds(backtest)), backtest.folds.filter(error="").count()
            raise CommandError(
                f"Backtest {backtest.pk} was interrupted with {stored} of {stored + missing} folds stored. "
                "Run the same command to resume it."
            ) from None
        self._summarize(backtest, verbosity)

    def _run(self, backtest: Backtest, verbosity: int) -> None:
        missing = missing_folds(backtest)
        if stored := backtest.folds.filter(error="").count():
            line = f"Resuming backtest {backtest.pk}: {stored} folds stored, {len(missing)} missing."
            write_line(self.stdout, verbosity, line)
        total_cost, started = sum(RELATIVE_COST[fold.mode] for fold in missing), time.monotonic()
        finished: list[BacktestFold] = []
        with eta_progress(verbosity) as progress:
            task = progress.add_task(f"0 of {len(missing)} folds", total=total_cost)

            def report(fold: BacktestFold) -> None:
                finished.append(fold)
                count = f"{len(finished)} of {len(missing)} folds"
                progress.update(task, advance=RELATIVE_COST[fold.mode], description=count)
                if progress.disable:
                    cost = sum(RELATIVE_COST[fold.mode] for fold in finished)
                    seconds_left = (time.monotonic() - started) * (total_cost - cost) / cost
                    line = f"{count}: {_describe_fold(fold)}; about {seconds_left:.0f} s left"
                    write_line(self.stdout, verbosity, line)

            run_backtest(backtest, report)

    def _summarize(self, backtest: Backtest, verbosity: int) -> None:
        results = comparisons(backtest)
        if results:
            console(verbosity).print(_table(results))
        summary = _summary(backtest, results)
        if backtest.status != Backtest.Status.COMPLETED:
            raise CommandError(f"{summary}: {backtest.error}")
        write_line(self.stdout, verbosity, f"{summary}.")


def _describe_fold(fold: BacktestFold) -> str:
    if fold.error:
        return f"{fold.mode} could not be measured"
    return f"{fold.mode} on {fold.draws} draws in {fold.seconds:.1f} s"


def _table(results: list[Comparison]) -> Table:
    chance = f"{EXPECTED_WHITE_MATCHES} = {float(EXPECTED_WHITE_MATCHES):.4f}"
    caption = (
        f"Log-loss in nats per draw. Gain: joint log-loss of {BASELINE} minus that of the mode, with its "
        f"interval over the draws. Hits: expected white balls hit per ticket, {chance} by chance."
    )
    # No padding, so that the table fits into the 80 columns of a log file.
    table = Table(box=SIMPLE_HEAD, padding=0, caption=caption)
    table.add_column("Mode", no_wrap=True)
    for title in NUMERIC_COLUMNS:
        table.add_column(title, justify="right", no_wrap=True)
    for result in results:
        table.add_row(result.mode, *_cells(result))
    return table


def _cells(result: Comparison) -> list[str]:
    return [
        *(f"{loss:.4f}" for loss in (result.joint, result.white, result.powerball)),
        f"{result.difference:+.4f}",
        f"{result.standard_error:.4f}",
        f"{result.low:+.4f} {result.high:+.4f}",
        f"{result.white_matches:.4f}",
    ]


def _summary(backtest: Backtest, results: list[Comparison]) -> str:
    modes = sum(result.mode != BASELINE for result in results)
    return (
        f"Backtest {backtest.pk} {backtest.status}: {modes} mode{'' if modes == 1 else 's'} on "
        f"{backtest.draws} draws through {backtest.draws_through}, fitted every {backtest.refit_every} "
        f"draws: {summarize_results(results)}"
    )
