"""The OpenAPI schema matches the committed file and the real responses."""

import json
from datetime import date
from io import StringIO
from typing import Any

import pytest
import yaml
from django.conf import settings
from django.core.management import call_command
from django.test import Client
from jsonschema import Draft202012Validator, FormatChecker

from tests.factories import (
    WEDNESDAY,
    make_backtest,
    make_client,
    make_draw,
    make_key,
    make_model,
    make_prediction,
    some_tickets,
)
from tickets.api.openapi.errors import BY_SERVER, ERRORS
from tickets.api.openapi.views import schema_text
from tickets.generation.generator import BatchTicketGenerator
from tickets.models import GenerationRun, TicketBatch
from tickets.scoring.scorer import score_if_drawn
from tickets.store import insert_batch_tickets

pytestmark = pytest.mark.usefixtures("on_tuesday")

SCHEMA: dict[str, Any] = json.loads(schema_text("json"))
CLAIMS = "/api/v1/tickets/claims"
PAST = date(2025, 12, 22)


def validator(reference: str) -> Draft202012Validator:
    """Return a validator for a part of the schema, including formats."""
    return Draft202012Validator(SCHEMA | {"$ref": reference}, format_checker=FormatChecker())


def answer_of(path: str, method: str, status: int) -> str:
    """Return the reference to the schema of a response body."""
    described = f"/paths/{path.replace('/', '~1')}/{method}/responses/{status}"
    return f"#{described}/content/application~1json/schema"


def keeps(response: Any, path: str, method: str = "get") -> dict[str, Any]:
    """Validate the response against the schema and return its body."""
    body: dict[str, Any] = response.json()
    validator(answer_of(path, method, response.status_code)).validate(body)
    return body


# The schema itself


def test_the_committed_schema_is_what_the_code_gives() -> None:
    committed = (settings.BASE_DIR / "docs" / "openapi.yaml").read_text()

    assert committed == schema_text("yaml").decode(), "run `make schema`, and look at what has changed"


def test_schema_is_valid_and_generated_without_warnings() -> None:
    call_command("spectacular", "--validate", "--fail-on-warn", stdout=StringIO())


def test_every_error_of_every_operation_is_a_problem_with_a_sound_example() -> None:
    problem = validator("#/components/schemas/Problem")
    for documented in SCHEMA["components"]["responses"].values():
        for media_type, content in documented["content"].items():
            assert media_type == "text/html" or problem.validate(content["example"]) is None

    operations = [operation for path in SCHEMA["paths"].values() for operation in path.values()]
    for operation in operations:
        errors = {int(status) for status in operation["responses"] if int(status) >= 400}
        assert {400, 401, 429, 500, 503} <= errors <= {*ERRORS, *BY_SERVER}
    assert len(operations) == 12


def test_claim_example_is_a_valid_request() -> None:
    body = SCHEMA["paths"][CLAIMS]["post"]["requestBody"]["content"]["application/json"]
    examples = [example["value"] for example in body["examples"].values()]

    assert examples == [{"mode": "v1", "count": 5}]
    validator("#/components/schemas/ClaimBody").validate(examples[0])


def test_security_of_each_operation_is_documented() -> None:
    needing = {
        path
        for path, methods in SCHEMA["paths"].items()
        for operation in methods.values()
        if {} not in operation["security"]
    }

    assert needing == {CLAIMS, f"{CLAIMS}/{{id}}", "/api/v1/quota"}


def test_every_object_is_closed_and_lists_required_properties() -> None:
    objects = {
        name: one for name, one in SCHEMA["components"]["schemas"].items() if one.get("type") == "object"
    }
    optional = {
        f"{name}.{field}"
        for name, one in objects.items()
        for field in one["properties"]
        if field not in one["required"]
    }

    assert [name for name, one in objects.items() if one["additionalProperties"] is not False] == []
    assert optional == {"CachedTickets.db_stats", "ClaimBody.draw_date"}


# Where it is


@pytest.mark.parametrize(
    ("query", "accept", "media_type"),
    [
        ("", "*/*", "application/vnd.oai.openapi"),
        ("", "text/html", "application/vnd.oai.openapi"),
        ("", "application/json", "application/vnd.oai.openapi+json"),
        ("", "application/vnd.oai.openapi+json", "application/vnd.oai.openapi+json"),
        ("?format=json", "*/*", "application/vnd.oai.openapi+json"),
        ("?format=yaml", "application/json", "application/vnd.oai.openapi"),
    ],
)
def test_the_schema_is_served_as_yaml_or_json(
    query: str, accept: str, media_type: str, client: Client
) -> None:
    response = client.get(f"/api/schema{query}", headers={"accept": accept})

    assert (response.status_code, response["Content-Type"]) == (200, media_type)
    assert yaml.safe_load(response.content) == SCHEMA  # JSON is YAML too


def test_another_format_is_a_bad_value(client: Client) -> None:
    response = client.get("/api/schema?format=xml")

    assert response.status_code == 400
    assert response.json()["errors"] == [{"name": "format", "value": "xml", "allowed": "yaml or json"}]


def test_docs_page_has_no_foreign_requests_and_no_inline_code(client: Client) -> None:
    page = client.get("/api/docs")

    text = page.content.decode()
    assert page["Content-Type"].startswith("text/html")
    assert "http" not in text
    assert "<style" not in text
    assert " style=" not in text
    assert "<script>" not in text
    assets = [part.split('"')[0] for part in text.split('="/')[1:]]
    assert len(assets) == 7
    for asset in {f"/{path}" for path in assets}:
        assert client.get(asset).status_code == 200, asset


