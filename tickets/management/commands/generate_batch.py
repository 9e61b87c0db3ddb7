"""Management command that generates tickets from the stored predictions."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.progress import Progress, TaskID

from predictions.modes.registry import MODE_NAMES
from predictions.workqueue import clusters
from shiolplus.cli import (
    add_modes_argument,
    configure_console_logging,
    iso_date,
    positive_int,
    rate_progress,
    write_line,
)
from tickets.generation.generator import DEFAULT_MODES, BatchTicketGenerator, run_result
from tickets.models import GenerationRun, TicketBatch


class Command(BaseCommand):
    help = (
        "Generates one batch of tickets per mode for the next draw from the predictions stored by "
        "run_pipeline. Without --wait or --sync, enqueues the batches and prints the ID of the run. Exits "
        "with status 1 if a mode fails."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        add_modes_argument(
            parser, MODE_NAMES, f"Modes to generate tickets for. Defaults to {' '.join(DEFAULT_MODES)}."
        )
        parser.add_argument(
            "--batch-size",
            type=positive_int,
            metavar="N",
            help="Number of tickets per mode. Defaults to each mode's policy, initially 100.",
        )
        parser.add_argument(
            "--draw-date",
            type=iso_date,
            metavar="DATE",
            help="Draw to generate tickets for. Defaults to the next draw.",
        )
        parser.add_argument(
            "--pipeline-run-id",
            metavar="ID",
            help="ID of the run. Repeating an ID does not generate its tickets again.",
        )
        parser.add_argument(
            "--cleanup-days",
            type=positive_int,
            metavar="DAYS",
            help="Before generating, delete the mode's tickets older than DAYS days. Defaults to each mode's "
            "policy, initially 7.",
        )
        parser.add_argument("--no-cleanup", action="store_true", help="Do not delete old tickets.")
        execution = parser.add_mutually_exclusive_group()
        execution.add_argument(
            "--wait", action="store_true", help="Enqueue the batches and wait until they finish."
        )
        execution.add_argument("--sync", action="store_true", help="Generate the batches in this process.")

    def handle(self, *args: Any, **options: Any) -> None:
        verbosity = options["verbosity"]
        configure_console_logging(verbosity)
        with rate_progress(verbosity, "tickets") as progress:
            bars = ModeProgressBars(progress)
            try:
                generator = BatchTicketGenerator(
                    batch_size=options["batch_size"],
                    modes=options["modes"] or DEFAULT_MODES,
                    auto_cleanup=not options["no_cleanup"],
                    cleanup_days=options["cleanup_days"],
                )
                result = generator.generate_batch(
                    pipeline_run_id=options["pipeline_run_id"],
                    async_mode=not options["sync"],
                    draw_date=options["draw_date"],
                    watch=bars.update,
                )
            except ValueError as error:
                raise CommandError(str(error)) from error
            run = GenerationRun.objects.get(pk=result["generation_run_id"])
            if not result["created"]:
                write_line(
                    self.stdout, verbosity, f"Run {run} already exists; its tickets are not generated again."
                )
            if run.status == GenerationRun.Status.RUNNING and not options["sync"]:
                clusters.warn_unless_alive(self.stderr, verbosity, clusters.DEFAULT)
            if options["wait"]:
                while not generator.wait_for_completion(timeout=0.3):
                    bars.update_all(run)
                bars.update_all(run)
        self._summarize(run, verbosity, options["sync"])

    def _summarize(self, run: GenerationRun, verbosity: int, sync: bool) -> None:
        """Write the summary. Raise CommandError if a mode failed, or if a run with --sync is unfinished."""
        run.refresh_from_db()
        result = run_result(run)
        counts = ", ".join(f"{mode} {count}" for mode, count in result["by_mode"].items())
        errors = "; ".join(f"{mode}: {error}" for mode, error in result["errors"].items())
        title = f"Run {run} for the draw of {run.draw_date}"
        summary = f"{title} is {run.status}: {f'{counts} tickets' if counts else 'no batches'}"
        if errors:
            raise CommandError(f"{summary}; {errors}")
        if run.status == GenerationRun.Status.RUNNING and sync:
            unfinished = run.batches.filter(status__in=TicketBatch.UNFINISHED).order_by("id")
            reasons = "; ".join(
                f"{batch.mode}: {batch.error or 'another worker is generating it'}" for batch in unfinished
            )
            raise CommandError(
                f"{summary}; {reasons}; a cluster resumes it, or `--sync --pipeline-run-id {run}` does"
            )
        if run.status == GenerationRun.Status.RUNNING and not any(result["by_mode"].values()):
            summary = f"{title}: enqueued {', '.join(run.modes)}"
        write_line(self.stdout, verbosity, f"{summary}.")


class ModeProgressBars:
    """One progress bar per mode, updated from the rows of its batches."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.tasks: dict[str, TaskID] = {}

    def update(self, batch: TicketBatch) -> None:
        if batch.mode not in self.tasks:
            self.tasks[batch.mode] = self.progress.add_task(batch.mode, total=batch.requested)
        self.progress.update(self.tasks[batch.mode], completed=batch.generated, rate=batch.rate)

    def update_all(self, run: GenerationRun) -> None:
        for batch in run.batches.generated().order_by("id"):
            self.update(batch)
