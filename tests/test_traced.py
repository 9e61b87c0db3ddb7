"""Request ids in logs and rows, from the web process to the workers."""

import http.client
import json
from datetime import date
from pathlib import Path
from urllib.parse import urlencode

import pytest
from django_q.models import OrmQ

from predictions.models import PipelineRun
from predictions.pipeline.runner import accept_run, execute
from predictions.workqueue import clusters
from shiolplus.logs.context import log_ids
from tests.factories import draw_on_sale, make_client, make_prediction, some_tickets
from tests.processes import cluster, wait_until, web_server
from tests.shiolplus.logs.test_logs import LOG_FILE
from tests.staff import superuser
from tickets.claims.allocation import ClaimRequest, claim_tickets
from tickets.models import GenerationRun, TicketBatch
from tickets.receivers import enqueue_missing_batches
from tickets.store import insert_batch_tickets
from tickets.store.purge import enqueue_purge, purge_candidates
from tickets.tasks import purge_ticket_batch

ID = "trace-me-0123"
GENERATE = "/admin/tickets/generationrun/generate/"
TOKEN = "t" * 32


def confirm(port: int, session: str, draw_date: date) -> int:
    """Submit the admin's confirmed form for a batch and return the status."""
    form = {"modes": "random_forest", "batch_size": 10, "draw_date": draw_date, "run_id": "traced"}
    body = urlencode(form | {"confirmed": "yes", "csrfmiddlewaretoken": TOKEN})
    headers = {
        "Cookie": f"sessionid={session}; csrftoken={TOKEN}",
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Request-ID": ID,
    }
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("POST", GENERATE, body, headers)
    response = connection.getresponse()
    response.read()
    return response.status


def read_log(log: Path) -> list[dict[str, str]]:
    """Return all log lines of a process, which must be JSON."""
    return [json.loads(line) for line in log.read_text().splitlines()]


@pytest.mark.django_db(transaction=True)
def test_admin_request_id_is_logged_by_web_and_worker(tmp_path: Path) -> None:
    draw_date = draw_on_sale()
    make_prediction(draw_date=draw_date)
    session = superuser().cookies["sessionid"].value
    web, worker, as_json = tmp_path / "web", tmp_path / "worker", {"SHIOL_LOG_FORMAT": "json"}
    with (
        web_server(web, "--access-logfile", "-", **as_json) as (_, port),
        cluster(clusters.DEFAULT, worker, **as_json),
    ):
        assert confirm(port, session, draw_date) == 302
        wait_until(lambda: TicketBatch.objects.filter(status="ready").exists(), 60, "the batch")
        wait_until(lambda: "(random_forest) ready" in worker.read_text(), 10, "its line")

    run = GenerationRun.objects.get()
    assert run.request_id == ID
    by_id = [one for one in read_log(web) if one.get("request") == ID]
    assert [(one["message"], one["run"]) for one in by_id] == [
        (f"Created ticket batches for the draw of {draw_date}: random_forest", "traced")
    ]
    (access,) = [one["message"] for one in read_log(web) if one["logger"] == "gunicorn.access"]
    assert f'"POST {GENERATE} HTTP/1.1" 302' in access
    assert f"request={ID}" in access
    done = [one for one in read_log(worker) if one["message"].endswith("(random_forest) ready")]
    assert [(one["request"], one["run"], one["batch"]) for one in done] == [
        (ID, "traced", str(TicketBatch.objects.get().pk))
    ]


@pytest.mark.django_db
def test_generation_run_has_request_id_of_its_pipeline() -> None:
    with log_ids(request=ID):
        run, _ = accept_run(source="none", modes=["v1"], pipeline_run_id="asked", enqueue=False)
        other, _ = accept_run(source="none", modes=["v1"], pipeline_run_id="missed", enqueue=False)
    assert run.request_id == ID
    PipelineRun.objects.filter(pk=other.pk).update(status="completed")

    enqueue_missing_batches()

    assert GenerationRun.objects.get(pipeline_run_id="missed").request_id == ID
    by_clock, _ = accept_run(source="none", modes=["v1"], enqueue=False)
    assert by_clock.request_id == ""


@pytest.mark.django_db
def test_pipeline_task_logs_request_id() -> None:
    with log_ids(request=ID):
        run, _ = accept_run(source="none", modes=["v1"], pipeline_run_id="asked", enqueue=False)

    execute(run)

    assert f"[request={ID} run=asked]: Step 1 data" in LOG_FILE.read_text()


@pytest.mark.django_db
def test_claim_stores_request_id() -> None:
    draw_date = draw_on_sale()
    insert_batch_tickets(some_tickets(3), "v1", draw_date=draw_date)

    with log_ids(request=ID):
        claim, _ = claim_tickets(make_client(), ClaimRequest("v1", 2, draw_date), "order-1")

    claim.refresh_from_db()
    assert claim.request_id == ID


@pytest.mark.django_db
def test_queued_purge_logs_request_id() -> None:
    insert_batch_tickets(some_tickets(3), "v1", draw_date=draw_on_sale())
    with log_ids(request=ID):
        enqueue_purge([candidate.batch.pk for candidate in purge_candidates(mode="v1")])
    task = OrmQ.objects.get().task

    purge_ticket_batch(*task["args"])

    batch = TicketBatch.objects.get()
    assert (
        f"[request={ID} batch={batch.pk}]: Purged 3 tickets of batch {batch.pk} (v1)" in LOG_FILE.read_text()
    )
    assert purge_ticket_batch(batch.pk, None)["deleted"] == 0  # a task of an earlier release has no id


@pytest.mark.django_db
def test_admin_finds_and_shows_runs_by_request_id() -> None:
    with log_ids(request=ID):
        run, _ = accept_run(source="none", modes=["v1"], pipeline_run_id="asked", enqueue=False)
    accept_run(source="none", modes=["v1"], pipeline_run_id="another", enqueue=False)
    browser = superuser()

    found = browser.get("/admin/predictions/pipelinerun/", {"q": ID})
    page = browser.get(f"/admin/predictions/pipelinerun/{run.pk}/change/").content.decode()

    assert [one.pipeline_run_id for one in found.context["cl"].queryset] == ["asked"]
    assert ID in page
