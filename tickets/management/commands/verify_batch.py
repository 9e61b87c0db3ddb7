"""Management command that verifies that a batch is reproducible, ticket for ticket."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from shiolplus.cli import configure_console_logging, console, write_line
from tickets.generation.verification import verify_batch
from tickets.generation.worker import GenerationError
from tickets.models import TicketBatch


class Command(BaseCommand):
    help = (
        "Regenerates a batch in memory from its stored prediction and seed, and compares it with the stored "
        "tickets. Exits with status 1 if a ticket is missing, or is neither the generated ticket nor the "
        "recorded replacement of a duplicate."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("batch", type=int, metavar="ID", help="Batch ID, as shown in the admin.")

    def handle(self, *args: Any, **options: Any) -> None:
        verbosity = options["verbosity"]
        configure_console_logging(verbosity)
        batch = TicketBatch.objects.select_related("run", "prediction").filter(pk=options["batch"]).first()
        if batch is None:
            raise CommandError(f"Batch {options['batch']} does not exist.")
        title = f"Batch {batch.pk} of {batch.mode} for {batch.draw_date} ({batch.status})"
        try:
            with console(verbosity).status(f"Regenerating batch {batch.pk} …"):
                verification = verify_batch(batch)
        except GenerationError as error:
            raise CommandError(f"{title} cannot be regenerated: {error}") from error
        counts = f"{batch.stored} stored, {verification.summary()}"
        if not verification.is_reproducible or not batch.stored:
            purged = batch.generated - batch.stored
            hint = f"; {purged} of its tickets were purged" if purged else ""
            raise CommandError(f"{title} is not reproducible: {counts}{hint}.")
        write_line(self.stdout, verbosity, f"{title} is reproducible: {counts}.")
