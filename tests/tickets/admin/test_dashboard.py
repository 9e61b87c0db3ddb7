"""The system snapshot and the admin's dashboard."""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import Permission
from django.contrib.staticfiles import finders
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from predictions.models import PipelineRun, PipelineStep
from tests.factories import (
    WEDNESDAY,
    claim_tickets,
    count_claims,
    make_backtest,
    make_draw,
    make_prediction,
    queued_batch,
    some_tickets,
)
from tests.staff import client_of, staff_who_may, superuser, text_of
from tickets.generation.generator import BatchTicketGenerator
from tickets.generation.lifecycle import finish_batch
from tickets.models import TicketBatch
from tickets.models.policies import ModePolicy
from tickets.monitoring.charts import build_charts
from tickets.monitoring.collector import take_snapshot
from tickets.monitoring.history import error_rate, mode_histories, recent_days
from tickets.monitoring.snapshot import ModeSnapshot
from tickets.scoring.scorer import score_known_draws
from tickets.store import insert_batch_tickets

pytestmark = pytest.mark.django_db
PAGE = "/admin/dashboard/"
NOW = datetime(2026, 11, 24, 12, 30, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _now() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


def mode(name: str) -> ModeSnapshot:
    return {snapshot.mode: snapshot for snapshot in take_snapshot(NOW).modes}[name]


def made(size: int = 20, modes: tuple[str, ...] = ("random_forest",), **values: Any) -> TicketBatch:
    """Generate a batch and then update some of its columns."""
    result = BatchTicketGenerator(size, modes, auto_cleanup=False).generate_batch(
        async_mode=False, draw_date=WEDNESDAY
    )
    TicketBatch.objects.filter(run=result["generation_run_id"]).update(**values)
    return TicketBatch.objects.get(run=result["generation_run_id"])


def failed(error: str = "no room", **values: Any) -> TicketBatch:
    batch = queued_batch()
    batch.token = TicketBatch.objects.acquire(batch.pk, "me")
    finish_batch(batch, TicketBatch.Status.FAILED, error)
    TicketBatch.objects.filter(pk=batch.pk).update(**values)
    return batch


# The snapshot


def test_a_mode_shows_its_stock_its_last_batches_and_its_model() -> None:
    prediction = make_prediction()
    batch = made(started_at=NOW - timedelta(seconds=4))
    claim_tickets(batch, 5)
    queued_batch(size=30)
    type(prediction.model).objects.filter(pk=prediction.model_id).update(active=True)

    shown = mode("random_forest")

    assert (shown.stock.stored, shown.stock.claimed, shown.stock.available) == (20, 5, 15)
    assert (shown.stock.on_order, shown.is_predicted, shown.is_paused) == (30, True, False)
    assert shown.last_success is not None
    assert (shown.last_success.id, shown.last_success.generated, shown.last_success.seconds) == (
        batch.pk,
        20,
        4.0,
    )
    assert shown.model is not None
    assert (shown.model.id, shown.model.draws_through, shown.model.pinned) == (
        prediction.model_id,
        date(2025, 12, 22),
        False,
    )
    assert (mode("v1").last_success, mode("v1").model, mode("v1").skill) == (None, None, None)


def test_a_mode_fails_as_long_as_its_newest_ended_batch_is_a_failed_one() -> None:
    make_prediction()
    failed(finished_at=NOW - timedelta(hours=1))
    assert mode("random_forest").is_failing

    made()
    shown = mode("random_forest")
    assert not shown.is_failing
    assert shown.last_failure is not None
    assert shown.last_failure.error == "no room"


def test_newest_twenty_batches_are_listed_despite_later_failures() -> None:
    make_prediction()
    first = made()
    batches = [made(5, finished_at=NOW + timedelta(minutes=minute)) for minute in range(1, 22)]
    for minute in range(22, 44):
        failed(finished_at=NOW + timedelta(minutes=minute))

    history = mode_histories()["random_forest"]

    assert [batch.id for batch in history.ready_batches] == [batch.pk for batch in reversed(batches[1:])]
    assert first.pk not in [batch.id for batch in history.ready_batches]
    assert len(history.failed) == 20


def test_days_count_finished_batches_and_the_error_rate_covers_seven() -> None:
    make_prediction()
    make_prediction("v1")
    made(20, finished_at=datetime(2026, 11, 23, 23, 59, 59, tzinfo=UTC))
    made(30, ("v1",), finished_at=datetime(2026, 11, 24, 0, 0, tzinfo=UTC))
    failed()
    failed(finished_at=NOW - timedelta(days=7))  # the eighth day, today counted
    failed(finished_at=NOW - timedelta(days=14))  # older than what is told
    queued_batch(status="cancelled", finished_at=NOW)

    days = recent_days(NOW)

    assert [str(day.day) for day in days[:1] + days[-1:]] == ["2026-11-11", "2026-11-24"]
    assert (days[-2].tickets["random_forest"], days[-2].ready, days[-2].failed) == (20, 1, 0)
    assert (days[-1].tickets["v1"], days[-1].ready, days[-1].failed, days[-1].cancelled) == (30, 1, 1, 1)
    assert sum(day.failed for day in days) == 2
    rate = error_rate(days)
    assert (rate.days, rate.finished, rate.failed, rate.share) == (7, 3, 1, 1 / 3)
    assert error_rate([]).share is None


def test_tickets_handed_in_are_no_work_of_the_batches() -> None:
    insert_batch_tickets(some_tickets(7), "v1", draw_date=WEDNESDAY)

    assert (mode("v1").stock.available, mode("v1").last_success) == (7, None)
    assert sum(day.ready for day in recent_days(NOW)) == 0


def test_running_work_shows_progress_and_waiting_work_its_age() -> None:
    make_prediction()
    batch = queued_batch(size=400, generated=100, stored=100, rate=50.0)
    TicketBatch.objects.acquire(batch.pk, "me")
    queued_batch(created_at=NOW - timedelta(minutes=3))
    queued_batch(created_at=NOW - timedelta(minutes=2))
    run = PipelineRun.objects.create(pipeline_run_id="p-1", draw_date=WEDNESDAY, source="none")
    for number, name in enumerate(PipelineStep.Name.values, start=1):
        status = "running" if name == "training" else "pending"
        run.steps.create(number=number, name=name, status=status)

    work = take_snapshot(NOW).workload

    (one,) = work.batches
    assert (one.id, one.generated, one.requested, one.rate, one.seconds_left) == (
        batch.pk,
        100,
        400,
        50.0,
        6.0,
    )
    assert (work.waiting, work.oldest_waiting_seconds) == (2, 180.0)
    waiting, pipeline = work.pipelines  # the first made the prediction, and has no step yet
    assert (waiting.step, waiting.number) == ("", 0)
    assert (pipeline.step, pipeline.number, pipeline.steps) == ("training", 5, 6)
    assert not work.is_idle


def test_batch_requeued_between_two_tasks_counts_as_in_progress() -> None:
    make_prediction()
    queued_batch(started_at=NOW - timedelta(hours=1), created_at=NOW - timedelta(hours=1))

    work = take_snapshot(NOW).workload

    assert (len(work.batches), work.waiting, work.oldest_waiting_seconds) == (1, 0, None)


def test_skill_and_prizes_are_compared_with_chance() -> None:
    make_backtest({"v1": (0.01, 0.001), "lstm": (-0.02, 0.5)})
    insert_batch_tickets(some_tickets(4), "v1", draw_date=date(2026, 11, 23))
    make_draw(date(2026, 11, 23), (1, 2, 3, 40, 50), 9)
    score_known_draws()

    shown = mode("v1")

    assert shown.skill is not None
    assert shown.skill.nats == pytest.approx(0.01)
    assert 0 < shown.skill.low < shown.skill.nats < shown.skill.high
    assert shown.skill.verdict.startswith("better than chance on 40 draws")
    assert (shown.prizes.draws, shown.prizes.tickets, shown.prizes.won_usd) == (1, 4, 28)
    assert (shown.prizes.excess_white, shown.prizes.verdict) == (None, "too few to say")


# The charts


def test_every_chart_has_a_value_a_label_and_the_same_in_its_table() -> None:
    make_prediction()
    made(started_at=NOW - timedelta(seconds=2))
    made(started_at=NOW - timedelta(seconds=3))
    count_claims("v1", NOW.replace(minute=0), claims=4, refused=1)
    count_claims("v1", NOW.replace(minute=0) - timedelta(hours=47), claims=2)
    count_claims("v1", NOW.replace(minute=0) - timedelta(hours=48), claims=9)

    charts = {chart.name: chart for chart in build_charts(take_snapshot(NOW))}

    assert list(charts) == ["stock", "tickets", "batches", "claims", "durations"]
    for chart in charts.values():
        assert all(len(series.values) == len(chart.labels) for series in chart.series)
    v1 = next(series for series in charts["claims"].series if series.name == "v1")
    assert (v1.values[0], v1.values[-1], sum(v1.values)) == (2, 4, 6)
    assert charts["claims"].rows[-1] == ("11-24 12:00", ["0", "0", "4", "0", "0", "1"])
    assert charts["tickets"].rows == [("11-24", ["40", "0", "0", "0", "0"])]
    assert charts["durations"].labels == ["-1", "newest"]
    assert charts["durations"].series[0].values == [2.0, 3.0]
    page = text_of(superuser().get(PAGE))
    assert page.count('role="img"') == len(charts)
    assert "<title>11-24 12:00: random_forest 0, lstm 0, v1 4, v2 0, hybrid 0, refused 1</title>" in page
    assert '<th scope="row">11-24 12:00</th><td>0</td><td>0</td><td>4</td>' in page


def test_a_chart_without_values_is_a_text() -> None:
    page = text_of(superuser().get(PAGE))

    assert 'role="img"' not in page
    for empty in (
        "No tickets for this draw.",
        "No claims in the last 48 hours.",
        "No batches are ready yet.",
    ):
        assert f'<p class="help">{empty}</p>' in page


# The page


def test_page_shows_work_stock_and_diagnostics() -> None:
    make_prediction()
    made(20)
    batch = queued_batch(size=400, generated=100, stored=100, rate=50.0)
    TicketBatch.objects.acquire(batch.pk, "me")

    page = text_of(superuser().get(PAGE))

    assert "Action needed" in page
    assert "No cluster generates tickets (queue shiolplus)." in page
    assert 'href="/admin/predictions/pipelinerun/run/"' in page
    assert (
        f'href="/admin/tickets/ticketbatch/{batch.pk}/change/">Batch {batch.pk} of random_forest</a>' in page
    )
    assert "100 of 400 tickets, 50 per second, 6.0 s left" in page
    assert "Last updated 2026-11-24 12:30:00 UTC" in page
    assert 'data-refresh-seconds="3"' in page


def test_diagnostics_modes_and_batches_link_to_permitted_actions() -> None:
    make_prediction()
    broken = failed()
    running = queued_batch(size=400)
    TicketBatch.objects.acquire(running.pk, "me")
    ModePolicy.objects.filter(mode="v2").update(paused=True)
    ways = {
        f"/admin/tickets/ticketbatch/retry/?batches={broken.pk}": "change_ticketbatch",
        f"/admin/tickets/ticketbatch/cancel/?batches={running.pk}": "change_ticketbatch",
        "/admin/tickets/generationrun/generate/?modes=lstm": "add_generationrun",
        "/admin/tickets/modepolicy/pause/?modes=v1": "change_modepolicy",
        "/admin/tickets/modepolicy/resume/?modes=v2": "change_modepolicy",
        "/admin/tickets/generationrun/regenerate/?mode=v1": "delete_pregeneratedticket",
        "/admin/predictions/draw/import/": "add_draw",
    }

    may_look = client_of("viewer", *Permission.objects.filter(codename__startswith="view_"))
    may_act = staff_who_may(*ways.values())

    assert [way for way in ways if f'href="{way}"' in may_look.get(PAGE).content.decode()] == []
    shown = may_act.get(PAGE).content.decode()
    assert [way for way in ways if f'href="{way}"' in shown] == list(ways)
    assert {way: may_act.get(way).status_code for way in ways} == dict.fromkeys(ways, 200)


def test_idle_dashboard_refreshes_less_often() -> None:
    page = text_of(superuser().get(PAGE))

    assert "<p>Idle</p>" in page
    assert 'data-refresh-seconds="15"' in page


def test_page_needs_at_most_25_queries() -> None:
    client = staff_who_may("add_draw")
    make_prediction()
    made()
    failed()
    queued_batch(size=400)
    make_backtest({"v1": (0.01, 0.001)})
    for number in range(3):
        run = PipelineRun.objects.create(pipeline_run_id=f"p-{number}", draw_date=WEDNESDAY, source="none")
        run.steps.create(number=1, name="data")

    with CaptureQueriesContext(connection) as queries:
        assert client.get(PAGE).status_code == 200

    assert len(queries) <= 25


def test_staff_without_permission_see_neither_dashboard_nor_link() -> None:
    nobody = client_of("nobody")

    assert nobody.get(PAGE).status_code == 403
    assert PAGE not in nobody.get("/admin/").content.decode()
    assert Client().get(PAGE).headers["Location"] == f"/admin/login/?next={PAGE}"

    seer = client_of("seer", Permission.objects.get(codename="view_ticketbatch"))
    assert PAGE in seer.get("/admin/").content.decode()
    page = seer.get(PAGE).content.decode()
    assert "manage.py import_draws" in page
    assert "/admin/predictions/draw/import/" not in page


def test_page_has_no_foreign_requests_and_no_inline_code() -> None:
    page = superuser().get(PAGE)
    source = page.content.decode()

    assert not re.findall(r"""(?:src|href)=["'](?:https?:)?//""", source)
    assert " style=" not in source
    assert "<style" not in source
    assert [script for script in re.findall(r"<script[^>]*>", source) if "src=" not in script] == []
    assert "'unsafe-inline'" not in page.headers["Content-Security-Policy"]


def test_page_and_its_files_are_under_200_kb() -> None:
    page = superuser().get(PAGE).content
    names = re.findall(rb'(?:src|href)="/static/[0-9a-f]+/([^"]+\.(?:js|css))"', page)

    weights = {name: Path(finders.find(name.decode())).stat().st_size for name in names}

    assert b"tickets/dashboard.js" in names
    assert sum(weights.values()) + len(page) < 200_000
