"""The modes: adding one is a file here, a line in MODES and its test."""

from predictions.modes.base import Mode
from predictions.modes.hybrid import Hybrid
from predictions.modes.lstm import Lstm
from predictions.modes.random_forest import RandomForest
from predictions.modes.uniform import Uniform
from predictions.modes.v1 import V1
from predictions.modes.v2 import V2

# Every mode the product speaks of, in the order in which they are shown. The database allows these names.
MODE_NAMES = ("random_forest", "lstm", "v1", "v2", "hybrid")


def check_mode(mode: str) -> str:
    """The mode itself; ValueError with the allowed ones otherwise."""
    if mode not in MODE_NAMES:
        raise ValueError(f"mode {mode!r}: allowed are {', '.join(MODE_NAMES)}")
    return mode


# Their classes, each after those whose laws it is made of.
MODES: dict[str, type[Mode]] = {
    RandomForest.name: RandomForest,
    Lstm.name: Lstm,
    V2.name: V2,
    V1.name: V1,
    Hybrid.name: Hybrid,
}

# What a backtest compares: the modes and their baseline.
MEASURED: dict[str, type[Mode]] = MODES | {Uniform.name: Uniform}

# In the order in which a comparison shows them, the baseline last.
MEASURED_NAMES = (*MODE_NAMES, Uniform.name)
