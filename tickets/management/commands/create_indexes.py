"""Management command that recreates lost indexes of the ticket table."""

from typing import Any

from django.core.management.base import BaseCommand

from shiolplus.cli import configure_console_logging, write_line
from tickets.store.indexes import create_missing_indexes


class Command(BaseCommand):
    help = (
        "Creates the missing indexes of the ticket table. Run `check --database default` to list them first."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        configure_console_logging(options["verbosity"])
        created = create_missing_indexes()
        summary = f"Created {', '.join(created)}." if created else "No indexes are missing."
        write_line(self.stdout, options["verbosity"], summary)
