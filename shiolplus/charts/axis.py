"""Chart axes with round tick values."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

STEPS = (1, 2, 5, 10)  # allowed distances between ticks, times a power of ten


@dataclass(frozen=True)
class Tick:
    at: float
    label: str


@dataclass(frozen=True)
class Axis:
    """Ticks every `step` from `low` to `high`, inclusive."""

    low: float
    high: float
    step: float

    @classmethod
    def around(cls, values: Iterable[float], ticks: int = 5) -> "Axis":
        """Return an axis of about `ticks` intervals that covers all values; center equal values."""
        values = list(values)
        low, high = min(values), max(values)
        if low == high:
            margin = abs(low) or 1.0
            low, high = low - margin, high + margin
        min_step = (high - low) / ticks
        power = 10.0 ** math.floor(math.log10(min_step))
        step = next(step * power for step in STEPS if step * power >= min_step * (1 - 1e-9))
        return cls(math.floor(low / step) * step, math.ceil(high / step) * step, step)

    def fraction(self, value: float) -> float:
        return (value - self.low) / (self.high - self.low)

    @property
    def ticks(self) -> list[float]:
        count = round((self.high - self.low) / self.step) + 1
        return [self.low + self.step * index for index in range(count)]

    @property
    def decimals(self) -> int:
        return max(0, -math.floor(math.log10(self.step) + 1e-9))

    def label(self, value: float, number_format: str) -> str:
        """Format a tick with the sign and type of `number_format` and the decimals of the step."""
        if abs(value) < self.step / 2:
            return "0"
        sign = "+" if number_format.startswith("+") else ""
        decimals = max(0, self.decimals - 2) if number_format.endswith("%") else self.decimals
        return f"{value:{sign},.{decimals}{number_format[-1]}}"
