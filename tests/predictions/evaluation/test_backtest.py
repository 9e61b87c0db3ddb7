"""Backtests in real child processes: begun, resumed, compared, and honest about what fell short."""

import subprocess
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from predictions.distributions.components import UNIFORM_LOG_LOSS
from predictions.draws.sources import known_draws
from predictions.evaluation import backtest
from predictions.evaluation.backtest import comparisons, missing_folds, run, start_or_resume
from predictions.models import Backtest, BacktestFold, Draw
from predictions.modes.features import History
from predictions.modes.v2 import V2
from predictions.modes.walk_forward import WalkFigures, figures_of, walk
from predictions.training import subprocesses
from predictions.training.fit_process import FitRequest
from tests.factories import make_draw, store_fair_draws

pytestmark = pytest.mark.django_db

DRAWS = 640
BROKEN = {"v2": {"max_depth": -1}}  # which XGBoost refuses when it fits


@pytest.fixture(autouse=True)
def stored_draws(db: None) -> None:
    store_fair_draws(DRAWS)


def begun(modes: list[str] | None = None, **values: Any) -> Backtest:
    asked = {"draws": 30, "refit_every": 10, "seed": 1} | values
    return start_or_resume(modes or ["uniform"], **asked)


def ended(backtest: Backtest) -> list[BacktestFold]:
    """The backtest run to its end; returns the folds that were measured for it."""
    measured: list[BacktestFold] = []
    run(backtest, measured.append)
    backtest.refresh_from_db()
    return measured


# What is measured


def test_the_folds_are_those_of_the_newest_draws_each_fitted_on_all_before() -> None:
    backtest = begun(refit_every=12)

    measured = ended(backtest)

    assert sorted((one.first, one.draws) for one in measured) == [(610, 12), (622, 12), (634, 6)]
    assert all(one.seconds > 0 for one in measured)
    days = list(Draw.objects.order_by("draw_date").values_list("draw_date", flat=True))
    assert (backtest.tested_from, backtest.draws_through) == (days[-30], days[-1])


def test_a_mode_is_measured_by_its_own_laws_and_uniform_stands_beside_it() -> None:
    backtest = begun(["v2"], refit_every=30)
    ended(backtest)

    history = known_draws().history
    draws = range(DRAWS - 30, DRAWS)
    expected = figures_of(walk(V2(), history, draws, 1).mixtures, history, draws)
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
    backtest = begun(["v2", "random_forest", "hybrid"], refit_every=30)

    assert [one.mode for one in missing_folds(backtest)] == ["hybrid", "random_forest", "v2", "uniform"]


# Again, and further


def test_a_backtest_that_was_interrupted_measures_only_what_is_missing_and_comes_to_the_same() -> None:
    backtest = begun()
    ended(backtest)
    whole = backtest.results
    backtest.folds.filter(first=620).delete()
    Backtest.objects.update(status="running", results={}, finished_at=None)

    again = begun()
    measured = ended(again)

    assert again == backtest
    assert [one.first for one in measured] == [620]
    assert again.results == whole
    assert again.finished_at is not None


def test_one_that_has_completed_or_is_asked_to_be_fresh_begins_anew() -> None:
    first = begun()

    assert begun() == first
    second = begun(fresh=True)
    assert second != first
    Backtest.objects.update(status="completed")
    assert begun() not in (first, second)


@pytest.mark.parametrize("values", [{"draws": 31}, {"refit_every": 11}, {"seed": 2}, {"modes": ["v2"]}])
def test_one_that_asks_for_something_else_begins_anew(values: dict[str, Any]) -> None:
    assert begun() != begun(**values)


def test_other_code_parameters_or_draws_begin_anew(
    monkeypatch: pytest.MonkeyPatch, settings: pytest.FixtureRequest
) -> None:
    first = begun()

    monkeypatch.setattr(V2, "code_version", 99)
    second = begun()
    settings.MODE_PARAMETERS = {"hybrid": {"v2_share": 0.5}}  # type: ignore[attr-defined]
    third = begun()
    Draw.objects.order_by("draw_date")[0].delete()
    fourth = begun()

    assert len({first, second, third, fourth}) == 4
    assert begun() == fourth


def test_the_order_in_which_modes_are_named_is_no_difference() -> None:
    assert begun(["v2", "v1"]) == begun(["v1", "uniform", "v2"])


def test_draws_that_changed_since_it_began_are_not_mixed_in() -> None:
    backtest = begun()
    draw = Draw.objects.all()[300]
    draw.powerball = draw.powerball % 26 + 1
    draw.save()

    with pytest.raises(ValueError, match="the draws through 2025-12-22 have changed since"):
        run(backtest)


