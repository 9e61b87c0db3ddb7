"""`manage.py create_indexes`: what `initialize_database()` did for indexes that were lost."""

from typing import Any

from django.core.management.base import BaseCommand

from shiolplus.cli import configure_console_logging, write_line
from tickets.store.indexes import create_missing_indexes


class Command(BaseCommand):
    help = "Make those indexes of the ticket table that are missing; `check --database default` names them."

    def handle(self, *args: Any, **options: Any) -> None:
        configure_console_logging(options["verbosity"])
        created = create_missing_indexes()
        summary = f"created: {', '.join(created)}" if created else "no index is missing"
        write_line(self.stdout, options["verbosity"], summary)
