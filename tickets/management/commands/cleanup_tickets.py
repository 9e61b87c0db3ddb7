"""`manage.py cleanup_tickets`: delete old tickets, a chunk at a time."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from predictions.modes.registry import MODE_NAMES
from shiolplus.cli import configure_console_logging, positive_int, progress, write_line
from tickets.store import clear_old_batch_tickets, expired_claimed_tickets, expired_tickets


class Command(BaseCommand):
    help = "Delete tickets made more than a number of days ago, in short transactions that let others work."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--days",
            type=positive_int,
            help="keep tickets of the last DAYS times 24 hours (default: as each mode's policy says)",
        )
        parser.add_argument("--mode", choices=MODE_NAMES, help="only this mode's (default: all)")
        parser.add_argument("--dry-run", action="store_true", help="count them, delete none")

    def handle(self, *args: Any, **options: Any) -> None:
        verbosity, days, mode = options["verbosity"], options["days"], options["mode"]
        configure_console_logging(verbosity)
        whose = f"{mode} tickets" if mode else "tickets"
        age = f"older than {days} days" if days else "older than their mode's policy keeps them"
        late = f"more than {settings.CLAIM_KEEP_DAYS} days after their draw"
        try:
            old = sum(tickets.count() for tickets in expired_tickets(days, mode))
            claimed = expired_claimed_tickets(mode).count()
            if options["dry_run"]:
                beside = f", and {claimed} claimed ones, {late}," if claimed else ""
                write_line(self.stdout, verbosity, f"{old} {whose} {age}{beside} would be deleted")
                return
            with progress(verbosity, "tickets") as bar:
                task = bar.add_task("deleting", total=old + claimed)
                deleted = clear_old_batch_tickets(days, mode, watch=lambda count: bar.advance(task, count))
        except ValueError as error:
            raise CommandError(str(error)) from error
        beside = f", or claimed and {late}," if claimed else ""
        write_line(self.stdout, verbosity, f"{deleted} {whose} {age}{beside} deleted")
