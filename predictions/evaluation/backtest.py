"""Walk-forward backtests of modes against the uniform baseline.

A fold is one fit, in its own child process, and the draws it predicts: those until the next fit. Each fold is
stored when it finishes, so an interrupted backtest can be resumed.
"""

import logging
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.conf import settings
from django.utils import timezone

from predictions.draws.bundled import DEVELOPMENT_END
from predictions.draws.sources import DrawHistory, load_draw_history
from predictions.evaluation.comparison import Comparison, compare
from predictions.models import Backtest, BacktestFold, Draw
from predictions.modes.features import History
from predictions.modes.registry import MEASURED, MEASURED_NAMES
from predictions.modes.uniform import Uniform
from predictions.modes.walk_forward import WalkFigures
from predictions.powerball import CURRENT_ERA
from predictions.training.subprocesses import (
    FitError,
    FitResult,
    build_request,
    kill_children,
    run_in_subprocess,
)

logger = logging.getLogger(__name__)

Status = Backtest.Status
BASELINE = Uniform.name
MIN_DRAWS = 30  # fewer are too few for a verdict
DEFAULT_DRAWS, DEFAULT_REFIT_EVERY = 200, 50
# Approximate relative duration of a fold, used for ordering and the estimated time left.
RELATIVE_COST = {"lstm": 35, "hybrid": 16, "v1": 13, "random_forest": 12, "v2": 8, BASELINE: 1}


@dataclass(frozen=True)
class Fold:
    """The draws [first, stop), predicted by a model fitted on the draws before `first`."""

    mode: str
    first: int
    stop: int


def start_or_resume(
    modes: Sequence[str],
    draws: int,
    refit_every: int,
    seed: int,
    *,
    fresh: bool = False,
    through: date = DEVELOPMENT_END,
) -> Backtest:
    """Return an incomplete backtest with the same settings, or create one of the newest draws through a date.

    The baseline is always included. By default no draw after the development data is read, so that the test
    set stays unseen. `fresh` always creates a backtest. Raise ValueError for invalid settings.
    """
    draw_history = load_draw_history(through=through)
    _validate(modes, draws, refit_every, through, draw_history)
    backtest_settings = {
        "modes": [name for name in MEASURED_NAMES if name in modes or name == BASELINE],
        "draws": draws,
        "refit_every": refit_every,
        "seed": seed,
        "draws_fingerprint": draw_history.fingerprint(),
        "versions": _versions(),
    }
    if not fresh:
        for backtest in Backtest.objects.exclude(status=Status.COMPLETED).order_by("-id"):
            if all(getattr(backtest, name) == value for name, value in backtest_settings.items()):
                return backtest
    era = Draw.objects.filter(draw_date__gte=CURRENT_ERA.since, draw_date__lte=draw_history.through)
    newest = era.order_by("-draw_date").values_list("draw_date", flat=True)[:draws]
    return Backtest.objects.create(
        draws_known=len(draw_history.history),
        tested_from=newest[draws - 1],
        draws_through=newest[0],
        **backtest_settings,
    )


def max_draws(modes: Sequence[str], draw_history: DrawHistory) -> int:
    """Return how many draws can be tested with enough draws before them for every mode; may be negative."""
    return len(draw_history.history) - max(MEASURED[name].minimum_draws for name in (*modes, BASELINE))


def _validate(
    modes: Sequence[str], draws: int, refit_every: int, through: date, draw_history: DrawHistory
) -> None:
    unknown = [name for name in modes if name not in MEASURED]
    if unknown or not modes:
        allowed = ", ".join(MEASURED_NAMES)
        raise ValueError(f"modes {', '.join(unknown) or 'none'}: allowed are {allowed}")
    if refit_every < 1:
        raise ValueError(f"refit every {refit_every} draws: allowed is an integer from 1")
    maximum = max_draws(modes, draw_history)
    if not MIN_DRAWS <= draws <= maximum:
        stored = len(draw_history.history)
        allowed = f"{MIN_DRAWS} to {maximum}" if maximum >= MIN_DRAWS else f"at least {MIN_DRAWS}"
        raise ValueError(
            f"{draws} draws: allowed is {allowed}; {stored} draws of the {CURRENT_ERA.name} era are stored "
            f"through {through}, and the modes need {stored - maximum} of them before the tested ones"
        )


def _versions() -> dict[str, Any]:
    """Return the code version and parameters of all modes, because some depend on others."""
    return {
        name: {
            "code_version": mode.code_version,
            "parameters": mode(**settings.MODE_PARAMETERS.get(name, {})).parameters(),
        }
        for name, mode in MEASURED.items()
    }


def missing_folds(backtest: Backtest) -> list[Fold]:
    """Return the folds without a result, including failed ones, the longest first to balance the cores."""
    measured = set(backtest.folds.filter(error="").values_list("mode", "first"))
    folds = [
        Fold(mode, first, min(first + backtest.refit_every, backtest.draws_known))
        for mode in backtest.modes
        for first in range(backtest.draws_known - backtest.draws, backtest.draws_known, backtest.refit_every)
        if (mode, first) not in measured
    ]
    return sorted(folds, key=lambda fold: -RELATIVE_COST[fold.mode])


