"""`GET /api/v1/modes`: training data and skill of each mode."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from predictions.models import Backtest, Prediction
from predictions.modes.registry import MODE_NAMES
from tests.factories import dealt_component, make_backtest, make_model, make_prediction, tilted_component

pytestmark = pytest.mark.django_db
MODES = "/api/v1/modes"
SAME = "no better and no worse than chance on 40 draws (95 % interval -0.0022 to +0.0042 nats per draw)"


def modes(client: Client) -> dict[str, dict[str, Any]]:
    response = client.get(MODES)
    assert response.status_code == 200
    return {mode["mode"]: mode for mode in response.json()}


def test_untrained_mode_has_null_fields_and_a_note(client: Client) -> None:
    shown = client.get(MODES).json()

    assert [mode["mode"] for mode in shown] == list(MODE_NAMES)
    assert shown[0] == {
        "mode": "random_forest",
        "trained_at": None,
        "draws_through": None,
        "skill_nats": None,
        "skill_se": None,
        "skill_interval": None,
        "draws_tested": None,
        "strategies": [],
        "odds_jackpot": "1 in 292,201,338",
        "note": "not measured: no backtest of this mode has been run",
    }


def test_mode_lists_model_strategies_and_skill(client: Client) -> None:
    make_model("v1", active=True)
    make_prediction(
        "v1",
        components=[
            tilted_component("frequency_weighted", 0.75),
            dealt_component("coverage_optimizer", 0.25),
        ],
    )
    make_backtest({"v1": (0.001, 0.01)})

    shown = modes(client)["v1"]

    assert shown.pop("trained_at").endswith("Z")
    assert shown.pop("skill_nats") == pytest.approx(0.001)
    assert shown.pop("skill_se") == pytest.approx(0.01 / 39**0.5)
    assert shown.pop("skill_interval") == pytest.approx([-0.00224, 0.00424], abs=1e-5)
    assert shown == {
        "mode": "v1",
        "draws_through": "2025-12-22",
        "draws_tested": 40,
        "strategies": [
            {"name": "frequency_weighted", "share": 0.75},
            {"name": "coverage_optimizer", "share": 0.25},
        ],
        "odds_jackpot": "1 in 292,201,338",
        "note": SAME,
    }


def test_listed_model_is_the_active_one_without_its_held_out_skill(client: Client) -> None:
    make_model("v2", draws_through="2025-11-01")
    make_model("v2", active=True, draws_through="2025-12-01", skill={"log_loss": 19.0, "skill_nats": 0.4})
    make_model("v2", draws_through="2025-12-22")

    shown = modes(client)["v2"]

    assert (shown["draws_through"], shown["skill_nats"]) == ("2025-12-01", None)


def test_the_newest_backtest_that_measured_a_mode_counts(client: Client) -> None:
    make_backtest({"v1": (0.001, 0.01), "v2": (0.002, 0.01)})
    partial = make_backtest({"v2": (-0.005, 0.01)})
    running = make_backtest({"v1": (0.3, 0.01)})
    for backtest, status in ((partial, "partial"), (running, "running")):
        Backtest.objects.filter(pk=backtest.pk).update(status=status)

    shown = modes(client)

    assert shown["v1"]["skill_nats"] == pytest.approx(0.001)
    assert shown["v2"]["skill_nats"] == pytest.approx(-0.005)
    assert shown["v2"]["note"].startswith("measurably worse than chance on 40 draws")
    assert shown["lstm"]["skill_nats"] is None


def test_incomplete_and_broken_predictions_have_a_note(client: Client) -> None:
    make_backtest({"v1": (0.001, 0.01)})
    make_prediction("v1")
    Prediction.objects.update(note="ai_guided is left out: v2 has no prediction for this draw")
    law = make_prediction("hybrid")
    Prediction.objects.filter(pk=law.pk).update(components=[{"strategy": "v2"}])

    shown = modes(client)

    assert shown["v1"]["note"] == f"{SAME}; ai_guided is left out: v2 has no prediction for this draw"
    assert "its newest prediction is invalid" in shown["hybrid"]["note"]
    assert shown["hybrid"]["strategies"] == []


def test_strategies_are_those_of_the_newest_prediction(client: Client) -> None:
    make_prediction("v1", components=[tilted_component("frequency_weighted")])
    make_prediction("v1", components=[tilted_component("cooccurrence")])

    assert modes(client)["v1"]["strategies"] == [{"name": "cooccurrence", "share": 1.0}]


def test_three_queries_suffice(client: Client) -> None:
    for mode in MODE_NAMES:
        make_prediction(mode)
        make_model(mode, active=True)
        make_backtest({mode: (0.001, 0.01)})

    with CaptureQueriesContext(connection) as queries:
        modes(client)

    assert len(queries) == 3


@pytest.mark.parametrize("query", ["mode=v1", "limit=1"])
def test_a_parameter_is_a_400_that_names_it(query: str, client: Client) -> None:
    response = client.get(f"{MODES}?{query}")

    assert (response.status_code, response["Content-Type"]) == (400, "application/problem+json")
    assert response.json()["errors"][0]["name"] == query.partition("=")[0]


def test_nothing_can_be_written(client: Client) -> None:
    assert client.post(MODES).status_code == 405
