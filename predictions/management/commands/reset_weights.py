"""Management command that resets the strategy shares of the adaptive mode."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from predictions.draws.sources import load_draw_history, upcoming_draw
from predictions.training.strategy_shares import ADAPTIVE_MODE, current_shares, reset_shares
from shiolplus.cli import configure_console_logging, write_line


class Command(BaseCommand):
    help = (
        "Resets the strategies of v1 to equal shares, which later draws update. Previous shares and stored "
        "predictions are kept."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--dry-run", action="store_true", help="Show the current shares without resetting them."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        verbosity = options["verbosity"]
        configure_console_logging(verbosity)
        shares = current_shares() or {}
        for strategy, share in shares.items():
            write_line(self.stdout, verbosity, f"  {strategy:20} {share:.4f}")
        if options["dry_run"]:
            summary = (
                f"These are the current shares of {ADAPTIVE_MODE}."
                if shares
                else f"No draw has updated the shares of {ADAPTIVE_MODE} yet; those of its model apply."
            )
        else:
            through = load_draw_history().through or upcoming_draw()
            share = next(iter(reset_shares(through).shares.values()))
            summary = (
                f"Reset the shares of {ADAPTIVE_MODE} to {share:.4f} each; draws after {through} update them."
            )
        write_line(self.stdout, verbosity, summary)