def run_backtest(backtest: Backtest, watch: Callable[[BacktestFold], None] = lambda fold: None) -> None:
    """Run the missing folds, SHIOL_FIT_PROCESSES at a time, and compare the modes.

    `watch` is called with each stored fold. A failed mode does not stop the others. KeyboardInterrupt ends
    the child processes and keeps the stored folds. Raise ValueError if the draws have changed since.
    """
    history = _load_history(backtest)
    Backtest.objects.filter(pk=backtest.pk, started_at=None).update(started_at=timezone.now())
    Backtest.objects.filter(pk=backtest.pk).update(status=Status.RUNNING, finished_at=None, error="")
    with closing(_run_folds(backtest, history)) as folds:
        for fold in folds:
            watch(fold)
    finish_backtest(backtest)


def _load_history(backtest: Backtest) -> History:
    draw_history = load_draw_history(through=backtest.draws_through)
    if draw_history.fingerprint() != backtest.draws_fingerprint:
        raise ValueError(
            f"the draws through {backtest.draws_through} have changed since the backtest started"
        )
    return draw_history.history


def _run_folds(backtest: Backtest, history: History) -> Generator[BacktestFold, None, None]:
    """Yield each missing fold once stored. The threads only wait for child processes."""
    with ThreadPoolExecutor(settings.FIT_PROCESSES) as threads:
        fits = {
            threads.submit(_run_fold, fold, backtest.seed, history): fold for fold in missing_folds(backtest)
        }
        try:
            for fit in as_completed(fits):
                if not fit.cancelled():
                    yield _store_fold(backtest, fits[fit], fit, fits)
        except BaseException:  # mainly Ctrl-C: start no more folds, and end those that run
            threads.shutdown(wait=False, cancel_futures=True)
            kill_children()
            raise


def _run_fold(fold: Fold, seed: int, history: History) -> FitResult:
    draw_history = history.before(fold.stop)  # later draws never reach the child process
    request = build_request("backtest", fold.mode, first=fold.first, stop=fold.stop, seed=seed)
    return run_in_subprocess(request, draw_history)


def _store_fold(
    backtest: Backtest, fold: Fold, fit: Future[FitResult], fits: dict[Future[FitResult], Fold]
) -> BacktestFold:
    values: dict[str, Any] = {"draws": fold.stop - fold.first}
    try:
        result = fit.result()
        values |= {"figures": result.payload, "seconds": result.seconds, "error": ""}
    except (FitError, OSError) as error:
        logger.error("Backtest fold of %s from draw %d failed: %s", fold.mode, fold.first, error)
        message = " ".join(str(error).split())  # library errors may have several lines
        message = message if fold.mode in message else f"{fold.mode}: {message}"
        values |= {"figures": {}, "seconds": 0.0, "error": message}
        for other_fit, other in fits.items():
            if other.mode == fold.mode:
                other_fit.cancel()  # a comparison needs every fold of the mode
    row, _ = backtest.folds.update_or_create(mode=fold.mode, first=fold.first, defaults=values)
    return row


def finish_backtest(backtest: Backtest) -> None:
    """Compare the modes with complete folds and store the errors of the others."""
    figures = complete_figures(backtest)
    uniform = figures.get(BASELINE)
    results: dict[str, Comparison] = {}
    if uniform is not None:
        results = {mode: compare(mode, own, uniform) for mode, own in figures.items()}
    errors = dict.fromkeys(backtest.folds.exclude(error="").values_list("error", flat=True))
    backtest.status = _final_status(backtest, results)
    backtest.results = {mode: comparison.as_json() for mode, comparison in results.items()}
    backtest.error = "; ".join(errors)
    backtest.finished_at = timezone.now()
    backtest.save(update_fields=["status", "results", "error", "finished_at"])


def _final_status(backtest: Backtest, results: dict[str, Comparison]) -> str:
    if len(results) == len(backtest.modes):
        return Status.COMPLETED
    return Status.PARTIAL if any(mode != BASELINE for mode in results) else Status.FAILED


def complete_figures(backtest: Backtest) -> dict[str, WalkFigures]:
    """Return the joined figures of each mode that has all of its folds."""
    by_mode: dict[str, list[WalkFigures]] = {mode: [] for mode in backtest.modes}
    for fold in backtest.folds.filter(error="").order_by("first"):
        by_mode[fold.mode].append(WalkFigures.from_json(fold.figures))
    return {
        mode: WalkFigures.joined(folds)
        for mode, folds in by_mode.items()
        if len(folds) == backtest.folds_per_mode
    }


def comparisons(backtest: Backtest) -> list[Comparison]:
    """Return the results of a backtest, the baseline last; empty until it has finished."""
    results = backtest.results
    return [Comparison.from_json(results[mode]) for mode in backtest.modes if mode in results]


def summarize_results(results: Sequence[Comparison]) -> str:
    """Summarize how many modes differ from chance, without the baseline."""
    modes = [comparison for comparison in results if comparison.mode != BASELINE]
    better = sum(comparison.low > 0 for comparison in modes)
    worse = sum(comparison.high < 0 for comparison in modes)
    return f"{better} better than chance, {len(modes) - better - worse} no different, {worse} worse"
