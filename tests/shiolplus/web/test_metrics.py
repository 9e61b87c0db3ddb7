"""/metrics: its values, computed from the database at scrape time, and access control."""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.conf import LazySettings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_q.models import OrmQ
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from predictions.models import Cluster, PipelineRun
from predictions.modes.registry import MODE_NAMES
from shiolplus.web import metrics
from shiolplus.web.trusted_proxies import parse_peers
from tests.factories import WEDNESDAY, count_claims, make_backtest, make_draw, make_model, make_prediction
from tests.shiolplus.web.test_health import make_cluster
from tests.tickets.api.test_problems import checked_problem
from tickets.generation.generator import BatchTicketGenerator
from tickets.models import TicketBatch
from tickets.models.policies import ModePolicy

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)  # a Tuesday
STATES = ("queued", "running", "ready", "failed", "cancelled")


@pytest.fixture(autouse=True)
def _fresh_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drop the totals of past draws that another test has left."""
    registry = CollectorRegistry()
    registry.register(metrics.SnapshotCollector())
    monkeypatch.setattr(metrics, "REGISTRY", registry)


def scrape(client: Client) -> dict[str, float]:
    """Return {`name{label=value}`: value} of all samples, without the prefix."""
    response = client.get("/metrics")
    assert (response.status_code, response["Cache-Control"]) == (200, "no-store")
    assert response["Content-Type"].startswith("text/plain")
    samples = {}
    for family in text_string_to_metric_families(response.content.decode()):
        assert family.name.startswith("shiolplus_")
        assert family.documentation.endswith(".")
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sample.labels.items())
            samples[sample.name.removeprefix("shiolplus_") + f"{{{labels}}}" * bool(labels)] = sample.value
    return samples


@pytest.mark.django_db
@time_machine.travel(NOON, tick=False)
def test_scrape_reports_tickets_batches_claims_models_draws_and_clusters(client: Client) -> None:
    make_prediction("random_forest")
    for size, mode in ((30, "random_forest"), (20, "lstm")):  # lstm has no prediction: its batch fails
        BatchTicketGenerator(size, [mode]).generate_batch(async_mode=False, draw_date=WEDNESDAY)
    BatchTicketGenerator(50, ["random_forest"]).generate_batch(draw_date=WEDNESDAY)
    done = TicketBatch.objects.filter(status="ready")
    done.update(started_at=NOON - timedelta(seconds=8), finished_at=NOON - timedelta(seconds=5.5))
    TicketBatch.objects.filter(status="queued").update(created_at=NOON - timedelta(minutes=11))
    count_claims(claims=2, tickets=7, refused=3)
    count_claims(draw_date=date(2026, 11, 21), claims=10, tickets=50)  # of a past draw
    ModePolicy.objects.filter(mode="v2").update(paused=True)
    model = make_model("v1", active=True, draws_through=date(2026, 11, 23))
    type(model).objects.filter(pk=model.pk).update(created_at=NOON - timedelta(hours=2))
    make_backtest({"v1": (-0.002, 0.01)})
    make_draw(date(2026, 11, 23))
    make_cluster(heartbeat_age=4)
    make_cluster("heavy", seen_at=NOON - timedelta(minutes=5))  # it died
    PipelineRun.objects.create(
        pipeline_run_id="good", draw_date=WEDNESDAY, source="none", status="completed", finished_at=NOON
    )
    PipelineRun.objects.create(pipeline_run_id="bad", draw_date=WEDNESDAY, source="none", status="failed")

    samples = scrape(client)

    draw = datetime(2026, 11, 24, 3, 59, tzinfo=UTC)  # Monday's, 22:59 in New York
    expected = {
        "available_tickets{mode=random_forest}": 23,
        "stored_tickets{mode=random_forest}": 30,
        "on_order_tickets{mode=random_forest}": 50,
        "reorder_point_tickets{mode=random_forest}": 100,
        "reorder_point_tickets{mode=v2}": 0,
        "mode_paused{mode=v2}": 1,
        "mode_paused{mode=v1}": 0,
        "batches{mode=random_forest,status=ready}": 1,
        "batches{mode=random_forest,status=queued}": 1,
        "batches{mode=lstm,status=failed}": 1,
        "batches{mode=v1,status=failed}": 0,
        "tickets_generated_total{mode=random_forest}": 30,
        "batch_duration_seconds_count{mode=random_forest}": 1,
        "batch_duration_seconds_sum{mode=random_forest}": 2.5,
        "last_batch_duration_seconds{mode=random_forest}": 2.5,
        "last_batch_ready_timestamp_seconds{mode=random_forest}": NOON.timestamp() - 5.5,
        "waiting_batches": 1,
        "oldest_waiting_batch_seconds": 660,
        "queue_tasks{queue=shiolplus}": OrmQ.objects.filter(key="shiolplus").count(),
        "queue_tasks{queue=heavy}": 0,
        "claims_total{mode=random_forest}": 12,
        "claimed_tickets_total{mode=random_forest}": 57,
        "claims_refused_total{mode=random_forest}": 3,
        "claims_total{mode=lstm}": 0,
        "model_age_seconds{mode=v1}": 7200,
        "model_draws_age_seconds{mode=v1}": (NOON - draw).total_seconds(),
        "newest_draw_age_seconds": (NOON - draw).total_seconds(),
        "missing_draws": 0,
        "next_draw_timestamp_seconds": (draw + timedelta(days=2)).timestamp(),
        "sales_close_timestamp_seconds": (draw + timedelta(days=1, hours=23)).timestamp(),
        "clusters{queue=shiolplus}": 1,
        "clusters{queue=heavy}": 0,
        "cluster_up{host=a,queue=shiolplus}": 1,
        "cluster_up{host=a,queue=heavy}": 0,
        "cluster_heartbeat_age_seconds{host=a,queue=shiolplus}": 4,
        "pipeline_last_success_timestamp_seconds": NOON.timestamp(),
        "pipeline_last_run{status=failed}": 1,
        "pipeline_last_run{status=completed}": 0,
    }
    assert {name: samples[name] for name in expected} == expected
    assert samples["queue_tasks{queue=shiolplus}"] >= 1
    assert samples["model_skill_nats{mode=v1}"] == pytest.approx(-0.002)
    assert samples["model_skill_low_nats{mode=v1}"] < -0.002 < samples["model_skill_high_nats{mode=v1}"]
    (build,) = [name for name in samples if name.startswith("build_info")]
    assert re.fullmatch(r"build_info\{django=5\.2[\d.]*,python=3[\d.]+,version=[\d.]+\}", build)


@pytest.mark.django_db
def test_unknown_value_has_no_sample_and_empty_count_is_zero(client: Client) -> None:
    samples = scrape(client)

    unknown = ("model_", "last_batch_", "newest_draw_age", "cluster_", "pipeline_last")
    assert [name for name in samples if name.startswith(unknown)] == []
    states = [f"batches{{mode={mode},status={status}}}" for mode in MODE_NAMES for status in STATES]
    assert [samples[name] for name in states] == [0] * len(states)
    assert (samples["available_tickets{mode=v1}"], samples["clusters{queue=heavy}"]) == (0, 0)


@pytest.mark.django_db
def test_renamed_metrics_keep_their_old_names(client: Client) -> None:
    make_cluster(heartbeat_age=4)

    samples = scrape(client)

    for name, deprecated_name in metrics.DEPRECATED_NAMES.items():
        assert values_by_labels(samples, deprecated_name) == values_by_labels(samples, name) != {}


def values_by_labels(samples: dict[str, float], metric: str) -> dict[str, float]:
    prefix = metric.removeprefix("shiolplus_") + "{"
    return {name.removeprefix(prefix): value for name, value in samples.items() if name.startswith(prefix)}


@pytest.mark.django_db
def test_cleanly_stopped_cluster_is_not_reported_as_down(client: Client) -> None:
    make_cluster(seen_at=timezone.now() - timedelta(hours=1), status=Cluster.Status.STOPPED)

    samples = scrape(client)

    assert [name for name in samples if name.startswith("cluster_up")] == []
    assert samples["clusters{queue=shiolplus}"] == 0


@pytest.mark.django_db
def test_scrape_reads_few_small_tables(client: Client) -> None:
    with CaptureQueriesContext(connection) as queries:
        scrape(client)

    assert len(queries) <= 25
    read = " ".join(query["sql"] for query in queries)
    assert "pre_generated_tickets" not in read
    assert not re.search(r'tickets_claim"', read)


@pytest.mark.django_db
def test_openmetrics_is_served_if_accepted(client: Client) -> None:
    response = client.get("/metrics", headers={"accept": "application/openmetrics-text; version=1.0.0"})

    assert response["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    assert response.content.endswith(b"# EOF\n")
    checked_problem(client.post("/metrics"), 405)


# Who may read


def problem_of(client: Client, **environ: Any) -> str:
    detail: str = checked_problem(client.get("/metrics", **environ), 403)["detail"]
    return detail


def test_only_loopback_may_read_by_default(client: Client) -> None:
    for address in ("10.0.0.9", "203.0.113.7", "2001:db8::1", ""):
        assert "SHIOL_METRICS_FROM" in problem_of(client, REMOTE_ADDR=address)


@pytest.mark.django_db
@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "10.2.3.4"])
def test_configured_networks_may_read(address: str, client: Client, settings: LazySettings) -> None:
    if address.startswith("10."):
        settings.METRICS_FROM = parse_peers("SHIOL_METRICS_FROM", ["10.2.0.0/16"])

    assert client.get("/metrics", REMOTE_ADDR=address).status_code == 200


@pytest.mark.django_db
def test_client_behind_trusted_proxy_is_checked(settings: LazySettings) -> None:
    settings.TRUSTED_PROXIES = parse_peers("SHIOL_TRUSTED_PROXIES", ["127.0.0.1"])
    settings.METRICS_FROM = parse_peers("SHIOL_METRICS_FROM", ["10.2.0.0/16"])

    def status_for(client: str) -> int:
        return Client().get("/metrics", headers={"x-forwarded-for": client}).status_code

    assert (status_for("10.2.3.4"), status_for("127.0.0.1"), status_for("203.0.113.7")) == (200, 403, 403)
    assert status_for("10.2.3.4, 203.0.113.7") == 403  # the first is forged by the client


@pytest.mark.parametrize("peer", ["127.0.0.1", ""])
@pytest.mark.parametrize("forwarded_for", ["unknown", "_hidden", "", "127.0.0.1, x", "203.0.113.7:x"])
def test_unknown_client_of_trusted_proxy_may_not_read(
    forwarded_for: str, peer: str, settings: LazySettings
) -> None:
    settings.TRUSTED_PROXIES = parse_peers("SHIOL_TRUSTED_PROXIES", ["127.0.0.1", "unix"])
    settings.METRICS_FROM = parse_peers("SHIOL_METRICS_FROM", ["0.0.0.0/0", "::/0", "unix"])

    for headers in ({"x-forwarded-for": forwarded_for}, {"forwarded": f'for="{forwarded_for}"'}):
        detail = problem_of(Client(), REMOTE_ADDR=peer, headers=headers)
        assert "IP address is unknown" in detail


@pytest.mark.parametrize("header", ["x-forwarded-for", "forwarded"])
def test_untrusted_proxy_on_unix_socket_may_not_read(
    header: str, client: Client, settings: LazySettings
) -> None:
    settings.METRICS_FROM = parse_peers("SHIOL_METRICS_FROM", ["unix"])

    detail = problem_of(client, REMOTE_ADDR="", headers={header: "203.0.113.7"})
    assert detail == "The client's IP address is unknown: the proxy unix is not in SHIOL_TRUSTED_PROXIES."


def test_clients_of_untrusted_local_proxy_may_not_read(client: Client) -> None:
    for forwarded_for in ("203.0.113.7", "127.0.0.1", ""):
        detail = problem_of(client, headers={"x-forwarded-for": forwarded_for})
        assert "is not in SHIOL_TRUSTED_PROXIES" in detail
