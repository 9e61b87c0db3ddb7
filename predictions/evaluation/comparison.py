"""A mode beside uniform on the draws of a backtest: what its laws were worth, and how sure that is.

The unit is the draw: each gives one difference between two log-losses, and the standard error and the
interval are those of the mean of these differences between draws. Tickets and balls of one draw are not
independent and give no interval.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from predictions.evaluation.intervals import mean_interval
from predictions.modes.walk_forward import CALIBRATION_EDGES, WalkFigures


@dataclass(frozen=True)
class CalibrationBin:
    """White balls that were given about the same chance, in times uniform from `low` up to `high`.

    None is no bound. `expected` is the sum of their chances: where a law is calibrated, about so many fall.
    """

    low: float | None
    high: float | None
    balls: int
    expected: float
    drawn: int

    @property
    def ratio(self) -> float:
        """Balls drawn, in times what was expected."""
        return self.drawn / self.expected


@dataclass(frozen=True)
class Comparison:
    """A mode over the draws of a backtest: mean log-losses in nats a draw, mean matches a ticket.

    `difference` is uniform's joint log-loss minus the mode's: above zero is better than chance. The joint
    loss of a mixture is not the sum of the two others. The standard error and the 95 % interval (Student)
    are those between draws.
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
    white_matches: float  # expected of one ticket; 25/69 for the uniform law
    powerball_matches: float  # 1/26 for the uniform law
    calibration: list[CalibrationBin]  # those that have balls
    note: str = ""  # what was left out of the laws that were measured

    @property
    def interval(self) -> tuple[float, float]:
        return self.low, self.high

    @property
    def verdict(self) -> str:
        """The plain sentence of what the difference means."""
        on = f"on {self.draws} draws (95 % interval {self.low:+.4f} to {self.high:+.4f} nats a draw)"
        on += f"; {self.note}" if self.note else ""
        if self.low > 0:
            return f"better than chance {on}; a fair lottery makes one mode in forty look so"
        if self.high < 0:
            return f"measurably worse than chance {on}"
        return f"no better and no worse than chance {on}"

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Self:
        """What `as_json` wrote."""
        return cls(**stored | {"calibration": [CalibrationBin(**one) for one in stored["calibration"]]})


def log_loss_gains(figures: WalkFigures, uniform: WalkFigures) -> list[float]:
    """Each draw's difference in nats: uniform's joint log-loss minus the mode's."""
    return [theirs - own for theirs, own in zip(uniform.joint, figures.joint, strict=True)]


def compare(mode: str, figures: WalkFigures, uniform: WalkFigures) -> Comparison:
    """A mode's figures beside uniform's of the same draws; ValueError for fewer than five draws."""
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
        calibration=_classes(figures),
        note=figures.note,
    )


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _classes(figures: WalkFigures) -> list[CalibrationBin]:
    lows, highs = (None, *CALIBRATION_EDGES), (*CALIBRATION_EDGES, None)
    return [
        CalibrationBin(low, high, one.balls, one.expected, one.drawn)
        for low, high, one in zip(lows, highs, figures.calibration, strict=True)
        if one.balls
    ]
