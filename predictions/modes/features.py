"""What was known of each ball before a draw, and nothing after.

Row t holds only draws 0 … t-1: a test changes draw t and sees row t unchanged. The existing system's rows
held the draw they were to predict, which made an "accuracy" of 0.67 out of 0.05.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from predictions.powerball import POWERBALL_MAX, WHITE_BALLS, WHITE_MAX

WARM_UP = 100  # draws before the first one that is learned from
WINDOWS = (10, 30, 100)  # draws
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
        """The white balls and the Powerball of draw number `draw`."""
        return self.white[draw].tolist(), int(self.powerball[draw])

    def before(self, draw: int) -> "History":
        """The draws that came before draw number `draw`."""
        return History(self.white[:draw], self.powerball[:draw])

    def white_hits(self) -> NDArray[np.float64]:
        """Shape (draws, 69): 1 where the ball was drawn."""
        return _hits(self.white, WHITE_MAX)

    def powerball_hits(self) -> NDArray[np.float64]:
        """Shape (draws, 26): 1 where it was the Powerball."""
        return _hits(self.powerball[:, None], POWERBALL_MAX)


def _hits(balls: NDArray[np.int64], highest: int) -> NDArray[np.float64]:
    hits = np.zeros((len(balls), highest))
    np.put_along_axis(hits, balls - 1, 1.0, axis=1)
    return hits


def ball_features(hits: NDArray[np.float64]) -> NDArray[np.float32]:
    """Features of every ball before every draw, the next one included.

    `hits` has shape (draws, balls). Returns shape (draws + 1, balls, len(NAMES)); row t is known before
    draw t: shares of the last 10, 30, 100 and of all earlier draws that held the ball, draws since it was
    last seen (at most 100, and 100 if never), and how often it followed the balls of the latest draw.
    """
    draws, balls = hits.shape
    features = np.zeros((draws + 1, balls, len(FEATURE_NAMES)), dtype=np.float32)
    seen = np.vstack([np.zeros((1, balls)), np.cumsum(hits, axis=0)])  # row t counts draws before t
    times = np.arange(draws + 1)
    for column, window in enumerate((*WINDOWS, draws + 1)):
        since = np.maximum(times - window, 0)
        features[:, :, column] = (seen - seen[since]) / np.maximum(times - since, 1)[:, None]
    features[:, :, -2] = _gaps(hits)
    features[:, :, -1] = _successions(hits)
    return features


def _gaps(hits: NDArray[np.float64], longest: int = 100) -> NDArray[np.float64]:
    gaps = np.full((len(hits) + 1, hits.shape[1]), float(longest))
    for draw, hit in enumerate(hits):
        gaps[draw + 1] = np.where(hit > 0, 1.0, np.minimum(gaps[draw] + 1, longest))
    return gaps


def _successions(hits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of all balls that came right after a draw with one of the latest draw's, the share of each."""
    draws, balls = hits.shape
    followed = np.zeros((balls, balls))  # [a, b]: draws with b right after a draw with a
    result = np.zeros((draws + 1, balls))
    for draw in range(1, draws + 1):
        latest = hits[draw - 1]
        if draw >= 2:
            followed[hits[draw - 2] > 0] += latest
        result[draw] = latest @ followed
        result[draw] /= max(result[draw].sum(), 1.0)
    return result


def training_set(hits: NDArray[np.float64]) -> tuple[NDArray[np.float32], NDArray[np.int8]]:
    """What trees learn from: a row a ball a draw from WARM_UP on, and whether the ball was drawn then."""
    rows = slice(WARM_UP, len(hits))
    return flatten(ball_features(hits)[rows]), hits[rows].reshape(-1).astype(np.int8)


def flatten(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """One row a ball a draw: shape (draws * balls, len(NAMES))."""
    return features.reshape(-1, features.shape[2])
