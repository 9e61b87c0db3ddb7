"""Features of each ball, computed only from earlier draws.

Row t depends only on draws 0 … t-1; a test changes draw t and checks that row t is unchanged. In the previous
system the rows included the draw to predict, which inflated an accuracy of 0.05 to 0.67.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from predictions.powerball import POWERBALL_MAX, WHITE_BALLS, WHITE_MAX

WARM_UP = 100  # draws that get no training rows, because their windows are incomplete
WINDOWS = (10, 30, 100)  # draws
MAX_GAP = 100  # draws
FEATURE_NAMES = (*(f"rate_{window}" for window in WINDOWS), "rate_all", "gap", "succession")


@dataclass(frozen=True)
class History:
    """Official draws of the 69/26 era, oldest first.

    `white` has shape (draws, 5) with balls 1 to 69 ascending, `powerball` shape (draws,) with 1 to 26.
    """

    white: NDArray[np.int64]
    powerball: NDArray[np.int64]

    def __post_init__(self) -> None:
        if self.white.shape != (len(self.powerball), WHITE_BALLS):
            raise ValueError(f"white balls of shape {self.white.shape} for {len(self.powerball)} draws")

    def __len__(self) -> int:
        return len(self.powerball)

    def numbers(self, draw: int) -> tuple[list[int], int]:
        """Return the white balls and the Powerball of the draw with this index."""
        return self.white[draw].tolist(), int(self.powerball[draw])

    def before(self, draw: int) -> "History":
        """Return the draws before the draw with this index."""
        return History(self.white[:draw], self.powerball[:draw])

    def white_hits(self) -> NDArray[np.float64]:
        """Return an array of shape (draws, 69) with 1 where the ball was drawn."""
        return _hits(self.white, WHITE_MAX)

    def powerball_hits(self) -> NDArray[np.float64]:
        """Return an array of shape (draws, 26) with 1 where the ball was the Powerball."""
        return _hits(self.powerball[:, None], POWERBALL_MAX)


def _hits(balls: NDArray[np.int64], highest: int) -> NDArray[np.float64]:
    hits = np.zeros((len(balls), highest))
    np.put_along_axis(hits, balls - 1, 1.0, axis=1)
    return hits


def ball_features(hits: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the features of every ball before every draw, including the next one.

    `hits` has shape (draws, balls), the result (draws + 1, balls, len(FEATURE_NAMES)). Row t is known before
    draw t: the rate of the ball in the last 10, 30, 100 and all draws, the number of draws since it was last
    drawn (at most 100, and 100 if never), and how often it followed the balls of the latest draw.
    """
    draws, balls = hits.shape
    features = np.zeros((draws + 1, balls, len(FEATURE_NAMES)), dtype=np.float32)
    counts = np.vstack([np.zeros((1, balls)), np.cumsum(hits, axis=0)])  # row t counts draws before t
    times = np.arange(draws + 1)
    for column, window in enumerate((*WINDOWS, draws + 1)):
        starts = np.maximum(times - window, 0)
        features[:, :, column] = (counts - counts[starts]) / np.maximum(times - starts, 1)[:, None]
    features[:, :, -2] = _gaps(hits)
    features[:, :, -1] = _successions(hits)
    return features


def _gaps(hits: NDArray[np.float64]) -> NDArray[np.float64]:
    gaps = np.full((len(hits) + 1, hits.shape[1]), float(MAX_GAP))
    for draw, row in enumerate(hits):
        gaps[draw + 1] = np.where(row > 0, 1.0, np.minimum(gaps[draw] + 1, MAX_GAP))
    return gaps


def _successions(hits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return each ball's share of all balls drawn immediately after a ball of the latest draw.

    Shape (draws + 1, balls).
    """
    draws, balls = hits.shape
    followed = np.zeros((balls, balls))  # [a, b]: draws with b immediately after a draw with a
    result = np.zeros((draws + 1, balls))
    for draw in range(1, draws + 1):
        latest = hits[draw - 1]
        if draw >= 2:
            followed[hits[draw - 2] > 0] += latest
        result[draw] = latest @ followed
        result[draw] /= max(result[draw].sum(), 1.0)
    return result


def training_set(hits: NDArray[np.float64]) -> tuple[NDArray[np.float32], NDArray[np.int8]]:
    """Return features and labels of every ball in every draw from WARM_UP on: (rows, features), (rows,)."""
    rows = slice(WARM_UP, len(hits))
    return flatten(ball_features(hits)[rows]), hits[rows].reshape(-1).astype(np.int8)


def flatten(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return one row per ball and draw, shape (draws * balls, len(FEATURE_NAMES))."""
    return features.reshape(-1, features.shape[2])
