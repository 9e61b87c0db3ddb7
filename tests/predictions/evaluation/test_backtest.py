"""Backtests in real child processes: started, resumed, compared, and failed."""

import subprocess
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from predictions.distributions.components import UNIFORM_LOG_LOSS
from predictions.draws.sources import load_draw_history
from predictions.evaluation import backtest
from predictions.evaluation.backtest import comparisons, missing_folds, run_backtest, start_or_resume
from predictions.models import Backtest, BacktestFold, Draw
from predictions.modes.features import History
from predictions.modes.v2 import V2
from predictions.modes.walk_forward import WalkFigures, measure_walk, walk
from predictions.training import subprocesses
from predictions.training.fit_process import FitRequest
from tests.factories import make_draw, store_fair_draws

pytestmark = pytest.mark.django_db

DRAWS = 640
BROKEN = {"v2": {"max_depth": -1}}  # rejected by XGBoost during the fit


@pytest.fixture(autouse=True)
def stored_draws(db: None) -> None:
    store_fair_draws(DRAWS)


def start(modes: list[str] | None = None, **values: Any) -> Backtest:
    options = {"draws": 30, "refit_every": 10, "seed": 1} | values
    return start_or_resume(modes or ["uniform"], **options)


def run_to_end(backtest: Backtest) -> list[BacktestFold]:
    """Run the backtest and return the folds measured in this call."""
    measured: list[BacktestFold] = []
    run_backtest(backtest, measured.append)
    backtest.refresh_from_db()
    return measured


# What is measured


def test_the_folds_are_those_of_the_newest_draws_each_fitted_on_all_before() -> None:
    backtest = start(refit_every=12)

    measured = run_to_end(backtest)

    assert sorted((fold.first, fold.draws) for fold in measured) == [(610, 12), (622, 12), (634, 6)]
    assert all(fold.seconds > 0 for fold in measured)
    days = list(Draw.objects.order_by("draw_date").values_list("draw_date", flat=True))
    assert (backtest.tested_from, backtest.draws_through) == (days[-30], days[-1])


def test_mode_is_measured_by_its_predictions_and_compared_with_uniform() -> None:
    backtest = start(["v2"], refit_every=30)
    run_to_end(backtest)

    history = load_draw_history().history
    draws = range(DRAWS - 30, DRAWS)
    expected = measure_walk(walk(V2(), history, draws, 1).mixtures, history, draws)
    stored = BacktestFold.objects.get(mode="v2")
    v2, uniform = comparisons(backtest)
    assert (backtest.status, backtest.modes) == ("completed", ["v2", "uniform"])
    assert WalkFigures.from_json(stored.figures) == expected
    assert v2.joint == pytest.approx(sum(expected.joint) / 30)
    assert v2.difference == pytest.approx(UNIFORM_LOG_LOSS - v2.joint)
    assert 0 < v2.standard_error < 0.05
    assert (uniform.mode, uniform.difference, uniform.standard_error) == ("uniform", 0, 0)
    assert uniform.joint == pytest.approx(UNIFORM_LOG_LOSS, abs=1e-13)


def test_the_longest_folds_come_first() -> None:
    backtest = start(["v2", "random_forest", "hybrid"], refit_every=30)

    assert [fold.mode for fold in missing_folds(backtest)] == ["hybrid", "random_forest", "v2", "uniform"]


# Resuming


def test_an_interrupted_backtest_measures_only_the_missing_folds_and_has_the_same_results() -> None:
    backtest = start()
    run_to_end(backtest)
    whole = backtest.results
    backtest.folds.filter(first=620).delete()
    Backtest.objects.update(status="running", results={}, finished_at=None)

    again = start()
    measured = run_to_end(again)

    assert again == backtest
    assert [fold.first for fold in measured] == [620]
    assert again.results == whole
    assert again.finished_at is not None


def test_a_completed_or_fresh_backtest_starts_anew() -> None:
    first = start()

    assert start() == first
    second = start(fresh=True)
    assert second != first
    Backtest.objects.update(status="completed")
    assert start() not in (first, second)


@pytest.mark.parametrize("values", [{"draws": 31}, {"refit_every": 11}, {"seed": 2}, {"modes": ["v2"]}])
def test_other_settings_start_anew(values: dict[str, Any]) -> None:
    assert start() != start(**values)


def test_other_code_parameters_or_draws_start_anew(
    monkeypatch: pytest.MonkeyPatch, settings: pytest.FixtureRequest
) -> None:
    first = start()

    monkeypatch.setattr(V2, "code_version", 99)
    second = start()
    settings.MODE_PARAMETERS = {"hybrid": {"v2_share": 0.5}}  # type: ignore[attr-defined]
    third = start()
    Draw.objects.order_by("draw_date")[0].delete()
    fourth = start()

    assert len({first, second, third, fourth}) == 4
    assert start() == fourth


def test_the_order_of_the_modes_does_not_matter() -> None:
    assert start(["v2", "v1"]) == start(["v1", "uniform", "v2"])


