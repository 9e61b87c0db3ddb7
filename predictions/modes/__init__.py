"""The modes: adding one is a file here, a line in MODES and its test."""

from predictions.modes.base import Mode
from predictions.modes.lstm import Lstm
from predictions.modes.random_forest import RandomForest

# Every mode the product speaks of, in the order in which they are shown. The database allows these names.
MODE_NAMES = ("random_forest", "lstm", "v1", "v2", "hybrid")

# Those that this version can train.
MODES: dict[str, type[Mode]] = {
    RandomForest.name: RandomForest,
    Lstm.name: Lstm,
}
