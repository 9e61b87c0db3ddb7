"""`make fuzz`: send valid and invalid requests generated from the API's schema to a real server.

Schemathesis fails on a 5xx, on a status, content type, header or body that is not in the schema, on an
accepted invalid value, an ignored key, or an undocumented method. It does not check that valid values are
accepted: the schema cannot know which days have draws or what a cursor contains.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from datetime import date, time
from pathlib import Path
from typing import Any
from urllib.request import urlopen

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "missing_required_header",
    "unsupported_method",
    "allow_header_conformance",
    "ignored_auth",
)
PHASES = "examples,coverage,fuzzing,stateful"
CONFIG = """
hooks = "tests.fuzzing_hooks"
[auth.openapi.ApiKey]
api_key = "Api-Key %s"
[checks.negative_data_rejection]
expected-statuses = [400, 401, 404, 405, 413, 414, 415, 422, 431]
"""
SHARES = 20  # requests per example: two thirds of those to the 12 operations belong to sequences
# Server settings: no rate limit, and claims that are open at any time of day.
SERVER = {"SHIOL_ANONYMOUS_RATE": "10000000", "SHIOL_SALES_CUTOFF": "22:59"}


@dataclass
class Fuzzed:
    """Number of requests, responses by operation, and output of Schemathesis."""

    cases: int
    failures: list[Any]
    answers: dict[str, Counter[int]]  # {"GET /api/v1/draws": {200: 7, 400: 3}}
    text: str

    def operations_without_success(self) -> list[str]:
        """Return operations without a successful response."""
        return [name for name, found in self.answers.items() if not any(status < 300 for status in found)]


def stock() -> str:
    """Fill the database with every kind of data. Return the key of a client with a sufficient quota."""
    from django.test import override_settings

    from predictions.draws.sources import import_source, upcoming_draw
    from tests.factories import make_backtest, make_client, make_key, make_prediction, some_tickets
    from tickets.claims.allocation import ClaimRequest, claim_tickets
    from tickets.generation.generator import BatchTicketGenerator
    from tickets.scoring.scorer import score_if_drawn
    from tickets.store import insert_batch_tickets

    import_source("bundled")
    day, past = upcoming_draw(), date(2025, 12, 22)
    make_prediction(draw_date=day)
    make_backtest({"v1": (0.001, 0.01)})
    BatchTicketGenerator(3000, ["random_forest", "lstm"]).generate_batch(async_mode=False, draw_date=day)
    for powerball, mode in enumerate(("lstm", "v1", "v2", "hybrid"), start=1):
        insert_batch_tickets(some_tickets(1500, powerball), mode, draw_date=day)
    insert_batch_tickets(some_tickets(50), "v1", draw_date=past)
    score_if_drawn(past)
    client = make_client(rate=1_000_000, daily_quota=10_000_000)
    with override_settings(SALES_CUTOFF=time(22, 59)):  # as on the server
        claim_tickets(client, ClaimRequest("v1", 5), "stocked")
    return make_key(client)


def fuzz(port: int, key: str, folder: Path, seed: int, examples: int, phases: str = PHASES) -> Fuzzed:
    """Run Schemathesis; `examples` is the approximate number of generated requests per operation."""
    from django.conf import settings

    files = ("config.toml", "schema.yaml", "report.json", "answers.har")
    config, schema, report, har = (folder / name for name in files)
    config.write_text(CONFIG % key)
    schema.write_bytes(urlopen(f"http://127.0.0.1:{port}/api/schema").read())
    command = [
        *(str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(config)),
        # A schema given by URL would not be requested itself.
        *("run", str(schema), "--url", f"http://127.0.0.1:{port}"),
        *("--continue-on-failure", "--no-color"),
        *("--seed", str(seed), "--max-examples", str(examples), "--generation-database", "none"),
        *("--phases", phases, "--checks", ",".join(CHECKS)),
        *("--report", "json,har", "--report-json-path", str(report), "--report-har-path", str(har)),
    ]
    environment = os.environ | {"PYTHONPATH": str(settings.BASE_DIR)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if not report.exists():
        raise RuntimeError(done.stdout + done.stderr)
    summary = json.loads(report.read_text())
    return Fuzzed(
        cases=summary["test_cases"]["generated"],
        failures=summary["failures"],
        answers=_count_statuses(json.loads(har.read_text())["log"]["entries"]),
        text=done.stdout,
    )


def _count_statuses(entries: list[Any]) -> dict[str, Counter[int]]:
    """Count statuses by operation, without requests for unknown methods or paths."""
    from tickets.api.openapi.views import schema_text

    paths = json.loads(schema_text("json"))["paths"]
    answers: dict[str, Counter[int]] = {
        f"{method.upper()} {path}": Counter() for path, methods in paths.items() for method in methods
    }
    for entry in entries:
        asked = re.sub(r"^https?://[^/]+|\?.*$", "", entry["request"]["url"])
        for path in paths:
            name = f"{entry['request']['method']} {path}"
            if name in answers and re.fullmatch(re.sub(r"{\w+}", "[^/]*", path), asked):
                answers[name][entry["response"]["status"]] += 1
                break
    return answers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=5000, help="requests, about")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="shiol-fuzz-") as folder:
        fuzzed = _on_own_database(Path(folder), options.seed, max(1, options.cases // SHARES))
    print(fuzzed.text)
    for name, found in fuzzed.answers.items():
        print(f"{name:38}", ", ".join(f"{status}: {count:,}" for status, count in sorted(found.items())))
    if unknown := fuzzed.operations_without_success():
        sys.exit(f"never answered with success: {', '.join(unknown)}")
    sys.exit(bool(fuzzed.failures))


def _on_own_database(folder: Path, seed: int, examples: int) -> Fuzzed:
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "shiolplus.settings",
        "SHIOL_VAR": str(folder),
        "SHIOL_SECRET_KEY": "only-for-requests-that-are-made-up-here",
    }
    os.environ.pop("DATABASE_URL", None)
    import django

    django.setup()
    from django.core.management import call_command

    from tests.processes import web_server

    call_command("migrate", verbosity=0, skip_checks=True)
    with web_server(folder / "log", **SERVER) as (_, port):
        return fuzz(port, stock(), folder, seed, examples)


if __name__ == "__main__":
    main()
