"""The modes: adding one is a file here, a line in MODES and its test."""

from predictions.modes.base import Mode
from predictions.modes.lstm import Lstm
from predictions.modes.random_forest import RandomForest

# Every mode the product speaks of, in the order in which they are shown. The database allows these names.
MODE_NAMES = ("random_forest", "lstm", "v1", "v2", "hybrid")


def check_mode(mode: str) -> str:
    """The mode itself; ValueError with the allowed ones otherwise."""
    if mode not in MODE_NAMES:
        raise ValueError(f"mode {mode!r}: allowed are {', '.join(MODE_NAMES)}")
    return mode


# Those that this version can train.
MODES: dict[str, type[Mode]] = {
    RandomForest.name: RandomForest,
    Lstm.name: Lstm,
}
