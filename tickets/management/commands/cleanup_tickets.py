"""Management command that deletes old tickets."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from predictions.modes.registry import MODE_NAMES
from shiolplus.cli import configure_console_logging, positive_int, progress, write_line
from tickets.store import clear_old_batch_tickets, find_expired_claimed_tickets, find_expired_tickets


class Command(BaseCommand):
    help = (
        "Deletes tickets that are older than the retention period, in short transactions that do not block "
        "other work."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--days",
            type=positive_int,
            help="Keep tickets created in the last DAYS times 24 hours. Defaults to each mode's policy.",
        )
        parser.add_argument("--mode", choices=MODE_NAMES, help="Only delete tickets of this mode.")
        parser.add_argument(
            "--dry-run", action="store_true", help="Only count the tickets that would be deleted."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        verbosity, days, mode = options["verbosity"], options["days"], options["mode"]
        configure_console_logging(verbosity)
        tickets = f"{mode} tickets" if mode else "tickets"
        age = f"older than {days} days" if days else "older than the retention of their mode"
        claimed_age = f"drawn more than {settings.CLAIM_KEEP_DAYS} days ago"
        try:
            expired = sum(queryset.count() for queryset in find_expired_tickets(days, mode))
            claimed = find_expired_claimed_tickets(mode).count()
            if options["dry_run"]:
                claimed_text = f" and {claimed} claimed tickets {claimed_age}" if claimed else ""
                write_line(self.stdout, verbosity, f"Would delete {expired} {tickets} {age}{claimed_text}.")
                return
            with progress(verbosity, "tickets") as bar:
                task = bar.add_task("Deleting", total=expired + claimed)
                deleted = clear_old_batch_tickets(days, mode, watch=lambda count: bar.advance(task, count))
        except ValueError as error:
            raise CommandError(str(error)) from error
        claimed_text = f" or claimed and {claimed_age}" if claimed else ""
        write_line(self.stdout, verbosity, f"Deleted {deleted} {tickets} {age}{claimed_text}.")
