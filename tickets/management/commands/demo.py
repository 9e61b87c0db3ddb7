"""Management command that runs the whole system once on real draws and measures it."""

import http.client
import json
import statistics
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from django.core.management.base import BaseCommand, CommandError
from django.db.models import Max

from predictions.draws.sources import freshness_text
from predictions.models import Draw, PipelineRun, TrainedModel, new_run_id
from predictions.pipeline.runner import accept_run
from shiolplus.cli import configure_console_logging, console, write_line
from tickets.cluster.local_stack import LocalStack, StartError, run_local_stack
from tickets.models import GenerationRun, PreGeneratedTicket

PIPELINE_TIMEOUT = 900  # seconds
BATCH_TIMEOUT = 120  # seconds
REQUESTS = 200


class Command(BaseCommand):
    help = (
        "Starts both clusters and a web server, runs the pipeline on the stored draws, waits for the "
        "background batch, requests its tickets over HTTP, prints a report and stops everything. Exits with "
        "status 1 if a step fails. Can be run repeatedly."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        self.verbosity = options["verbosity"]
        configure_console_logging(self.verbosity)
        try:
            with run_local_stack() as stack:
                self._write(f"Started two clusters and a web server at {stack.url}; logs are in var/logs/.")
                pipeline_run = self._run_pipeline(stack)
                generation_run = self._wait_for_batches(stack, pipeline_run)
                self._report(pipeline_run, generation_run, HttpClient(stack.url))
        except StartError as error:
            raise CommandError(f"The demo cannot start: {error}") from error
        except KeyboardInterrupt as error:
            raise CommandError("Interrupted; all processes were stopped.") from error
        self._write("Stopped all processes. `make serve` keeps them running.")

    def _write(self, line: str = "") -> None:
        write_line(self.stdout, self.verbosity, line)
        self.stdout.flush()

    def _run_pipeline(self, stack: LocalStack) -> PipelineRun:
        run, _ = accept_run(source="bundled", pipeline_run_id=new_run_id("demo"))
        self._write(f"Enqueued pipeline run {run} for the draw of {run.draw_date}.")
        reported: set[int] = set()

        def is_finished() -> bool:
            run.refresh_from_db()
            for step in run.steps.exclude(started_at=None).exclude(pk__in=reported):
                if step.finished_at is None:
                    spinner.update(f"{step.number} {step.name} …")
                    continue
                reported.add(step.pk)
                self._write(f"  {step.number} {step.name:16} {step.status:9} {step.error or step.summary}")
            return run.status != PipelineRun.Status.RUNNING

        with console(self.verbosity).status("Waiting for the heavy cluster …") as spinner:
            wait_for(stack, is_finished, PIPELINE_TIMEOUT, "The pipeline")
        if run.status != PipelineRun.Status.COMPLETED:
            raise CommandError(f"The pipeline failed: {run.error}")
        return run

    def _wait_for_batches(self, stack: LocalStack, pipeline_run: PipelineRun) -> GenerationRun:
        runs = GenerationRun.objects.filter(pipeline_run_id=pipeline_run.pipeline_run_id)
        finished = runs.exclude(status=GenerationRun.Status.RUNNING)
        wait_for(stack, finished.exists, BATCH_TIMEOUT, "The generation run")
        run = runs.get()
        if run.status != GenerationRun.Status.COMPLETED:
            raise CommandError(f"The generation run is {run.status}: {run.error}")
        return run

    def _report(self, pipeline_run: PipelineRun, generation_run: GenerationRun, client: "HttpClient") -> None:
        self._write()
        newest = Draw.objects.aggregate(newest=Max("draw_date"))["newest"]
        self._write(f"Draws       {Draw.objects.count()} stored; {freshness_text(newest)}")
        for prediction in pipeline_run.predictions.select_related("model").order_by("id"):
            self._report_model(prediction.model)
        status = client.get("/api/v1/tickets/batch-status")
        for batch in generation_run.batches.order_by("id"):
            self._write(
                f"Tickets     {batch.mode}: {batch.stored} generated for {batch.draw_date}, "
                f"{status['by_mode'][batch.mode]} stored in total"
            )
            self._report_tickets(client, pipeline_run, batch.mode)
        self._write(
            "            (confidence: percentile among random tickets under the model; every ticket's chance "
            "of the jackpot is 1 in 292,201,338)"
        )
        if status["total_tickets"] != PreGeneratedTicket.objects.count():
            raise CommandError("The total of batch-status differs from the number of stored tickets.")
        path = f"/api/v1/tickets/cached?mode={pipeline_run.modes[0]}&limit=10"
        p50, p99 = client.measure_latency(path, REQUESTS)
        self._write(
            f"API         {REQUESTS} requests for 10 cached tickets: p50 {p50:.1f} ms, p99 {p99:.1f} ms"
        )
        self._write()

    def _report_model(self, model: TrainedModel) -> None:
        skill = model.skill
        self._write(
            f"Training    {model.mode}: {model.seconds:.1f} s in its own process, "
            f"{model.peak_memory_kb / 1024:.0f} MB peak, {model.size_bytes / 1000:.1f} kB file"
        )
        self._write(
            f"Log-loss    {model.mode} {skill['log_loss']:.4f} nats per draw on {skill['draws_tested']} "
            f"held-out draws, uniform {skill['uniform_log_loss']:.4f}; "
            f"gain over uniform {skill['skill_nats']:+.4f} ± {skill['skill_se']:.4f}: {skill_verdict(skill)}"
        )

    def _report_tickets(self, client: "HttpClient", run: PipelineRun, mode: str) -> None:
        body = client.get(f"/api/v1/tickets/cached?mode={mode}&limit=3&draw_date={run.draw_date}")
        if body["draw_date"] != str(run.draw_date) or not body["tickets"]:
            raise CommandError(f"The API returned no {mode} tickets for {run.draw_date}: {body}")
        for ticket in body["tickets"]:
            if ticket["pipeline_run_id"] != run.pipeline_run_id:
                raise CommandError(f"The latest {mode} ticket belongs to another run: {ticket}")
            balls = " ".join(f"{ball:2d}" for ball in ticket["white_balls"])
            self._write(
                f"              {balls}  + {ticket['powerball']:2d}   confidence {ticket['confidence']:.2f}"
                f"   by {ticket['strategy']}"
            )


def skill_verdict(skill: dict[str, float]) -> str:
    """Compare the skill with twice its standard error, about a 95 % interval."""
    if abs(skill["skill_nats"]) <= 2 * skill["skill_se"]:
        return "indistinguishable from chance"
    return "measurably worse than chance" if skill["skill_nats"] < 0 else "better than chance on these draws"


def wait_for(stack: LocalStack, is_finished: Callable[[], bool], timeout: float, subject: str) -> None:
    """Raise CommandError if a process of the stack exits or the timeout passes first."""
    deadline = time.monotonic() + timeout
    while not is_finished():
        if failure := stack.find_exited():
            raise CommandError(f"{subject} cannot finish: {failure}")
        if time.monotonic() > deadline:
            raise CommandError(f"{subject} has not finished after {timeout} seconds; see var/logs/.")
        time.sleep(0.3)


class HttpClient:
    """An API client with one persistent connection."""

    def __init__(self, url: str) -> None:
        self.connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)

    def get(self, path: str) -> dict[str, Any]:
        self.connection.request("GET", path)
        response = self.connection.getresponse()
        content = response.read()
        if response.status != http.HTTPStatus.OK:
            raise CommandError(f"GET {path} returned {response.status}: {content[:300]!r}")
        body: dict[str, Any] = json.loads(content)
        return body

    def measure_latency(self, path: str, count: int) -> tuple[float, float]:
        """Return the median and the 99th percentile of `count` sequential requests, in milliseconds."""
        times = []
        for _ in range(count):
            started = time.perf_counter()
            self.get(path)
            times.append((time.perf_counter() - started) * 1000)
        percentiles = statistics.quantiles(times, n=100)
        return percentiles[49], percentiles[98]
