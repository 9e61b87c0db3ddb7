"""`manage.py demo`: the main job on real draws, from the pipeline to an API consumer, measured."""

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

PIPELINE_SECONDS = 900
BATCH_SECONDS = 120
REQUESTS = 200


class Command(BaseCommand):
    help = (
        "Start real clusters and a real web server, send the stored draws through the pipeline, wait for "
        "the background batch, read its tickets over HTTP, print a report and stop everything. Exits 1 when "
        "anything fell short. Safe to run again."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        self.verbosity = options["verbosity"]
        configure_console_logging(self.verbosity)
        try:
            with run_local_stack() as stack:
                self._say(f"web server at {stack.url}, two clusters; logs in var/logs/")
                run = self._pipeline(stack)
                tickets = self._batches(stack, run)
                self._report(run, tickets, _Client(stack.url))
        except StartError as error:
            raise CommandError(f"the demo cannot start: {error}") from error
        except KeyboardInterrupt as error:
            raise CommandError("interrupted; everything was stopped") from error
        self._say("Everything was stopped. `make serve` keeps it running.")

    def _say(self, line: str = "") -> None:
        write_line(self.stdout, self.verbosity, line)
        self.stdout.flush()

    def _pipeline(self, stack: LocalStack) -> PipelineRun:
        run, _ = accept_run(source="bundled", pipeline_run_id=new_run_id("demo"))
        self._say(f"pipeline {run} enqueued for the draw of {run.draw_date}")
        told: set[int] = set()

        def ended() -> bool:
            run.refresh_from_db()
            for step in run.steps.exclude(started_at=None).exclude(pk__in=told):
                if step.finished_at is None:
                    spinner.update(f"{step.number} {step.name} …")
                    continue
                told.add(step.pk)
                self._say(f"  {step.number} {step.name:16} {step.status:9} {step.error or step.summary}")
            return run.status != PipelineRun.Status.RUNNING

        with console(self.verbosity).status("waiting for the heavy cluster …") as spinner:
            _wait(stack, ended, PIPELINE_SECONDS, "the pipeline")
        if run.status != PipelineRun.Status.COMPLETED:
            raise CommandError(f"the pipeline failed: {run.error}")
        return run

    def _batches(self, stack: LocalStack, run: PipelineRun) -> GenerationRun:
        runs = GenerationRun.objects.filter(pipeline_run_id=run.pipeline_run_id)
        _wait(stack, lambda: runs.exclude(status="running").exists(), BATCH_SECONDS, "the background batch")
        tickets = runs.get()
        if tickets.status != GenerationRun.Status.COMPLETED:
            raise CommandError(f"the batch is {tickets.status}: {tickets.error}")
        return tickets

    def _report(self, run: PipelineRun, tickets: GenerationRun, client: "_Client") -> None:
        self._say()
        newest = Draw.objects.aggregate(newest=Max("draw_date"))["newest"]
        self._say(f"Draws       {Draw.objects.count()} stored; {freshness_text(newest)}")
        for prediction in run.predictions.select_related("model").order_by("id"):
            for line in _model_lines(prediction.model):
                self._say(line)
        status = client.get("/api/v1/tickets/batch-status")
        for batch in tickets.batches.order_by("id"):
            stock = status["by_mode"][batch.mode]
            self._say(
                f"Tickets     {batch.mode}: {batch.stored} made for {batch.draw_date}, {stock} in stock"
            )
            self._samples(client, run, batch.mode)
        self._say(
            "            (confidence: percentile among random tickets by the model; every ticket's chance "
            "at the jackpot is 1 in 292,201,338)"
        )
        if status["total_tickets"] != PreGeneratedTicket.objects.count():
            raise CommandError("batch-status does not agree with the table")
        p50, p99 = client.percentiles(f"/api/v1/tickets/cached?mode={run.modes[0]}&limit=10", REQUESTS)
        self._say(
            f"API         {REQUESTS} requests for 10 cached tickets: p50 {p50:.1f} ms, p99 {p99:.1f} ms"
        )
        self._say()

    def _samples(self, client: "_Client", run: PipelineRun, mode: str) -> None:
        answer = client.get(f"/api/v1/tickets/cached?mode={mode}&limit=3&draw_date={run.draw_date}")
        if answer["draw_date"] != str(run.draw_date) or not answer["tickets"]:
            raise CommandError(f"the API offers no {mode} tickets for {run.draw_date}: {answer}")
        for ticket in answer["tickets"]:
            if ticket["pipeline_run_id"] != run.pipeline_run_id:
                raise CommandError(f"the newest {mode} ticket is of another run: {ticket}")
            balls = " ".join(f"{ball:2d}" for ball in ticket["white_balls"])
            self._say(
                f"              {balls}  + {ticket['powerball']:2d}   confidence {ticket['confidence']:.2f}"
                f"   by {ticket['strategy']}"
            )


def _model_lines(model: TrainedModel) -> list[str]:
    skill = model.skill
    return [
        f"Training    {model.mode}: {model.seconds:.1f} s in its own process, "
        f"{model.peak_memory_kb / 1024:.0f} MB peak, {model.size_bytes / 1000:.1f} kB file",
        f"Log-loss    {model.mode} {skill['log_loss']:.4f} nats a draw on {skill['draws_tested']} held-out "
        f"draws, uniform {skill['uniform_log_loss']:.4f}; "
        f"gain over uniform {skill['skill_nats']:+.4f} ± {skill['skill_se']:.4f}: {_verdict(skill)}",
    ]


def _verdict(skill: dict[str, float]) -> str:
    """Plain words for a difference and its standard error (two of them: about 95 %)."""
    if abs(skill["skill_nats"]) <= 2 * skill["skill_se"]:
        return "no better and no worse than chance"
    return "measurably worse than chance" if skill["skill_nats"] < 0 else "better than chance on these draws"


def _wait(stack: LocalStack, ended: Callable[[], bool], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not ended():
        if trouble := stack.ended():
            raise CommandError(f"{what} cannot end: {trouble}")
        if time.monotonic() > deadline:
            raise CommandError(f"{what} has not ended after {seconds} seconds; see var/logs/")
        time.sleep(0.3)


class _Client:
    """An API consumer with one kept connection."""

    def __init__(self, url: str) -> None:
        self.connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)

    def get(self, path: str) -> dict[str, Any]:
        self.connection.request("GET", path)
        response = self.connection.getresponse()
        body = response.read()
        if response.status != http.HTTPStatus.OK:
            raise CommandError(f"GET {path} answered {response.status}: {body[:300]!r}")
        answer: dict[str, Any] = json.loads(body)
        return answer

    def percentiles(self, path: str, count: int) -> tuple[float, float]:
        """The median and the 99th percentile of `count` requests, one after the other, in milliseconds."""
        times = []
        for _ in range(count):
            started = time.perf_counter()
            self.get(path)
            times.append((time.perf_counter() - started) * 1000)
        cuts = statistics.quantiles(times, n=100)
        return cuts[49], cuts[98]
