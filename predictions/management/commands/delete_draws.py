"""Management command that deletes wrong draws and what was computed from them."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from predictions.draws.deletion import clean_reason, delete_draws, draws_to_delete, preview_deletion
from shiolplus.cli import configure_console_logging, iso_date, write_line


class Command(BaseCommand):
    help = (
        "Deletes wrong draws, such as those of another game, with their scores and the strategy shares "
        "computed from them. Claims and tickets are kept. The next import restores draws that their source "
        "still has."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--date", type=iso_date, nargs="+", default=[], metavar="DATE", help="Dates of the draws."
        )
        parser.add_argument(
            "--source", default="", help="Delete every draw first imported from this source or file."
        )
        parser.add_argument("--reason", required=True, help="Reason of the deletion, for the log.")
        parser.add_argument(
            "--dry-run", action="store_true", help="List what would be deleted without deleting it."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        verbosity = options["verbosity"]
        configure_console_logging(verbosity)
        try:
            clean_reason(options["reason"])
            deletion = preview_deletion(draws_to_delete(options["date"], options["source"]))
            if not options["dry_run"]:
                dates = [draw.draw_date for draw in deletion.draws]
                deletion = delete_draws(dates, options["reason"], "manage.py delete_draws")
        except ValueError as error:
            raise CommandError(str(error)) from error
        for draw in deletion.draws:
            write_line(self.stdout, verbosity, f"{draw}, from {draw.source!r}")
        for dependents in deletion.dependents:
            write_line(self.stdout, verbosity, str(dependents))
        count = f"{len(deletion.draws)} draw{'' if len(deletion.draws) == 1 else 's'}"
        summary = f"Would delete {count} (dry run)." if options["dry_run"] else f"Deleted {count}."
        write_line(self.stdout, verbosity, summary)
