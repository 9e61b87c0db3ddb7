"""Conformance of a running server to its schema: see `tests.fuzzing`."""

from pathlib import Path

import pytest

from tests.fuzzing import SERVER, fuzz, stock
from tests.processes import web_server
from tickets.models import Claim

# The schema's examples refer to rows with id 1.
pytestmark = pytest.mark.django_db(transaction=True, reset_sequences=True)


def test_responses_to_generated_requests_match_schema(tmp_path: Path) -> None:
    key = stock()

    with web_server(tmp_path / "log", **SERVER) as (_, port):
        fuzzed = fuzz(port, key, tmp_path, seed=1, examples=2, phases="examples,coverage,fuzzing")

    assert not fuzzed.failures, fuzzed.text
    assert fuzzed.cases >= 200
    assert fuzzed.operations_without_success() == []
    assert {201, 400, 401, 415} <= set(fuzzed.answers["POST /api/v1/tickets/claims"])
    assert Claim.objects.count() > 1
