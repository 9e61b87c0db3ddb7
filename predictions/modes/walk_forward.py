"""Walk forward: the laws of past draws, each from what was known before it, and what they were worth."""

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

# Where the classes of the calibration part: a white ball's chance to be drawn, in times uniform.
CALIBRATION_EDGES = (0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 1.0, 1.01, 1.02, 1.05, 1.1, 1.25, 2.0)


class Walk(NamedTuple):
    """A mode's law of each draw, and what was left out of them."""

    laws: list[Mixture]
    note: str


def walk(mode: Mode, history: History, draws: range, seed: int) -> Walk:
    """Fit a mode, and those it is made of, on the draws before the first of these; give the law of each.

    A part that only may be used is left out where its library is missing, as in a pipeline run; the note
    says so.
    """
    history = history.before(draws.stop)
    mode.fit(history.before(draws.start), seed, measure=False)
    walks = {name: walk(MODES[name](), history, draws, seed) for name in mode.requires}
    for name in mode.optional:
        try:
            walks[name] = walk(MODES[name](), history, draws, seed)
        except ImportError:
            continue
    notes = [mode.note(list(walks)), *(one.note for one in walks.values())]
    laws = mode.predict_many(history, draws, {name: one.laws for name, one in walks.items()})
    return Walk(laws, "; ".join(filter(None, notes)))


@dataclass(frozen=True)
class CalibrationClass:
    """White balls that were given about the same chance: how many, their chances' sum, how many fell."""

    balls: int
    expected: float
    drawn: int


@dataclass(frozen=True)
class WalkFigures:
    """What laws were worth, draw by draw: log-losses in nats, and expected matches of one of their tickets.

    `calibration` has one class more than CALIBRATION_EDGES; the figures of several folds add up.
    """

    joint: list[float]
    white: list[float]
    powerball: list[float]
    white_matches: list[float]  # 25/69 for the uniform law
    powerball_matches: list[float]  # 1/26 for the uniform law
    calibration: list[CalibrationClass]
    note: str = ""  # what was left out of the laws

    def as_json(self) -> dict[str, object]:
        return asdict(self)

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Self:
        """What `as_json` wrote."""
        calibration = [CalibrationClass(**one) for one in stored["calibration"]]
        return cls(**stored | {"calibration": calibration})

    @classmethod
    def joined(cls, folds: Sequence[Self]) -> Self:
        """The figures of several folds, in their order, as those of one."""
        return cls(
            joint=[loss for one in folds for loss in one.joint],
            white=[loss for one in folds for loss in one.white],
            powerball=[loss for one in folds for loss in one.powerball],
            white_matches=[matches for one in folds for matches in one.white_matches],
            powerball_matches=[matches for one in folds for matches in one.powerball_matches],
            calibration=[
                CalibrationClass(
                    balls=sum(one.balls for one in same),
                    expected=math.fsum(one.expected for one in same),
                    drawn=sum(one.drawn for one in same),
                )
                for same in zip(*(one.calibration for one in folds), strict=True)
            ],
            note="; ".join(dict.fromkeys(one.note for one in folds if one.note)),
        )


def figures_of(laws: Sequence[Mixture], history: History, draws: range, note: str = "") -> WalkFigures:
    """The exact figures of laws on their own draws; nothing is simulated."""
    losses = [log_loss(law, *history.numbers(draw)) for law, draw in zip(laws, draws, strict=True)]
    chances = [mixture_inclusion(law) for law in laws]
    white = np.array([one.white for one in chances])  # (draws, 69)
    red = np.array([one.powerball for one in chances])  # (draws, 26)
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


def _calibration(white: np.ndarray, hits: np.ndarray) -> list[CalibrationClass]:
    classes = np.digitize(white * (WHITE_MAX / WHITE_BALLS), CALIBRATION_EDGES)
    return [
        CalibrationClass(int(chosen.sum()), float(white[chosen].sum()), int(hits[chosen].sum()))
        for chosen in (classes == number for number in range(len(CALIBRATION_EDGES) + 1))
    ]
