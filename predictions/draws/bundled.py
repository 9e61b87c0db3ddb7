"""The official draws bundled with the project; `data/SOURCE.md` names their origin."""

from collections.abc import Iterator
from datetime import date
from itertools import chain
from pathlib import Path

from predictions.draws import feeds
from predictions.draws.feeds import FeedRow

DATA = Path(__file__).parent.parent / "data"
BUNDLED_FILES = (DATA / "powerball_draws.csv", DATA / "powerball_supplement.csv")
BUNDLED_DRAWS = 1988

# The end of the development data: no choice of a mode, parameter or default may use a later draw. The 103
# bundled draws after this date are the test set, which a backtest that includes them would spoil.
DEVELOPMENT_END = date(2025, 12, 22)


def read_bundled_draws() -> Iterator[FeedRow]:
    """Return the rows of all bundled files, each in date order, one file after the other."""
    texts = (feeds.decode(file.read_bytes()) for file in BUNDLED_FILES)
    return chain.from_iterable(feeds.read(text, "bundled") for text in texts)
