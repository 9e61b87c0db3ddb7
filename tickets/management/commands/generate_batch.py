"""`manage.py generate_batch`: make tickets from the stored predictions."""

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
        "Make one batch of tickets a mode for the next draw, from the predictions that run_pipeline left. "
        "Without --wait or --sync the batches are enqueued and the run's id is printed. Exits 1 when a mode "
        "failed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        add_modes_argument(
            parser, MODE_NAMES, f"modes to make tickets of (default: {' '.join(DEFAULT_MODES)})"
        )
        parser.add_argument(
            "--batch-size",
            type=positive_int,
            metavar="N",
            help="tickets a mode (default: as the mode's policy says, at first 100)",
        )
        parser.add_argument(
            "--draw-date", type=iso_date, metavar="D", help="the draw they are for (default: the next one)"
        )
        parser.add_argument(
            "--pipeline-run-id", metavar="ID", help="the same id again never makes tickets twice"
        )
        parser.add_argument(
            "--cleanup-days",
            type=positive_int,
            metavar="DAYS",
            help="first delete the mode's tickets older than this (default: as its policy says, at first 7)",
        )
        parser.add_argument("--no-cleanup", action="store_true", help="delete nothing")
        how = parser.add_mutually_exclusive_group()
        how.add_argument("--wait", action="store_true", help="enqueue, and wait for the end")
        how.add_argument("--sync", action="store_true", help="make them in this process")

    def handle(self, *args: Any, **options: Any) -> None:
        verbosity = options["verbosity"]
        configure_console_logging(verbosity)
        with rate_progress(verbosity, "tickets") as bar:
            shown = _Bars(bar)
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
                    watch=shown.update,
                )
            except ValueError as error:
                raise CommandError(str(error)) from error
            run = GenerationRun.objects.get(pk=result["generation_run_id"])
            if not result["created"]:
                write_line(self.stdout, verbosity, f"run {run} exists already; nothing is made twice")
            if run.status == GenerationRun.Status.RUNNING and not options["sync"]:
                clusters.warn_unless_alive(self.stderr, verbosity, clusters.DEFAULT)
            if options["wait"]:
                while not generator.wait_for_completion(timeout=0.3):
                    shown.update_all(run)
                shown.update_all(run)
        self._summarise(run, verbosity, options["sync"])

    def _summarise(self, run: GenerationRun, verbosity: int, sync: bool) -> None:
        run.refresh_from_db()
        result = run_result(run)
        made = ", ".join(f"{mode} {count}" for mode, count in result["by_mode"].items())
        errors = "; ".join(f"{mode}: {error}" for mode, error in result["errors"].items())
        summary = f"run {run} for the draw of {run.draw_date} is {run.status}: {made or 'nothing to make'}"
        if errors:
            raise CommandError(f"{summary}; {errors}")
        if run.status == GenerationRun.Status.RUNNING and sync:
            cut = run.batches.filter(status__in=TicketBatch.UNFINISHED).order_by("id")
            why = "; ".join(f"{batch.mode}: {batch.error or 'made elsewhere'}" for batch in cut)
            raise CommandError(f"{summary}; {why}; a cluster, or `--sync --pipeline-run-id {run}`, goes on")
        if run.status == GenerationRun.Status.RUNNING and not any(result["by_mode"].values()):
            summary = f"run {run} for the draw of {run.draw_date}: {', '.join(run.modes)} enqueued"
        write_line(self.stdout, verbosity, summary)


class _Bars:
    """One progress bar a mode, as its batch's row says."""

    def __init__(self, bar: Progress) -> None:
        self.bar = bar
        self.tasks: dict[str, TaskID] = {}

    def update(self, batch: TicketBatch) -> None:
        if batch.mode not in self.tasks:
            self.tasks[batch.mode] = self.bar.add_task(batch.mode, total=batch.requested)
        self.bar.update(self.tasks[batch.mode], completed=batch.generated, rate=batch.rate)

    def update_all(self, run: GenerationRun) -> None:
        for batch in run.batches.generated().order_by("id"):
            self.update(batch)
