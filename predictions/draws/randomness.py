"""Tests of the draws' randomness: counts, repeats, and the most extreme ball.

A fair draw takes m of K balls without replacement (5 of 69 white balls, 1 of 26 Powerballs), independently of
all others. The balls of one draw exclude each other, so Pearson's statistic needs the factor
(K - 1)/(K - m) before it follows chi-square with K - 1 degrees of freedom (Joe 1993, Statistics & Probability
Letters 16:181; Haigh 1997, J. R. Statist. Soc. A 160:187; Genest, Lockhart & Stephens 2002, The Statistician
51:243). Without it the white balls of fair draws would look too even, by one part in 17.

These tests cannot prove that draws are fair. SciPy is imported only where p-values are computed, so that
showing a report does not load it.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from predictions.modes.features import History
from predictions.powerball import POWERBALL_MAX, WHITE_BALLS, WHITE_MAX

LEVEL = 0.05
AT_LEVEL = f"at the {100 * LEVEL:g} % level"
MIN_EXPECTED = 5  # count of a ball, or of repeats; below it the approximations are too rough
BALLS = WHITE_MAX + POWERBALL_MAX


@dataclass(frozen=True)
class Finding:
    """One test and its p-value under fair draws; None for too few draws."""

    name: str
    p: float | None

    @property
    def verdict(self) -> str:
        """Return the conclusion from this test alone."""
        if self.p is None:
            return f"too few draws: expected count below {MIN_EXPECTED}"
        if self.p < LEVEL:
            return f"differs from fair draws {AT_LEVEL}, taken alone"
        return "indistinguishable from fair draws"

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"verdict": self.verdict}


@dataclass(frozen=True)
class Frequencies(Finding):
    """How often each ball of one kind was drawn; `counts` and `ball_z` have one entry per ball, from ball 1.

    `statistic` is chi-square with `degrees_of_freedom` under fair draws. A ball's z is its distance from
    `expected` in units of `standard_deviation`, sqrt(n p (1 - p)) with p = m/K. A count outside `limits`
    (inclusive) differs at LEVEL by itself after correction for all 95 balls.
    """

    counts: tuple[int, ...]
    expected: float
    standard_deviation: float
    ball_z: tuple[float, ...]
    limits: tuple[int, int]
    degrees_of_freedom: int
    statistic: float


@dataclass(frozen=True)
class Repeats(Finding):
    """How many balls of one kind were drawn again in the next draw, over all `pairs` of consecutive draws."""

    pairs: int
    repeats: int
    expected: float
    standard_deviation: float
    z: float


@dataclass(frozen=True)
class ExtremeBall(Finding):
    """The least likely count of all 95 balls: `p` is `p_alone` times 95, at most 1 (Bonferroni).

    Counts are binomial, so `p_alone` is exact. A count far above expectation is likelier than one equally far
    below, so the ball with the largest z need not have the smallest p.
    """

    kind: str
    ball: int
    count: int
    expected: float
    standard_deviation: float
    z: float
    p_alone: float
    balls: int


@dataclass(frozen=True)
class Randomness:
    """All tests of one history."""

    draws: int
    white: Frequencies
    powerball: Frequencies
    white_repeats: Repeats
    powerball_repeats: Repeats
    extreme_ball: ExtremeBall

    @property
    def verdict(self) -> str:
        findings = (self.white, self.powerball, self.white_repeats, self.powerball_repeats, self.extreme_ball)
        return overall_verdict(findings)

    def as_json(self) -> dict[str, Any]:
        return {
            "draws": self.draws,
            "white": self.white.as_json(),
            "powerball": self.powerball.as_json(),
            "white_repeats": self.white_repeats.as_json(),
            "powerball_repeats": self.powerball_repeats.as_json(),
            "extreme_ball": self.extreme_ball.as_json(),
            "verdict": self.verdict,
        }


def randomness_report(history: History) -> Randomness:
    """Run every test on a history of the 69/26 era; raise ValueError if it is empty."""
    if not len(history):
        raise ValueError("there is no draw to report on")
    white_hits, powerball_hits = history.white_hits(), history.powerball_hits()
    white = _frequencies("white-ball counts", white_hits, WHITE_BALLS)
    powerball = _frequencies("Powerball counts", powerball_hits, 1)
    return Randomness(
        draws=len(history),
        white=white,
        powerball=powerball,
        white_repeats=_repeats("white-ball repeats", white_hits, WHITE_BALLS),
        powerball_repeats=_repeats("Powerball repeats", powerball_hits, 1),
        extreme_ball=_extreme_ball(len(history), white, powerball),
    )


def overall_verdict(findings: Sequence[Finding]) -> str:
    """Return one sentence on several tests, corrected for their number (Bonferroni)."""
    tested = [(finding.name, finding.p) for finding in findings if finding.p is not None]
    if not tested:
        return "too few draws to test anything"
    count = len(tested)
    differing = [f"{name} ({p_text(p * count)})" for name, p in tested if p * count < LEVEL]
    untested = [finding.name for finding in findings if finding.p is None]
    after = f"{AT_LEVEL} after correction for {count} test{'' if count == 1 else 's'}"
    verdict = (
        f"{after}, these differ from fair draws: {', '.join(differing)}"
        if differing
        else f"no test differs from fair draws {after}"
    )
    return verdict + (f"; too few draws to test {', '.join(untested)}" if untested else "")


def p_text(p: float) -> str:
    """Return a p-value with two significant digits: "p 0.075"."""
    return "p below 0.0001" if p < 0.0001 else f"p {p:#.2g}"


def chi_square_text(stored: dict[str, Any]) -> str:
    """Return the statistic of stored figures with its p-value: "85.42 (p 0.075)"."""
    p = stored["p"]
    return f"{stored['statistic']:.2f} ({'too few draws for a p-value' if p is None else p_text(p)})"


# In the tests `hits` has shape (draws, K): 1 where the ball was drawn, so each row has m ones.


def _frequencies(name: str, hits: NDArray[np.float64], m: int) -> Frequencies:
    draws, balls = hits.shape
    counts = hits.sum(axis=0).astype(np.int64)
    expected = draws * m / balls
    deviation = math.sqrt(draws * m / balls * (1 - m / balls))
    statistic = (balls - 1) / (balls - m) * float(((counts - expected) ** 2).sum()) / expected
    return Frequencies(
        name=name,
        p=_chi_square_p(statistic, balls - 1) if expected >= MIN_EXPECTED else None,
        counts=tuple(counts.tolist()),
        expected=expected,
        standard_deviation=deviation,
        ball_z=tuple(((counts - expected) / deviation).tolist()),
        limits=_limits(draws, m / balls),
        degrees_of_freedom=balls - 1,
        statistic=statistic,
    )


def _repeats(name: str, hits: NDArray[np.float64], m: int) -> Repeats:
    """Test the repeats, which are independent under fair draws although consecutive pairs share a draw.

    How many of a draw's m balls are drawn again is hypergeometric whichever m they are, so it is independent
    of all earlier draws, and variances add up. With m = 1 the sum is binomial and p exact.
    """
    balls, pairs = hits.shape[1], len(hits) - 1
    repeats = int((hits[1:] * hits[:-1]).sum())
    mean = m * m / balls
    variance = mean * (1 - m / balls) * (balls - m) / (balls - 1)
    expected, deviation = pairs * mean, math.sqrt(pairs * variance)
    z = (repeats - expected) / deviation if pairs else 0.0
    p = None
    if expected >= MIN_EXPECTED:
        exact = m == 1
        p = float(_binomial_p(np.array(repeats), pairs, mean)) if exact else math.erfc(abs(z) / math.sqrt(2))
    return Repeats(name, p, pairs, repeats, expected, deviation, z)


def _extreme_ball(draws: int, white: Frequencies, powerball: Frequencies) -> ExtremeBall:
    # At 130 draws the normal approximation would flag 0.12 fair balls per history instead of 0.05.
    p_alone = np.concatenate(
        [
            _binomial_p(np.array(white.counts), draws, WHITE_BALLS / WHITE_MAX),
            _binomial_p(np.array(powerball.counts), draws, 1 / POWERBALL_MAX),
        ]
    )
    least_likely = int(p_alone.argmin())
    kind, frequencies, index = (
        ("white ball", white, least_likely)
        if least_likely < WHITE_MAX
        else ("Powerball", powerball, least_likely - WHITE_MAX)
    )
    return ExtremeBall(
        name=f"the count of {kind} {index + 1}",
        p=None if white.p is None else min(1.0, BALLS * float(p_alone[least_likely])),
        kind=kind,
        ball=index + 1,
        count=frequencies.counts[index],
        expected=frequencies.expected,
        standard_deviation=frequencies.standard_deviation,
        z=frequencies.ball_z[index],
        p_alone=float(p_alone[least_likely]),
        balls=BALLS,
    )


def _limits(draws: int, probability: float) -> tuple[int, int]:
    """Return the least and greatest count of a ball that do not differ at LEVEL, corrected for 95 balls."""
    expected = np.flatnonzero(BALLS * _binomial_p(np.arange(draws + 1), draws, probability) >= LEVEL)
    return int(expected[0]), int(expected[-1])


def _chi_square_p(statistic: float, degrees_of_freedom: int) -> float:
    from scipy.special import chdtrc

    return float(chdtrc(degrees_of_freedom, statistic))


def _binomial_p(counts: NDArray[np.int64], trials: int, probability: float) -> NDArray[np.float64]:
    """Return exact two-sided p-values: twice the smaller tail including the count, at most 1."""
    from scipy.special import bdtr, bdtrc

    at_most, at_least = bdtr(counts, trials, probability), bdtrc(counts - 1, trials, probability)
    return np.minimum(1.0, 2 * np.minimum(at_most, at_least))
