"""Walk forward over past draws: every mode fitted only on what was known, uniform beside them.

A fold is one fit, in a child process of its own, and the draws that it is asked for: those up to the
next fit. Each fold is stored when it ends, so a backtest that was interrupted goes on where it was.
The unit of evidence is the draw: see `predictions.evaluation.comparison`.
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
from predictions.draws.sources import DrawHistory, known_draws
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
    end_children,
    run_in_subprocess,
)

logger = logging.getLogger(__name__)

Status = Backtest.Status
BASELINE = Uniform.name
MIN_DRAWS = 30  # with fewer nothing is said of a mode
DEFAULT_DRAWS, DEFAULT_REFIT_EVERY = 200, 50
# What a fold of each mode takes beside one of the others, roughly: for the order and the time left.
RELATIVE_COST = {"lstm": 35, "hybrid": 16, "v1": 13, "random_forest": 12, "v2": 8, BASELINE: 1}


@dataclass(frozen=True)
class Fold:
    """What one child process is asked for: the draws [first, stop), fitted on those before."""

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
    """A backtest of the newest draws through a date: an unfinished one with the same result, or a new one.

    By default no draw after the development data is read, so that the test set stays unseen.

    The baseline is always in it. Unfinished is what was interrupted and what fell short of some mode;
    `fresh` starts anew whatever there is. ValueError for what is not allowed, with what is.
    """
    known = known_draws(through=through)
    _check(modes, draws, refit_every, through, known)
    asked = {
        "modes": [name for name in MEASURED_NAMES if name in modes or name == BASELINE],
        "draws": draws,
        "refit_every": refit_every,
        "seed": seed,
        "draws_fingerprint": known.fingerprint(),
        "versions": _versions(),
    }
    if not fresh:
        for backtest in Backtest.objects.exclude(status=Status.COMPLETED).order_by("-id"):
            if all(getattr(backtest, name) == value for name, value in asked.items()):
                return backtest
    era = Draw.objects.filter(draw_date__gte=CURRENT_ERA.since, draw_date__lte=known.through)
    newest = era.order_by("-draw_date").values_list("draw_date", flat=True)[:draws]
    return Backtest.objects.create(
        draws_known=len(known.history), tested_from=newest[draws - 1], draws_through=newest[0], **asked
    )


def max_draws(modes: Sequence[str], known: DrawHistory) -> int:
    """How many draws can be tested, if every mode is to learn from enough before them; below one: none."""
    return len(known.history) - max(MEASURED[name].minimum_draws for name in (*modes, BASELINE))


def _check(modes: Sequence[str], draws: int, refit_every: int, through: date, known: DrawHistory) -> None:
    unknown = [name for name in modes if name not in MEASURED]
    if unknown or not modes:
        allowed = ", ".join(MEASURED_NAMES)
        raise ValueError(f"modes {', '.join(unknown) or 'none'}: allowed are {allowed}")
    if refit_every < 1:
        raise ValueError(f"refit every {refit_every} draws: allowed is an integer from 1")
    most = max_draws(modes, known)
    if not MIN_DRAWS <= draws <= most:
        allowed = f"{MIN_DRAWS} to {most}" if most >= MIN_DRAWS else f"none from {MIN_DRAWS} on"
        raise ValueError(
            f"{draws} draws: allowed is {allowed}, for {len(known.history)} draws of the "
            f"{CURRENT_ERA.name} era are stored through {through} and the modes learn from those "
            "before the tested ones"
        )


def _versions() -> dict[str, Any]:
    """Of every mode, since some are made of others."""
    return {
        name: {
            "code_version": mode.code_version,
            "parameters": mode(**settings.MODE_PARAMETERS.get(name, {})).parameters(),
        }
        for name, mode in MEASURED.items()
    }


def missing_folds(backtest: Backtest) -> list[Fold]:
    """What has not been measured yet or could not be; the longest first, so that all cores end together."""
    measured = set(backtest.folds.filter(error="").values_list("mode", "first"))
    folds = [
        Fold(mode, first, min(first + backtest.refit_every, backtest.draws_known))
        for mode in backtest.modes
        for first in range(backtest.draws_known - backtest.draws, backtest.draws_known, backtest.refit_every)
        if (mode, first) not in measured
    ]
    return sorted(folds, key=lambda one: -RELATIVE_COST[one.mode])


def run(backtest: Backtest, watch: Callable[[BacktestFold], None] = lambda fold: None) -> None:
    """Measure what is missing, as many at once as SHIOL_FIT_PROCESSES allows, and compare at the end.

    `watch` is told of each fold that has been stored. A mode that cannot be measured is stored with its
    error and stops no other. KeyboardInterrupt ends the children and keeps what is stored. ValueError when
    the draws have changed since the backtest began.
    """
    history = _history_of(backtest)
    Backtest.objects.filter(pk=backtest.pk, started_at=None).update(started_at=timezone.now())
    Backtest.objects.filter(pk=backtest.pk).update(status=Status.RUNNING, finished_at=None, error="")
    with closing(_run_folds(backtest, history)) as folds:
        for fold in folds:
            watch(fold)
    finish(backtest)


def _history_of(backtest: Backtest) -> History:
    known = known_draws(through=backtest.draws_through)
    if known.fingerprint() != backtest.draws_fingerprint:
        raise ValueError(f"the draws through {backtest.draws_through} have changed since the backtest began")
    return known.history


def _run_folds(backtest: Backtest, history: History) -> Generator[BacktestFold, None, None]:
    """Each missing fold when its child has ended. The threads only wait for children: no database."""
    with ThreadPoolExecutor(settings.FIT_PROCESSES) as threads:
        fits = {threads.submit(_measure, one, backtest.seed, history): one for one in missing_folds(backtest)}
        try:
            for fit in as_completed(fits):
                if not fit.cancelled():
                    yield _store(backtest, fits[fit], fit, fits)
        except BaseException:  # above all Ctrl-C: what waits is not begun, what runs is not waited for
            threads.shutdown(wait=False, cancel_futures=True)
            end_children()
            raise


def _measure(fold: Fold, seed: int, history: History) -> FitResult:
    known = history.before(fold.stop)  # a child is not even given what comes after
    asked = build_request("backtest", fold.mode, first=fold.first, stop=fold.stop, seed=seed)
    return run_in_subprocess(asked, known)


def _store(
    backtest: Backtest, fold: Fold, fit: Future[FitResult], fits: dict[Future[FitResult], Fold]
) -> BacktestFold:
    values: dict[str, Any] = {"draws": fold.stop - fold.first}
    try:
        answer = fit.result()
        values |= {"figures": answer.payload, "seconds": answer.seconds, "error": ""}
    except (FitError, OSError) as error:
        logger.error("%s was not measured from draw %d on: %s", fold.mode, fold.first, error)
        reason = " ".join(str(error).split())  # a library's may have several lines
        reason = reason if fold.mode in reason else f"{fold.mode}: {reason}"
        values |= {"figures": {}, "seconds": 0.0, "error": reason}
        for other, asked in fits.items():
            if asked.mode == fold.mode:
                other.cancel()  # its comparison needs every fold
    row, _ = backtest.folds.update_or_create(mode=fold.mode, first=fold.first, defaults=values)
    return row


def finish(backtest: Backtest) -> None:
    """Compare the modes that have every fold; say why of the others."""
    figures = complete_figures(backtest)
    uniform = figures.get(BASELINE)
    results = {} if uniform is None else {mode: compare(mode, one, uniform) for mode, one in figures.items()}
    errors = dict.fromkeys(backtest.folds.exclude(error="").values_list("error", flat=True))
    backtest.status = _status(backtest, results)
    backtest.results = {mode: one.as_json() for mode, one in results.items()}
    backtest.error = "; ".join(errors)
    backtest.finished_at = timezone.now()
    backtest.save(update_fields=["status", "results", "error", "finished_at"])


def _status(backtest: Backtest, results: dict[str, Comparison]) -> str:
    if len(results) == len(backtest.modes):
        return Status.COMPLETED
    return Status.PARTIAL if any(mode != BASELINE for mode in results) else Status.FAILED


def complete_figures(backtest: Backtest) -> dict[str, WalkFigures]:
    """The joined figures of each mode whose every fold has been measured."""
    stored: dict[str, list[WalkFigures]] = {mode: [] for mode in backtest.modes}
    for row in backtest.folds.filter(error="").order_by("first"):
        stored[row.mode].append(WalkFigures.from_json(row.figures))
    return {
        mode: WalkFigures.joined(folds)
        for mode, folds in stored.items()
        if len(folds) == backtest.folds_per_mode
    }


def comparisons(backtest: Backtest) -> list[Comparison]:
    """What came of a backtest, the baseline last; empty while it has not ended."""
    stored = backtest.results
    return [Comparison.from_json(stored[mode]) for mode in backtest.modes if mode in stored]


def outcome(found: Sequence[Comparison]) -> str:
    """How many of the compared modes differ from chance; the baseline is not counted."""
    modes = [one for one in found if one.mode != BASELINE]
    better, worse = sum(one.low > 0 for one in modes), sum(one.high < 0 for one in modes)
    return f"{better} better than chance, {len(modes) - better - worse} no different, {worse} worse"
