"""The table of modes. See docs/add-a-mode.md."""

from predictions.modes.base import Mode
from predictions.modes.hybrid import Hybrid
from predictions.modes.lstm import Lstm
from predictions.modes.random_forest import RandomForest
from predictions.modes.uniform import Uniform
from predictions.modes.v1 import V1
from predictions.modes.v2 import V2

# In display order. The database allows exactly these names.
MODE_NAMES = ("random_forest", "lstm", "v1", "v2", "hybrid")


def check_mode(mode: str) -> str:
    """Return the mode. Raise ValueError if it is unknown."""
    if mode not in MODE_NAMES:
        raise ValueError(f"mode {mode!r}: allowed are {', '.join(MODE_NAMES)}")
    return mode


# In prediction order: each mode after the modes whose predictions it uses.
MODES: dict[str, type[Mode]] = {
    RandomForest.name: RandomForest,
    Lstm.name: Lstm,
    V2.name: V2,
    V1.name: V1,
    Hybrid.name: Hybrid,
}

# The modes that a backtest compares, including the baseline.
MEASURED: dict[str, type[Mode]] = MODES | {Uniform.name: Uniform}

# In display order, the baseline last.
MEASURED_NAMES = (*MODE_NAMES, Uniform.name)