def test_draws_that_changed_since_the_start_are_refused() -> None:
    backtest = start()
    draw = Draw.objects.all()[300]
    draw.powerball = draw.powerball % 26 + 1
    draw.save()

    with pytest.raises(ValueError, match="the draws through 2025-12-22 have changed since"):
        run_backtest(backtest)


def test_a_later_draw_does_not_affect_a_started_backtest() -> None:
    backtest = start()
    make_draw()

    run_to_end(backtest)

    assert backtest.status == "completed"
    assert str(backtest.draws_through) == "2025-12-22"


def test_ctrl_c_ends_the_running_folds_and_keeps_the_stored_ones() -> None:
    backtest = start(["v1"], refit_every=30)
    running: list[subprocess.Popen[str]] = []

    def interrupt(fold: BacktestFold) -> None:
        running.extend(subprocesses._running)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_backtest(backtest, interrupt)

    assert [child.returncode for child in running] == [-9]  # the child of v1, which is slower than uniform
    assert [fold.mode for fold in backtest.folds.all()] == ["uniform"]
    assert [fold.mode for fold in missing_folds(backtest)] == ["v1"]


def test_after_ctrl_c_no_more_folds_start(
    monkeypatch: pytest.MonkeyPatch, settings: pytest.FixtureRequest
) -> None:
    settings.FIT_PROCESSES = 1  # type: ignore[attr-defined]
    requests: list[FitRequest] = []

    def record(request: FitRequest, history: History) -> subprocesses.FitResult:
        requests.append(request)
        return subprocesses.run_in_subprocess(request, history)

    def interrupt(fold: BacktestFold) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(backtest, "run_in_subprocess", record)
    with pytest.raises(KeyboardInterrupt):
        run_backtest(start(refit_every=5), interrupt)

    assert len(requests) <= 2  # of six


# Failures


def test_a_mode_that_cannot_be_measured_is_named_and_the_others_go_on(
    settings: pytest.FixtureRequest,
) -> None:
    settings.MODE_PARAMETERS = BROKEN  # type: ignore[attr-defined]
    settings.FIT_PROCESSES = 1  # type: ignore[attr-defined]
    backtest = start(["v2", "random_forest"])
    run_to_end(backtest)

    assert backtest.status == "partial"
    assert [comparison.mode for comparison in comparisons(backtest)] == ["random_forest", "uniform"]
    assert "v2" in backtest.error
    assert "max_depth" in backtest.error
    failed = backtest.folds.filter(mode="v2")
    assert len(failed) < 3  # after one failure the others are not started
    assert all(fold.figures == {} and fold.error for fold in failed)


def test_without_any_mode_a_backtest_has_failed(settings: pytest.FixtureRequest) -> None:
    settings.MODE_PARAMETERS = BROKEN  # type: ignore[attr-defined]
    backtest = start(["v2"], refit_every=30)
    run_to_end(backtest)

    assert backtest.status == "failed"
    assert [comparison.mode for comparison in comparisons(backtest)] == ["uniform"]


def test_only_failed_folds_are_retried(settings: pytest.FixtureRequest) -> None:
    settings.FIT_TIME_LIMIT = 0.01  # type: ignore[attr-defined]
    backtest = start(refit_every=30)
    run_to_end(backtest)
    assert (backtest.status, comparisons(backtest)) == ("failed", [])
    assert "uniform: backtest timed out after 0.01 seconds" in backtest.error

    settings.FIT_TIME_LIMIT = 60  # type: ignore[attr-defined]
    again = start(refit_every=30)
    run_to_end(again)

    assert again == backtest
    assert (again.status, again.error) == ("completed", "")


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"draws": 29}, "29 draws: allowed is 30 to 440; 640 draws of the 69/26 era are stored"),
        ({"draws": 441}, "allowed is 30 to 440"),
        ({"draws": 41, "modes": ["v2"]}, "allowed is 30 to 40"),
        ({"refit_every": 0}, "refit every 0 draws: allowed is an integer from 1"),
        ({"modes": ["v3"]}, "v3: allowed are random_forest, lstm, v1, v2, hybrid, uniform"),
    ],
)
def test_invalid_value_is_an_error_with_what_is_allowed(values: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        start(**values)
    assert not Backtest.objects.exists()


# Database constraints


def test_a_fold_is_stored_once() -> None:
    values = {"backtest": start(), "mode": "v2", "first": 610, "draws": 10, "seconds": 1.0}
    BacktestFold.objects.create(**values)

    with pytest.raises(IntegrityError), transaction.atomic():
        BacktestFold.objects.create(**values)


@pytest.mark.parametrize("values", [{"status": "lost"}, {"draws": 0}, {"refit_every": 0}])
def test_a_backtest_that_cannot_be_is_refused_by_the_database(values: dict[str, Any]) -> None:
    start()

    with pytest.raises(IntegrityError), transaction.atomic():
        Backtest.objects.update(**values)
