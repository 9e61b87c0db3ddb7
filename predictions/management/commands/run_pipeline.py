"""Management command that runs the pipeline from official draws to predictions."""

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

FINISHED = {
    PipelineStep.Status.COMPLETED,
    PipelineStep.Status.WARNING,
    PipelineStep.Status.FAILED,
    PipelineStep.Status.SKIPPED,
}


class Command(BaseCommand):
    help = (
        "Runs the six steps (data, analytics, evaluation, adaptive weights, training, predictions) for the "
        "next draw, then enqueues a batch of tickets. Without --sync or --wait, enqueues the run for the "
        "heavy cluster and prints its ID."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--source",
            choices=SOURCES,
            default=settings.DRAWS_SOURCE,
            help=f"Source of new draws; none only uses stored draws. Defaults to {settings.DRAWS_SOURCE}.",
        )
        parser.add_argument(
            "--draw-date",
            type=iso_date,
            metavar="DATE",
            help="Draw to predict, from the draws before it. Defaults to the next draw.",
        )
        add_modes_argument(parser, MODE_NAMES, "Modes to train and predict. Defaults to all modes.")
        parser.add_argument(
            "--run-id",
            metavar="ID",
            help="ID of the run. Repeating an ID resumes an interrupted run and never runs a step twice.",
        )
        execution = parser.add_mutually_exclusive_group()
        execution.add_argument("--sync", action="store_true", help="Run the pipeline in this process.")
        execution.add_argument(
            "--wait", action="store_true", help="Enqueue the run and wait until it finishes."
        )

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
            write_line(self.stdout, verbosity, f"Pipeline run {run} already exists; no step runs twice.")
        if options["sync"]:
            with console(verbosity).status("Starting …") as spinner:
                execute(run, watch=lambda step: self._report_step(step, verbosity, spinner))
        elif options["wait"]:
            self._wait(run, verbosity)
        elif created:
            clusters.warn_unless_alive(self.stderr, verbosity, clusters.HEAVY)
        run.refresh_from_db()
        if options["sync"] and run.status == PipelineRun.Status.RUNNING:
            reason = run.error or "another worker is running it"
            raise CommandError(
                f"Pipeline run {run} is unfinished: {reason}. A cluster resumes it, or the same command does."
            )
        self._summarize(run, verbosity)

    def _report_step(self, step: PipelineStep, verbosity: int, spinner: Status) -> None:
        if step.status == PipelineStep.Status.RUNNING:
            spinner.update(f"{step.number} {step.name} …")
        elif step.status in FINISHED:
            outcome = step.error or step.summary
            write_line(self.stdout, verbosity, f"{step.number} {step.name:16} {step.status:9} {outcome}")

    def _wait(self, run: PipelineRun, verbosity: int) -> None:
        clusters.warn_unless_alive(self.stderr, verbosity, clusters.HEAVY)
        reported: set[int] = set()
        with console(verbosity).status("Waiting for a cluster …") as spinner:
            while run.status == PipelineRun.Status.RUNNING:
                time.sleep(0.3)
                run.refresh_from_db()
                for step in run.steps.exclude(pk__in=reported):
                    self._report_step(step, verbosity, spinner)
                    if step.status in FINISHED:
                        reported.add(step.pk)

    def _summarize(self, run: PipelineRun, verbosity: int) -> None:
        if run.status == PipelineRun.Status.FAILED:
            raise CommandError(f"Pipeline run {run} failed: {run.error}")
        per_mode = [PipelineStep.Name.TRAINING, PipelineStep.Name.PREDICTIONS]
        if run.steps.filter(name__in=per_mode, status=PipelineStep.Status.WARNING).exists():
            raise CommandError(f"Pipeline run {run} is {run.status}, but at least one mode failed.")
        state = "enqueued" if run.started_at is None else run.status
        write_line(self.stdout, verbosity, f"Pipeline run {run} for the draw of {run.draw_date} is {state}.")
