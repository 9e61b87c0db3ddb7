"""`manage.py reset_weights`: give v1's strategies equal shares again."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from predictions.draws.sources import known_draws, upcoming_draw
from predictions.training.strategy_shares import ADAPTIVE_MODE, current_shares, reset_shares
from shiolplus.cli import configure_console_logging, write_line


class Command(BaseCommand):
    help = (
        "Give the strategies of v1 equal shares again. Later draws move them from there; the history so far "
        "stays, and predictions that are stored keep the shares they were made with."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="show the shares in force, change nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        verbosity = options["verbosity"]
        configure_console_logging(verbosity)
        shares = current_shares()
        for name, share in (shares or {}).items():
            write_line(self.stdout, verbosity, f"  {name:20} {share:.4f}")
        if options["dry_run"]:
            write_line(
                self.stdout, verbosity, f"shares of {ADAPTIVE_MODE} in force" if shares else _untouched()
            )
            return
        through = known_draws().through or upcoming_draw()
        row = reset_shares(through)
        equal = next(iter(row.shares.values()))
        text = f"shares of {ADAPTIVE_MODE} reset: {equal:.4f} each, moved by draws after {through}"
        write_line(self.stdout, verbosity, text)


def _untouched() -> str:
    return f"no draw has moved the shares of {ADAPTIVE_MODE} yet; its model's own hold"
