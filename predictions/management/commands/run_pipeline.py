"""`manage.py run_pipeline`: from official draws to predictions, in the background or here."""

import time
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.status import Status

from predictions.models import PipelineRun, PipelineStep
from predictions.modes.registry import MODE_NAMES
from predictions.pipeline.runner import SOURCES, accept_run, execute
from predictions.workqueue import clusters
from shiolplus.cli import add_modes_argument, configure_console_logging, console, iso_date, write_line

ENDED = {
    PipelineStep.Status.COMPLETED,
    PipelineStep.Status.WARNING,
    PipelineStep.Status.FAILED,
    PipelineStep.Status.SKIPPED,
}


class Command(BaseCommand):
    help = (
        "Run the six steps (data, analytics, evaluation, adaptive weights, training, predictions) for the "
        "next draw; at its end a batch of tickets is enqueued. Without --sync or --wait the run itself is "
        "enqueued for the heavy cluster and its id is printed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--source",
            choices=SOURCES,
            default=settings.DRAWS_SOURCE,
            help=f"where new draws come from (default: {settings.DRAWS_SOURCE}); none: only stored draws",
        )
        parser.add_argument(
            "--draw-date",
            type=iso_date,
            metavar="D",
            help="predict this draw and read nothing from its date on (default: the next draw)",
        )
        add_modes_argument(parser, MODE_NAMES, "modes to train and predict (default: all)")
        parser.add_argument(
            "--run-id", metavar="ID", help="the same id again never runs twice; one cut short goes on"
        )
        how = parser.add_mutually_exclusive_group()
        how.add_argument("--sync", action="store_true", help="run it in this process")
        how.add_argument("--wait", action="store_true", help="enqueue it and wait for its end")

    def handle(self, *args: Any, **options: Any) -> None:
        verbosity = options["verbosity"]
        configure_console_logging(verbosity)
        try:
            run, created = accept_run(
                source=options["source"],
                draw_date=options["draw_date"],
                modes=options["modes"],
                pipeline_run_id=options["run_id"],
                enqueue=not options["sync"],
            )
        except ValueError as error:
            raise CommandError(str(error)) from error
        if not created:
            write_line(self.stdout, verbosity, f"pipeline {run} was accepted before; nothing is done twice")
        if options["sync"]:  # one that exists goes on here, if it has not ended and is nobody's
            with console(verbosity).status("starting …") as spinner:
                execute(run, watch=lambda step: self._tell(step, verbosity, spinner))
        elif options["wait"]:
            self._wait(run, verbosity)
        elif created:
            clusters.warn_unless_alive(self.stderr, verbosity, clusters.HEAVY)
        run.refresh_from_db()
        if options["sync"] and run.status == PipelineRun.Status.RUNNING:
            state = run.error or "under way elsewhere"
            raise CommandError(f"pipeline {run} is {state}; a cluster, or the same command, goes on")
        self._summarise(run, verbosity)

    def _tell(self, step: PipelineStep, verbosity: int, spinner: Status) -> None:
        """The step that runs beside the spinner; one that has ended as a line that stays."""
        if step.status == PipelineStep.Status.RUNNING:
            spinner.update(f"{step.number} {step.name} …")
        elif step.status in ENDED:
            text = step.error or step.summary
            write_line(self.stdout, verbosity, f"{step.number} {step.name:16} {step.status:9} {text}")

    def _wait(self, run: PipelineRun, verbosity: int) -> None:
        clusters.warn_unless_alive(self.stderr, verbosity, clusters.HEAVY)
        told: set[int] = set()
        with console(verbosity).status("waiting for a cluster …") as spinner:
            while run.status == PipelineRun.Status.RUNNING:
                time.sleep(0.3)
                run.refresh_from_db()
                for step in run.steps.exclude(pk__in=told):
                    self._tell(step, verbosity, spinner)
                    if step.status in ENDED:
                        told.add(step.pk)

    def _summarise(self, run: PipelineRun, verbosity: int) -> None:
        if run.status == PipelineRun.Status.FAILED:
            raise CommandError(f"pipeline {run} failed: {run.error}")
        fell_short = run.steps.filter(name=PipelineStep.Name.TRAINING, status=PipelineStep.Status.WARNING)
        fell_short |= run.steps.filter(name=PipelineStep.Name.PREDICTIONS, status=PipelineStep.Status.WARNING)
        if fell_short.exists():
            raise CommandError(f"pipeline {run} is {run.status}, but not every mode got through")
        state = "enqueued" if run.started_at is None else run.status
        write_line(self.stdout, verbosity, f"pipeline {run} for the draw of {run.draw_date}: {state}")