def test_a_later_draw_changes_nothing_for_one_that_has_begun() -> None:
    backtest = begun()
    make_draw()

    ended(backtest)

    assert backtest.status == "completed"
    assert str(backtest.draws_through) == "2025-12-22"


def test_ctrl_c_ends_what_runs_and_keeps_what_is_stored() -> None:
    backtest = begun(["v1"], refit_every=30)
    running: list[subprocess.Popen[str]] = []

    def interrupt(fold: BacktestFold) -> None:
        running.extend(subprocesses._running)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(backtest, interrupt)

    assert [child.returncode for child in running] == [-9]  # of v1, which takes longer than uniform
    assert [one.mode for one in backtest.folds.all()] == ["uniform"]
    assert [one.mode for one in missing_folds(backtest)] == ["v1"]


def test_after_ctrl_c_nothing_more_is_begun(
    monkeypatch: pytest.MonkeyPatch, settings: pytest.FixtureRequest
) -> None:
    settings.FIT_PROCESSES = 1  # type: ignore[attr-defined]
    asked: list[FitRequest] = []

    def seen(request: FitRequest, history: History) -> subprocesses.FitResult:
        asked.append(request)
        return subprocesses.run_in_subprocess(request, history)

    def interrupt(fold: BacktestFold) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(backtest, "run_in_subprocess", seen)
    with pytest.raises(KeyboardInterrupt):
        run(begun(refit_every=5), interrupt)

    assert len(asked) <= 2  # of six


# What falls short


def test_a_mode_that_cannot_be_measured_is_named_and_the_others_go_on(
    settings: pytest.FixtureRequest,
) -> None:
    settings.MODE_PARAMETERS = BROKEN  # type: ignore[attr-defined]
    settings.FIT_PROCESSES = 1  # type: ignore[attr-defined]
    backtest = begun(["v2", "random_forest"])
    ended(backtest)

    assert backtest.status == "partial"
    assert [one.mode for one in comparisons(backtest)] == ["random_forest", "uniform"]
    assert "v2" in backtest.error
    assert "max_depth" in backtest.error
    failed = backtest.folds.filter(mode="v2")
    assert len(failed) < 3  # after one in vain the others are not begun
    assert all(one.figures == {} and one.error for one in failed)


def test_without_any_mode_a_backtest_has_failed(settings: pytest.FixtureRequest) -> None:
    settings.MODE_PARAMETERS = BROKEN  # type: ignore[attr-defined]
    backtest = begun(["v2"], refit_every=30)
    ended(backtest)

    assert backtest.status == "failed"
    assert [one.mode for one in comparisons(backtest)] == ["uniform"]


def test_what_fell_short_is_tried_again_and_only_that(settings: pytest.FixtureRequest) -> None:
    settings.FIT_TIME_LIMIT = 0.01  # type: ignore[attr-defined]
    backtest = begun(refit_every=30)
    ended(backtest)
    assert (backtest.status, comparisons(backtest)) == ("failed", [])
    assert "uniform: backtest timed out after 0.01 seconds" in backtest.error

    settings.FIT_TIME_LIMIT = 60  # type: ignore[attr-defined]
    again = begun(refit_every=30)
    ended(again)

    assert again == backtest
    assert (again.status, again.error) == ("completed", "")


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"draws": 29}, "29 draws: allowed is 30 to 440, for 640 draws of the 69/26 era are stored"),
        ({"draws": 441}, "allowed is 30 to 440"),
        ({"draws": 41, "modes": ["v2"]}, "allowed is 30 to 40"),
        ({"refit_every": 0}, "refit every 0 draws: allowed is an integer from 1"),
        ({"modes": ["v3"]}, "v3: allowed are random_forest, lstm, v1, v2, hybrid, uniform"),
    ],
)
def test_what_is_not_allowed_is_an_error_that_says_what_is(values: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        begun(**values)
    assert not Backtest.objects.exists()


# What the database forbids


def test_a_fold_is_stored_once() -> None:
    values = {"backtest": begun(), "mode": "v2", "first": 610, "draws": 10, "seconds": 1.0}
    BacktestFold.objects.create(**values)

    with pytest.raises(IntegrityError), transaction.atomic():
        BacktestFold.objects.create(**values)


@pytest.mark.parametrize("values", [{"status": "lost"}, {"draws": 0}, {"refit_every": 0}])
def test_a_backtest_that_cannot_be_is_refused_by_the_database(values: dict[str, Any]) -> None:
    begun()

    with pytest.raises(IntegrityError), transaction.atomic():
        Backtest.objects.update(**values)
