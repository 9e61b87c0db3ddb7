"""`make bench`: print the main figures of README and notes, measured on a temporary database.

The machine's speed drifts, so each figure has a reference from the same run: quote the ratio.
"""

import os
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from tests.benchmarks.alone import own_database

TICKETS = 1_000_000


def seconds(work: Callable[[], object], times: int = 5) -> float:
    """Return the median duration of several calls after a warm-up call."""
    work()
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


def show(what: str, figure: str, beside: str) -> None:
    print(f"{what:58} {figure:>22}   {beside}", flush=True)


def sampling() -> None:
    """Sample one million tickets on one core, compared with NumPy's choice without replacement."""
    from predictions.distributions.confidence import ConfidenceScale
    from predictions.distributions.sampling import component_order, draw_tickets, generator_for, sample
    from tests.factories import tilted_component

    component = tilted_component()
    chances = np.array(component.white) / sum(component.white)
    order = component_order([TICKETS], 1)

    def by_numpy(count: int = 2000) -> None:
        generator = np.random.default_rng(1)
        for _ in range(count):
            generator.choice(69, 5, replace=False, p=chances)

    def complete() -> None:
        tickets = draw_tickets([component], order, generator_for(1, 0, 0))
        ConfidenceScale(component).of(tickets)

    numpy_rate = 2000 / seconds(by_numpy)
    alone = TICKETS / seconds(lambda: sample(component, TICKETS, generator_for(1, 0, 0)))
    whole = TICKETS / seconds(complete)
    beside = f"Generator.choice a ticket: {numpy_rate:,.0f}/s"
    show("sample, numbers alone", f"{alone:,.0f} tickets/s", f"{alone / numpy_rate:.0f} times; {beside}")
    show(
        "sample, with confidence",
        f"{whole:,.0f} tickets/s",
        f"{whole / numpy_rate:.0f} times",
    )


def mixing() -> None:
    """Sample `v1`'s mixture with new confidence scales and with those of an earlier batch."""
    from predictions.distributions.components import Component, uniform_component
    from predictions.distributions.confidence import ConfidenceScale, confidence_scale
    from predictions.distributions.sampling import (
        component_order,
        draw_tickets,
        generator_for,
        split_by_share,
    )
    from tests.factories import dealt_component, random_component, stratified_component

    laws = [*map(random_component, range(3)), stratified_component(random_component(3))]
    components = [replace(law, share=1 / 6) for law in (*laws, uniform_component(), dealt_component())]
    order = component_order(split_by_share([1 / 6] * 6, 100_000), 1)

    def complete(scale: Callable[[Component], ConfidenceScale]) -> None:
        tickets = draw_tickets(components, order, generator_for(1, 0, 0))
        for index, component in enumerate(components):
            scale(component).of(tickets[order == index])

    made, kept = seconds(lambda: complete(ConfidenceScale)), seconds(lambda: complete(confidence_scale))
    show("100,000 tickets of six components, with confidence", f"{made:.3f} s", f"{kept:.3f} s, scales kept")


def pipeline() -> None:
    """Run all five modes from official draws to stored predictions."""
    from predictions.models import PipelineRun
    from predictions.pipeline.runner import accept_run, execute

    run, _ = accept_run(source="bundled", enqueue=False)
    started = time.perf_counter()
    execute(run)
    whole = time.perf_counter() - started
    run = PipelineRun.objects.get(pk=run.pk)
    made = run.predictions.count()
    show("run_pipeline, all five modes", f"{whole:.1f} s", f"{run.status}, {made} predictions")


def fitting() -> None:
    """Fit in child processes, imports included, compared with an interpreter that imports scikit-learn."""
    import subprocess

    from predictions.draws.sources import load_draw_history
    from predictions.modes.registry import MODES
    from predictions.training.trainer import predict, train

    known, laws = load_draw_history(), {}
    bare = seconds(
        lambda: subprocess.run([sys.executable, "-c", "import sklearn.ensemble, skops.io"], check=True), 3
    )
    for mode in MODES:
        started = time.perf_counter()
        model = train(mode, known)
        fitted = time.perf_counter() - started
        laws[mode], _ = predict(model, known, laws)
        whole = time.perf_counter() - started
        show(
            f"fit and predict {mode}, processes and imports",
            f"{whole:.1f} s",
            f"fit alone {fitted:.1f} s; importing scikit-learn alone {bare:.1f} s",
        )
        show(
            "  its file, and its peak memory",
            f"{model.size_bytes / 1e6:.2f} MB",
            f"{model.peak_memory_kb / 1024:.0f} MB",
        )


def storing() -> None:
    """Store 1,000 tickets from a prediction, compared with a plain executemany of as many rows."""
    from django.db import connection, transaction

    from predictions.modes.registry import MODE_NAMES
    from tickets.generation.generator import BatchTicketGenerator

    rows = [("random_forest", *range(1, 7), 0.5)] * 1000

    def bare() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("CREATE TABLE bare (mode text, a int, b int, c int, d int, e int, p int, q real)")
            cursor.executemany("INSERT INTO bare VALUES (%s, %s, %s, %s, %s, %s, %s, %s)", rows)
            cursor.execute("DROP TABLE bare")

    def generate(mode: str) -> None:
        result = BatchTicketGenerator(1000, [mode]).generate_batch(async_mode=False)
        assert result["tickets_generated"] == 1000, result

    floor = seconds(bare)
    for mode in MODE_NAMES:
        whole = seconds(partial(generate, mode))
        show(
            f"generate and store 1,000 tickets of {mode}",
            f"{whole:.3f} s",
            f"{whole / floor:.1f} times a bare insert without keys ({floor:.3f} s)",
        )


def main() -> None:
    with own_database():
        print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}, NumPy {np.__version__}\n")
        sampling()
        mixing()
        pipeline()
        fitting()
        storing()


if __name__ == "__main__":
    main()