# Real responses


@pytest.fixture
def _something_of_everything(db: None, on_tuesday: None) -> None:
    make_prediction()
    make_model("v1", active=True)
    make_backtest({"v1": (0.001, 0.01)})
    make_draw(PAST)
    BatchTicketGenerator(4).generate_batch(async_mode=False, draw_date=WEDNESDAY)  # lstm fails
    insert_batch_tickets(some_tickets(30), "v1", "inserted", WEDNESDAY)
    insert_batch_tickets(some_tickets(3), "v1", draw_date=PAST)
    score_if_drawn(PAST)


READS = {
    "/api/v1/tickets/cached": ["", f"?mode=v1&draw_date={WEDNESDAY}", f"?mode=v1&draw_date={PAST}"],
    "/api/v1/tickets/batch-status": [""],
    "/api/v1/draws": [""],
    "/api/v1/draws/{draw_date}": [f"/{PAST}"],
    "/api/v1/generation-runs": [""],
    "/api/v1/modes": [""],
}


@pytest.mark.usefixtures("_something_of_everything")
@pytest.mark.parametrize("path", READS)
def test_responses_match_the_schema(path: str, client: Client) -> None:
    for rest in READS[path]:
        assert keeps(client.get(path.partition("/{")[0] + rest), path)


@pytest.mark.usefixtures("_something_of_everything")
def test_tickets_with_results_and_statistics_match_the_schema(client: Client) -> None:
    path = "/api/v1/tickets/cached"

    body = keeps(client.get(f"{path}?mode=v1&include_stats=true&draw_date={PAST}"), path)

    assert body["tickets"][0]["result"]
    assert body["db_stats"]["last_run"]


@pytest.mark.usefixtures("_something_of_everything")
def test_generation_runs_match_the_schema(client: Client) -> None:
    path = "/api/v1/generation-runs"
    BatchTicketGenerator(5000, ["random_forest"]).generate_batch(draw_date=WEDNESDAY)
    TicketBatch.objects.filter(status="queued").update(status="running", generated=2000, rate=1500.0)

    runs = keeps(client.get(path), path)["results"]

    shown = [keeps(client.get(f"{path}/{run['id']}"), f"{path}/{{id}}") for run in runs]
    assert {run["status"] for run in shown} == {"running", "partial", "completed"}
    assert {run["origin"] for run in shown} == {"generated", "inserted"}


@pytest.mark.django_db
@pytest.mark.parametrize("path", [path for path in READS if "{" not in path])
def test_responses_of_an_empty_database_match_the_schema(path: str, client: Client) -> None:
    keeps(client.get(path), path)


@pytest.mark.django_db
def test_claims_and_quota_match_the_schema() -> None:
    day = date(2100, 1, 2)  # a Saturday, whose sale has not closed
    insert_batch_tickets(some_tickets(3), "v1", draw_date=day)
    claim_body = {"mode": "v1", "count": 3, "draw_date": str(day)}
    api = Client(headers={"Authorization": f"Api-Key {make_key(make_client())}"})
    validator("#/components/schemas/ClaimBody").validate(claim_body)

    response = api.post(CLAIMS, claim_body, "application/json", headers={"Idempotency-Key": "one"})

    made = keeps(response, CLAIMS, "post")
    assert keeps(api.get(f"{CLAIMS}/{made['id']}"), f"{CLAIMS}/{{id}}") == made
    assert keeps(api.get(CLAIMS), CLAIMS)["results"] == [made]
    assert keeps(api.get("/api/v1/quota"), "/api/v1/quota")["used"] == 3


@pytest.mark.usefixtures("_something_of_everything")
def test_head_and_options_respond_at_every_url() -> None:
    day = date(2100, 1, 2)
    insert_batch_tickets(some_tickets(1), "v1", draw_date=day)
    api = Client(headers={"Authorization": f"Api-Key {make_key(make_client())}"})
    claim = {"mode": "v1", "count": 1, "draw_date": str(day)}
    claimed = api.post(CLAIMS, claim, "application/json", headers={"Idempotency-Key": "one"}).json()["id"]
    run = GenerationRun.objects.latest("id").pk

    for path, methods in SCHEMA["paths"].items():
        number = claimed if path.startswith(CLAIMS) else run
        address = path.replace("{draw_date}", str(PAST)).replace("{id}", str(number))
        head, options = api.head(address), api.options(address)
        assert (head.status_code, head.content) == (200, b""), address
        assert head.headers.keys() >= {"Content-Type", "X-Request-ID"}
        allowed = {*(method.upper() for method in methods), "HEAD", "OPTIONS"}
        assert (options.status_code, set(options["Allow"].split(", "))) == (200, allowed), address
        assert options.json().keys() == {"methods", "renders", "schema"}


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("ClaimBody", {"mode": "v1"}),
        ("ClaimBody", {"mode": "v9", "count": 1}),
        ("ClaimBody", {"mode": "v1", "count": 101}),
        ("ClaimBody", {"mode": "v1", "count": 1, "draw_date": "tomorrow"}),
        ("ClaimBody", {"mode": "v1", "count": 1, "colour": "red"}),
        ("Quota", {"limit": 1, "used": 1, "remaining": -1, "resets_at": "2026-11-25T05:00:00Z"}),
        ("TicketResult", {"white_matches": 5, "powerball_match": True, "prize_usd": "lots"}),
    ],
)
def test_schema_rejects_what_the_code_rejects(name: str, body: dict[str, Any]) -> None:
    assert not validator(f"#/components/schemas/{name}").is_valid(body)
