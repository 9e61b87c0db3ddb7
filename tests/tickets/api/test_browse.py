"""`/draws` and `/generation-runs`: paginated lists and details."""

from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client

from predictions.models import Draw
from tests.factories import WEDNESDAY, make_prediction
from tickets.generation.generator import BatchTicketGenerator
from tickets.models import GenerationRun, TicketBatch
from tickets.models.policies import ModePolicy

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("on_tuesday")]
DRAWS, RUNS = "/api/v1/draws", "/api/v1/generation-runs"


@pytest.mark.usefixtures("real_draws")
def test_draws_come_newest_first_page_by_page_and_none_is_left_out(client: Client) -> None:
    days: list[str] = []
    address = DRAWS
    while address:
        page = client.get(address).json()
        days += [draw["draw_date"] for draw in page["results"]]
        address = page["next"]

    assert len(days) == 1879
    assert days == sorted(set(days), reverse=True)


@pytest.mark.usefixtures("real_draws")
def test_a_draw_is_found_by_its_date(client: Client) -> None:
    assert client.get(f"{DRAWS}/2025-12-22").json() == {
        "draw_date": "2025-12-22",
        "white_balls": [3, 18, 36, 41, 54],
        "powerball": 7,
        "multiplier": 2,
        "source": "bundled",
        "results": [],
    }


@pytest.mark.parametrize(
    "address",
    [
        f"{DRAWS}/2025-12-24",
        f"{DRAWS}/2025-13-45",
        f"{DRAWS}/x",
        f"{RUNS}/99",
        f"{RUNS}/x",
        f"{RUNS}/{10**30}",
    ],
)
def test_missing_resource_is_a_404_problem(address: str, client: Client) -> None:
    response = client.get(address)

    assert (response.status_code, response["Content-Type"]) == (404, "application/problem+json")


@pytest.mark.parametrize(
    ("query", "name"),
    [("cursor=x", "cursor"), ("cursor=", "cursor"), ("page=2", "page"), ("cursor=a&cursor=b", "cursor")],
)
@pytest.mark.parametrize("address", [DRAWS, RUNS])
def test_a_bad_parameter_of_a_list_is_a_400_that_names_it(
    address: str, query: str, name: str, client: Client
) -> None:
    response = client.get(f"{address}?{query}")

    assert (response.status_code, response["Content-Type"]) == (400, "application/problem+json")
    assert response.json()["errors"][0]["name"] == name


def test_a_run_is_shown_with_its_batches_and_their_progress(client: Client) -> None:
    make_prediction()
    started = datetime.now(UTC)
    result = BatchTicketGenerator(40).generate_batch("shown", False, WEDNESDAY)

    run = client.get(f"{RUNS}/{result['generation_run_id']}").json()

    assert {
        name: run[name] for name in ("pipeline_run_id", "status", "draw_date", "modes", "batch_size")
    } == {
        "pipeline_run_id": "shown",
        "status": "partial",
        "draw_date": "2026-11-25",
        "modes": ["random_forest", "lstm"],
        "batch_size": 40,
    }
    assert run["finished_at"].endswith("Z")
    assert started - timedelta(seconds=1) < datetime.fromisoformat(run["created_at"])
    assert [(batch["mode"], batch["status"], batch["progress"]) for batch in run["batches"]] == [
        ("random_forest", "ready", 1.0),
        ("lstm", "failed", 0.0),
    ]
    assert "no prediction of lstm" in run["batches"][1]["error"]
    used = {"batch_size": 40, "cleanup_days": 7, "priority": 0}
    assert run["policy"] == {"random_forest": used, "lstm": used}
    assert [(batch["attempts"], batch["priority"]) for batch in run["batches"]] == [(1, 0), (0, 0)]


def test_running_batch_shows_its_rate_and_remaining_time(client: Client) -> None:
    make_prediction()
    result = BatchTicketGenerator(5000, ["random_forest"]).generate_batch("going", draw_date=WEDNESDAY)
    address = f"{RUNS}/{result['generation_run_id']}"

    (waiting,) = client.get(address).json()["batches"]
    TicketBatch.objects.update(status="running", generated=2000, rate=1500.0)
    (going,) = client.get(address).json()["batches"]
    TicketBatch.objects.update(status="ready", generated=5000)
    (ready,) = client.get(address).json()["batches"]

    assert (waiting["rate"], waiting["seconds_left"], waiting["progress"]) == (None, None, 0.0)
    assert (going["rate"], going["seconds_left"], going["progress"]) == (1500.0, 2.0, 0.4)
    assert (ready["rate"], ready["seconds_left"], ready["progress"]) == (1500.0, None, 1.0)


def test_run_with_differing_modes_lists_sizes_per_policy_and_paused_mode(
    client: Client,
) -> None:
    ModePolicy.objects.filter(mode="v1").update(batch_size=7, keep_days=3, priority=5)
    ModePolicy.objects.filter(mode="v2").update(paused=True)
    result = BatchTicketGenerator(modes=["random_forest", "v1", "v2"]).generate_batch(draw_date=WEDNESDAY)

    run = client.get(f"{RUNS}/{result['generation_run_id']}").json()

    assert (run["batch_size"], run["modes"], list(run["skipped"])) == (None, ["random_forest", "v1"], ["v2"])
    assert run["policy"] == {
        "random_forest": {"batch_size": 100, "cleanup_days": 7, "priority": 0},
        "v1": {"batch_size": 7, "cleanup_days": 3, "priority": 5},
    }


def test_runs_come_newest_first_and_without_their_batches(client: Client) -> None:
    make_prediction()
    generator = BatchTicketGenerator(1, ["random_forest"])
    for _ in range(51):
        generator.generate_batch(draw_date=WEDNESDAY)

    first = client.get(RUNS).json()
    second = client.get(first["next"]).json()

    shown = [run["id"] for page in (first, second) for run in page["results"]]
    assert shown == list(GenerationRun.objects.order_by("-id").values_list("id", flat=True))
    assert (len(first["results"]), second["next"]) == (50, None)
    assert "batches" not in first["results"][0]


def test_a_list_of_nothing_is_empty_and_not_an_error(client: Client) -> None:
    assert not Draw.objects.exists()
    assert client.get(DRAWS).json() == {"next": None, "previous": None, "results": []}


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_nothing_can_be_written(method: str, client: Client) -> None:
    assert getattr(client, method)(DRAWS).status_code == 405
    assert getattr(client, method)(RUNS).status_code == 405
