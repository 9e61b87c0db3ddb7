"""`manage.py cleanup_tickets`: delete old tickets, a chunk at a time."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from predictions.modes import MODE_NAMES
from predictions.terminal import positive, progress, quiet_logs, say
from tickets.store import clear_old_batch_tickets, old_tickets


class Command(BaseCommand):
    help = "Delete tickets made more than a number of days ago, in short transactions that let others work."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--days",
            type=positive,
            default=7,
            help="keep tickets of the last DAYS times 24 hours (default: 7)",
        )
        parser.add_argument("--mode", choices=MODE_NAMES, help="only this mode's (default: all)")
        parser.add_argument("--dry-run", action="store_true", help="count them, delete none")

    def handle(self, *args: Any, **options: Any) -> None:
        verbosity, days, mode = options["verbosity"], options["days"], options["mode"]
        quiet_logs(verbosity)
        whose = f"{mode} tickets" if mode else "tickets"
        try:
            total = old_tickets(days, mode).count()
            if options["dry_run"]:
                say(self.stdout, verbosity, f"{total} {whose} older than {days} days would be deleted")
                return
            with progress(verbosity, "tickets") as bar:
                task = bar.add_task("deleting", total=total)
                deleted = clear_old_batch_tickets(days, mode, watch=lambda count: bar.advance(task, count))
        except ValueError as error:
            raise CommandError(str(error)) from error
        say(self.stdout, verbosity, f"{deleted} {whose} older than {days} days deleted")
