"""The axes of plots: round ticks around some values, and where a value stands between the ends."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

STEPS = (1, 2, 5, 10)  # of which one, times a power of ten, is between two ticks


@dataclass(frozen=True)
class Tick:
    """A labelled place of an axis."""

    at: float
    label: str


@dataclass(frozen=True)
class Axis:
    """Ticks every `step` from `low` to `high`, both of which are ticks."""

    low: float
    high: float
    step: float

    @classmethod
    def around(cls, values: Iterable[float], ticks: int = 5) -> "Axis":
        """The axis with about so many ticks that holds all the values; equal ones stand in its middle."""
        given = list(values)
        low, high = min(given), max(given)
        if low == high:
            room = abs(low) or 1.0
            low, high = low - room, high + room
        rough = (high - low) / ticks
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(one * power for one in STEPS if one * power >= rough * (1 - 1e-9))
        return cls(math.floor(low / step) * step, math.ceil(high / step) * step, step)

    def place(self, value: float) -> float:
        """0 at the low end, 1 at the high one."""
        return (value - self.low) / (self.high - self.low)

    @property
    def ticks(self) -> list[float]:
        return [
            self.low + self.step * number for number in range(round((self.high - self.low) / self.step) + 1)
        ]

    @property
    def decimals(self) -> int:
        """As many as tell the ticks apart."""
        return max(0, -math.floor(math.log10(self.step) + 1e-9))
