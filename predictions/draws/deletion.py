"""Deletion of wrong draws and of the rows computed from them.

Each kind of dependent rows defines what a deletion does to it; other apps register theirs. The admin and
`manage.py delete_draws` call the same functions.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from predictions.models import (
    Backtest,
    Draw,
    Feed,
    PipelineRun,
    Prediction,
    RandomnessReport,
    StrategyShares,
    TrainedModel,
)
from predictions.powerball import CURRENT_ERA
from shiolplus.logs.safe_text import is_storable, sanitize_line

logger = logging.getLogger(__name__)

REASON_LENGTH = 500
MAX_LISTED = 20  # draws or rows before "and … more"

Days = Sequence[date]


@dataclass(frozen=True)
class DependentKind:
    """One kind of rows computed from draws, and the effect of deleting those draws.

    `find` returns the rows of some draws. `remove` makes them independent of the draws; None leaves them
    unchanged.
    """

    name: str
    effect: str
    find: Callable[[Days], QuerySet[Any]]
    remove: Callable[[QuerySet[Any]], object] | None = None


@dataclass(frozen=True)
class Dependents:
    """The rows of one kind that depend on the draws to delete."""

    name: str
    effect: str
    count: int
    examples: list[str]

    def __str__(self) -> str:
        return f"{self.name}: {self.count} ({self.effect})"

    @property
    def more(self) -> int:
        return self.count - len(self.examples)


@dataclass(frozen=True)
class Deletion:
    """Draws to delete, or deleted, and their dependents."""

    draws: list[Draw]
    dependents: list[Dependents]

    def summary(self) -> str:
        counts = [str(dependents) for dependents in self.dependents]
        return "; ".join([f"{named_draws(self.draws)} from {named_sources(self.draws)}", *counts])


def clean_reason(text: str) -> str:
    """Return a reason as one line of limited length; raise ValueError if it is blank."""
    words = text.split()
    reason = sanitize_line(" ".join(words))[:REASON_LENGTH]
    if not any(map(str.isprintable, "".join(words))):
        raise ValueError("a reason is required, such as: another game's draws")
    return reason


def draws_to_delete(days: Iterable[date] = (), source: str = "") -> list[Draw]:
    """Return the stored draws of these dates, a source, or both; raise ValueError if one is not stored."""
    dates = set(days)
    if not is_storable(source):
        raise ValueError(f"no draw from {source!r} is stored")
    if not dates and not source:
        raise ValueError("name the dates or the source of the draws to delete")
    draws = Draw.objects.order_by("draw_date")
    if source:
        draws = draws.filter(source=source)
    if dates:
        draws = draws.filter(draw_date__in=dates)
    stored = list(draws)
    if missing := sorted(dates - {draw.draw_date for draw in stored}):
        of_source = f" from {source!r}" if source else ""
        raise ValueError(f"no draw of {_join_listed(map(str, missing))} is stored{of_source}")
    if not stored:
        raise ValueError(f"no draw from {source!r} is stored")
    return stored


def preview_deletion(draws: Sequence[Draw]) -> Deletion:
    days = [draw.draw_date for draw in draws]
    dependents = [_dependents(kind, days) for kind in _kinds]
    return Deletion(list(draws), [rows for rows in dependents if rows.count])


@transaction.atomic
def delete_draws(days: Days, reason: str, by: str) -> Deletion:
    """Delete the draws of these dates and the rows computed from them, and log the deletion.

    Raise ValueError, changing nothing, if a draw is not stored or the reason is blank. Scoring, evaluation
    and the update of shares lock the draw as well, so none of them can add rows to a deleted draw.
    """
    reason = clean_reason(reason)
    list(Draw.objects.select_for_update().filter(draw_date__in=days).order_by("draw_date"))
    deletion = preview_deletion(draws_to_delete(days))
    for kind in _kinds:
        if kind.remove is not None:
            kind.remove(kind.find(days))
    Draw.objects.filter(draw_date__in=days).delete()
    Feed.objects.update(etag="")  # else a 304 would keep the correct numbers away
    text = f"Draws deleted by {by}: {deletion.summary()}. Reason: {reason}"
    transaction.on_commit(lambda: logger.warning("%s", text))
    return deletion


def named_draws(draws: Sequence[Draw]) -> str:
    """Return the draws with their numbers, for the log."""
    return f"{len(draws)} draw{'' if len(draws) == 1 else 's'} ({_join_listed(map(str, draws))})"


def named_sources(draws: Sequence[Draw]) -> str:
    """Return the sources of the draws, which may be the names of uploaded files."""
    return _join_listed(dict.fromkeys(repr(draw.source) for draw in draws))


def _join_listed(texts: Iterable[str]) -> str:
    listed = list(texts)
    more = f" and {len(listed) - MAX_LISTED} more" if len(listed) > MAX_LISTED else ""
    return ", ".join(listed[:MAX_LISTED]) + more


def _dependents(kind: DependentKind, days: Days) -> Dependents:
    rows = kind.find(days)
    return Dependents(kind.name, kind.effect, rows.count(), [str(row) for row in rows[:MAX_LISTED]])


def _first_of_era(days: Days) -> date:
    """Return the oldest of the dates in the current era; far in the future if there is none."""
    return min((day for day in days if day >= CURRENT_ERA.since), default=date.max)


def _updated_shares(days: Days) -> QuerySet[Any]:
    """Return the shares updated by one of the draws, and those computed from them up to the next reset."""
    rows, dates = StrategyShares.objects.order_by("draw_date", "id"), set(days)
    affected: list[int] = []
    tainted: set[str] = set()
    for row in rows:
        if row.origin == StrategyShares.Origin.RESET:
            tainted.discard(row.mode)
        elif row.mode in tainted or row.draw_date in dates:
            tainted.add(row.mode)
            affected.append(row.pk)
    return rows.filter(pk__in=affected)


def _clear_evaluation(predictions: QuerySet[Any]) -> None:
    predictions.update(evaluated_at=None, log_loss=None, white_log_loss=None, powerball_log_loss=None)


_kinds: list[DependentKind] = [
    DependentKind(
        "evaluated predictions",
        "kept; their log-losses are removed until the draws are stored again",
        lambda days: Prediction.objects.filter(draw_date__in=days, evaluated_at__isnull=False),
        _clear_evaluation,
    ),
    DependentKind(
        "strategy shares",
        "deleted; the next pipeline run computes them again from the remaining draws",
        _updated_shares,
        lambda rows: rows.delete(),
    ),
    DependentKind(
        "randomness reports",
        "deleted; the next pipeline run creates a new one",
        lambda days: RandomnessReport.objects.filter(draws_through__gte=_first_of_era(days)),
        lambda rows: rows.delete(),
    ),
    DependentKind(
        "predictions made with these draws",
        "kept, since tickets were generated from them; run the pipeline to predict without the draws",
        lambda days: Prediction.objects.filter(draws_through__gte=_first_of_era(days)),
    ),
    DependentKind(
        "models trained on these draws",
        "kept; the next pipeline run trains new ones, except for pinned models",
        lambda days: TrainedModel.objects.filter(draws_through__gte=_first_of_era(days)),
    ),
    DependentKind(
        "backtests over these draws",
        "kept; run `manage.py backtest` to measure without the draws",
        lambda days: Backtest.objects.filter(draws_through__gte=_first_of_era(days)),
    ),
    DependentKind(
        "running pipeline runs",
        "kept; they may have read the draws already, so run the pipeline again afterwards",
        lambda days: PipelineRun.objects.filter(
            status=PipelineRun.Status.RUNNING, draw_date__gt=_first_of_era(days)
        ),
    ),
]


def register_dependents(kind: DependentKind) -> None:
    """Add a kind of another app's rows to all deletions; a kind with the same name is replaced."""
    _kinds[:] = [registered for registered in _kinds if registered.name != kind.name] + [kind]
