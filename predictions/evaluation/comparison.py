"""Comparison of a mode with the uniform baseline on the draws of a backtest.

The unit of evidence is the draw: each gives one difference of log-losses, and the standard error and interval
are those of the mean difference over draws. Tickets and balls of one draw are not independent.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from predictions.evaluation.intervals import mean_interval
from predictions.modes.walk_forward import CALIBRATION_EDGES, WalkFigures


@dataclass(frozen=True)
class CalibrationBin:
    """White balls whose predicted probability divided by 5/69 is in [low, high); None is unbounded.

    `expected` is the sum of their probabilities. If the predictions are calibrated, `drawn` is close to it.
    """

    low: float | None
    high: float | None
    balls: int
    expected: float
    drawn: int

    @property
    def ratio(self) -> float:
        return self.drawn / self.expected


@dataclass(frozen=True)
class Comparison:
    """A mode's results in a backtest: mean log-losses in nats per draw, and mean matches per ticket.

    `difference` is uniform's joint log-loss minus the mode's: positive is better than chance. The joint loss
    of a mixture is not the sum of the other two. The standard error and Student's 95 % interval are over
    draws.
    """

    mode: str
    draws: int
    joint: float
    white: float
    powerball: float
    difference: float
    standard_error: float
    low: float
    high: float
    white_matches: float  # expected per ticket; 25/69 for uniform
    powerball_matches: float  # 1/26 for uniform
    calibration: list[CalibrationBin]  # without empty bins
    note: str = ""  # what the measured predictions lack

    @property
    def interval(self) -> tuple[float, float]:
        return self.low, self.high

    @property
    def verdict(self) -> str:
        """Return a sentence that interprets the interval."""
        basis = f"on {self.draws} draws (95 % interval {self.low:+.4f} to {self.high:+.4f} nats per draw)"
        basis += f"; {self.note}" if self.note else ""
        if self.low > 0:
            return f"better than chance {basis}; in a fair lottery one mode in forty looks better by chance"
        if self.high < 0:
            return f"measurably worse than chance {basis}"
        return f"no better and no worse than chance {basis}"

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Self:
        return cls(**stored | {"calibration": [CalibrationBin(**values) for values in stored["calibration"]]})


def log_loss_gains(figures: WalkFigures, uniform: WalkFigures) -> list[float]:
    """Return uniform's joint log-loss minus the mode's for each draw, in nats."""
    return [baseline - loss for baseline, loss in zip(uniform.joint, figures.joint, strict=True)]


def compare(mode: str, figures: WalkFigures, uniform: WalkFigures) -> Comparison:
    """Compare a mode with uniform on the same draws. Raise ValueError for fewer than five draws."""
    interval = mean_interval(log_loss_gains(figures, uniform))
    return Comparison(
        mode=mode,
        draws=interval.draws,
        joint=_mean(figures.joint),
        white=_mean(figures.white),
        powerball=_mean(figures.powerball),
        difference=float(interval.mean),
        standard_error=float(interval.standard_error),
        low=float(interval.low),
        high=float(interval.high),
        white_matches=_mean(figures.white_matches),
        powerball_matches=_mean(figures.powerball_matches),
        calibration=_calibration_bins(figures),
        note=figures.note,
    )


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _calibration_bins(figures: WalkFigures) -> list[CalibrationBin]:
    lows, highs = (None, *CALIBRATION_EDGES), (*CALIBRATION_EDGES, None)
    return [
        CalibrationBin(low, high, counts.balls, counts.expected, counts.drawn)
        for low, high, counts in zip(lows, highs, figures.calibration, strict=True)
        if counts.balls
    ]
