"""Walk-forward evaluation: out-of-sample predictions of past draws and their figures."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple, Self

import numpy as np

from predictions.distributions.components import log_loss, mixture_inclusion
from predictions.modes.base import Mixture, Mode
from predictions.modes.features import History
from predictions.modes.registry import MODES
from predictions.powerball import WHITE_BALLS, WHITE_MAX

# Edges of the calibration bins: a white ball's predicted probability divided by 5/69.
CALIBRATION_EDGES = (0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 1.0, 1.01, 1.02, 1.05, 1.1, 1.25, 2.0)


class Walk(NamedTuple):
    mixtures: list[Mixture]
    note: str  # what the predictions lack


def walk(mode: Mode, history: History, draws: range, seed: int) -> Walk:
    """Fit a mode and its dependencies on the draws before these, and predict each of these.

    As in a pipeline run, an optional dependency whose library is missing is left out; the note says so.
    """
    history = history.before(draws.stop)
    mode.fit(history.before(draws.start), seed, measure=False)
    walks = {name: walk(MODES[name](), history, draws, seed) for name in mode.requires}
    for name in mode.optional:
        try:
            walks[name] = walk(MODES[name](), history, draws, seed)
        except ImportError:
            continue
    notes = [mode.note(list(walks)), *(dependency.note for dependency in walks.values())]
    dependencies = {name: dependency.mixtures for name, dependency in walks.items()}
    mixtures = mode.predict_many(history, draws, dependencies)
    return Walk(mixtures, "; ".join(filter(None, notes)))


@dataclass(frozen=True)
class CalibrationCounts:
    """White balls in one calibration bin: how many, the sum of their probabilities, how many were drawn."""

    balls: int
    expected: float
    drawn: int


@dataclass(frozen=True)
class WalkFigures:
    """Figures of predictions per draw: log-losses in nats and the expected matches of a ticket.

    `calibration` has one more entry than CALIBRATION_EDGES.
    """

    joint: list[float]
    white: list[float]
    powerball: list[float]
    white_matches: list[float]  # 25/69 for uniform
    powerball_matches: list[float]  # 1/26 for uniform
    calibration: list[CalibrationCounts]
    note: str = ""  # what the predictions lack

    def as_json(self) -> dict[str, object]:
        return asdict(self)

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Self:
        calibration = [CalibrationCounts(**counts) for counts in stored["calibration"]]
        return cls(**stored | {"calibration": calibration})

    @classmethod
    def joined(cls, folds: Sequence[Self]) -> Self:
        """Return the figures of consecutive folds as those of one fold."""
        return cls(
            joint=[loss for fold in folds for loss in fold.joint],
            white=[loss for fold in folds for loss in fold.white],
            powerball=[loss for fold in folds for loss in fold.powerball],
            white_matches=[matches for fold in folds for matches in fold.white_matches],
            powerball_matches=[matches for fold in folds for matches in fold.powerball_matches],
            calibration=[
                CalibrationCounts(
                    balls=sum(counts.balls for counts in bins),
                    expected=math.fsum(counts.expected for counts in bins),
                    drawn=sum(counts.drawn for counts in bins),
                )
                for bins in zip(*(fold.calibration for fold in folds), strict=True)
            ],
            note="; ".join(dict.fromkeys(fold.note for fold in folds if fold.note)),
        )


def measure_walk(mixtures: Sequence[Mixture], history: History, draws: range, note: str = "") -> WalkFigures:
    """Return the exact figures of predictions on their draws, without simulation."""
    losses = [
        log_loss(mixture, *history.numbers(draw)) for mixture, draw in zip(mixtures, draws, strict=True)
    ]
    inclusions = [mixture_inclusion(mixture) for mixture in mixtures]
    white = np.array([inclusion.white for inclusion in inclusions])  # (draws, 69)
    red = np.array([inclusion.powerball for inclusion in inclusions])  # (draws, 26)
    rows = slice(draws.start, draws.stop)
    hits = history.white_hits()[rows]
    return WalkFigures(
        joint=[loss.joint for loss in losses],
        white=[loss.white for loss in losses],
        powerball=[loss.powerball for loss in losses],
        white_matches=(white * hits).sum(axis=1).tolist(),
        powerball_matches=(red * history.powerball_hits()[rows]).sum(axis=1).tolist(),
        calibration=_calibration(white, hits),
        note=note,
    )


def _calibration(white: np.ndarray, hits: np.ndarray) -> list[CalibrationCounts]:
    bins = np.digitize(white * (WHITE_MAX / WHITE_BALLS), CALIBRATION_EDGES)
    return [
        CalibrationCounts(int(inside.sum()), float(white[inside].sum()), int(hits[inside].sum()))
        for inside in (bins == index for index in range(len(CALIBRATION_EDGES) + 1))
    ]
