"""`manage.py verify_batch ID`: prove that a batch can be made again, ticket for ticket."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from shiolplus.cli import configure_console_logging, console, write_line
from tickets.generation.verification import verify_batch
from tickets.generation.worker import GenerationError
from tickets.models import TicketBatch


class Command(BaseCommand):
    help = (
        "Make a batch again in memory, from its stored prediction and seed, and compare every ticket in the "
        "table with it. Exits 1 unless each is as drawn, or is the recorded replacement of one that existed "
        "already, and none is missing."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("batch", type=int, metavar="ID", help="the batch's number, as the admin shows it")

    def handle(self, *args: Any, **options: Any) -> None:
        verbosity = options["verbosity"]
        configure_console_logging(verbosity)
        batch = TicketBatch.objects.select_related("run", "prediction").filter(pk=options["batch"]).first()
        if batch is None:
            raise CommandError(f"there is no batch {options['batch']}")
        title = f"batch {batch.pk} of {batch.mode} for {batch.draw_date}"
        try:
            with console(verbosity).status(f"making {title} again …"):
                verification = verify_batch(batch)
        except GenerationError as error:
            raise CommandError(f"{title} cannot be made again: {error}") from error
        summary = f"{title} ({batch.status}): {batch.stored} stored; {verification.summary()}"
        if not verification.is_reproducible or not batch.stored:
            purged = batch.generated - batch.stored
            hint = f"; {purged} of its tickets were purged" if purged else ""
            raise CommandError(f"{summary}{hint}: not proven")
        write_line(self.stdout, verbosity, f"{summary}: reproducible")
