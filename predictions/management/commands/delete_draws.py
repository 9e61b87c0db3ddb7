"""`manage.py delete_draws`: delete wrong draws and what was computed from them."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from predictions.draws.deletion import clean_reason, delete_draws, draws_to_delete, preview_deletion
from shiolplus.cli import configure_console_logging, iso_date, write_line


class Command(BaseCommand):
    help = (
        "Delete wrong draws, such as another game's, with their scores and the strategy shares computed from "
        "them. Claims and tickets stay. A source that still has the draws brings them back with its next "
        "import."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--date", type=iso_date, nargs="+", default=[], metavar="D", help="dates of the draws"
        )
        parser.add_argument(
            "--source", default="", metavar="S", help="every draw that this source or file brought first"
        )
        parser.add_argument("--reason", required=True, metavar="R", help="why; it is logged")
        parser.add_argument("--dry-run", action="store_true", help="list what would be done, change nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        verbosity = options["verbosity"]
        configure_console_logging(verbosity)
        try:
            clean_reason(options["reason"])
            deletion = preview_deletion(draws_to_delete(options["date"], options["source"]))
            if not options["dry_run"]:
                days = [draw.draw_date for draw in deletion.draws]
                deletion = delete_draws(days, options["reason"], "manage.py delete_draws")
        except ValueError as error:
            raise CommandError(str(error)) from error
        for draw in deletion.draws:
            write_line(self.stdout, verbosity, f"{draw}, from {draw.source!r}")
        for found in deletion.dependents:
            write_line(self.stdout, verbosity, str(found))
        count = len(deletion.draws)
        done = "would be deleted (dry run: nothing was changed)" if options["dry_run"] else "deleted"
        write_line(self.stdout, verbosity, f"{count} draw{'' if count == 1 else 's'} {done}")
