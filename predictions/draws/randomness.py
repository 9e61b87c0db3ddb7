"""Whether the official draws look as fair draws would: counts, repeats, and the most extreme ball.

A fair draw takes m of K balls without replacement (5 of 69 white balls, 1 of 26 Powerballs), independently of
all others. The balls of one draw exclude each other, so Pearson's statistic needs the factor
(K - 1)/(K - m) before it follows chi-square with K - 1 degrees of freedom (Joe 1993, Statistics & Probability
Letters 16:181; Haigh 1997, J. R. Statist. Soc. A 160:187; Genest, Lockhart & Stephens 2002, The Statistician
51:243). Without it the white balls of fair draws would look more even than they should, by one part in 17.

Nothing here can prove draws fair: a report says what these tests found in these draws. SciPy is imported only
where p-values are taken, so that what shows a report never loads it.
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
LEAST_EXPECTED = 5  # of a ball, or of repeats: below it chi-square and the normal law are too rough
BALLS = WHITE_MAX + POWERBALL_MAX


@dataclass(frozen=True)
class Finding:
    """One test: what it looked at, and its p-value under fair draws; None when the draws are too few."""

    name: str
    p: float | None

    @property
    def verdict(self) -> str:
        """What may be said of this test taken alone."""
        if self.p is None:
            return f"too few draws to say: under {LEAST_EXPECTED} are expected"
        if self.p < LEVEL:
            return f"differs from fair draws {AT_LEVEL}, taken alone"
        return "not to be told from fair draws"

    def as_json(self) -> dict[str, Any]:
        """The stored form: every figure, and the verdict."""
        return asdict(self) | {"verdict": self.verdict}


@dataclass(frozen=True)
class Frequencies(Finding):
    """How often each ball of one kind was drawn; `counts` and `ball_z` have an entry a ball, from ball 1 on.

    `statistic` is chi-square with `degrees_of_freedom` under fair draws. A ball's z is its distance from
    `expected` in units of `standard_deviation`, sqrt(n p (1 - p)) with p = m/K. A ball whose count is outside
    `limits`, both allowed, is alone enough to differ at LEVEL after correction for all 95 balls.
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
    """How many balls of one kind were drawn again in the very next draw, over all `pairs` of such draws."""

    pairs: int
    repeats: int
    expected: float
    standard_deviation: float
    z: float


@dataclass(frozen=True)
class ExtremeBall(Finding):
    """The ball whose count is the least likely of all 95: `p` is `p_alone` times 95, at most 1 (Bonferroni).

    Counts are binomial, so `p_alone` is exact. A count far above expectation is likelier than one as far
    below, so the ball with the largest z need not be the one with the smallest p.
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
        """What may be said of all tests together, each p times the number of tests that were taken."""
        findings = (self.white, self.powerball, self.white_repeats, self.powerball_repeats, self.extreme_ball)
        return overall_verdict(findings)

    def as_json(self) -> dict[str, Any]:
        """The stored form."""
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
    """Take every test on a history of the 69/26 era; ValueError when it holds no draw."""
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
    """One sentence over several tests, corrected for their number (Bonferroni)."""
    taken = [(one.name, one.p) for one in findings if one.p is not None]
    if not taken:
        return "too few draws to test anything"
    differing = [f"{name} ({p_text(p * len(taken))})" for name, p in taken if p * len(taken) < LEVEL]
    untested = [one.name for one in findings if one.p is None]
    after = f"{AT_LEVEL} after correction for {len(taken)} test{'' if len(taken) == 1 else 's'}"
    verdict = (
        f"{after}, these differ from fair draws: {', '.join(differing)}"
        if differing
        else f"nothing here differs from fair draws {after}"
    )
    return verdict + (f"; too few draws to test {', '.join(untested)}" if untested else "")


def p_text(p: float) -> str:
    """A p-value for people, two digits of it: "p 0.075"."""
    return "p below 0.0001" if p < 0.0001 else f"p {p:#.2g}"


def chi_square_text(stored: dict[str, Any]) -> str:
    """The statistic of a kind's stored figures with its p-value: "85.42 (p 0.075)"."""
    p = stored["p"]
    return f"{stored['statistic']:.2f} ({'too few draws for a p' if p is None else p_text(p)})"


# The tests. `hits` has shape (draws, K): 1 where the ball was drawn; m of them are 1 in each row.


def _frequencies(name: str, hits: NDArray[np.float64], m: int) -> Frequencies:
    draws, balls = hits.shape
    counts = hits.sum(axis=0).astype(np.int64)
    expected = draws * m / balls
    deviation = math.sqrt(draws * m / balls * (1 - m / balls))
    statistic = (balls - 1) / (balls - m) * float(((counts - expected) ** 2).sum()) / expected
    return Frequencies(
        name=name,
        p=_chi_square_p(statistic, balls - 1) if expected >= LEAST_EXPECTED else None,
        counts=tuple(counts.tolist()),
        expected=expected,
        standard_deviation=deviation,
        ball_z=tuple(((counts - expected) / deviation).tolist()),
        limits=_limits(draws, m / balls),
        degrees_of_freedom=balls - 1,
        statistic=statistic,
    )


def _repeats(name: str, hits: NDArray[np.float64], m: int) -> Repeats:
    """Overlapping pairs share a draw, yet their repeats are independent under fair draws.

    How many of the last draw's m balls come again is hypergeometric whichever m they were, so it is
    independent of every draw before, and variances add up. With m = 1 the sum is binomial, and its p exact.
    """
    balls, pairs = hits.shape[1], len(hits) - 1
    repeats = int((hits[1:] * hits[:-1]).sum())
    mean = m * m / balls
    variance = mean * (1 - m / balls) * (balls - m) / (balls - 1)
    expected, deviation = pairs * mean, math.sqrt(pairs * variance)
    z = (repeats - expected) / deviation if pairs else 0.0
    p = None
    if expected >= LEAST_EXPECTED:
        exact = m == 1
        p = float(_binomial_p(np.array(repeats), pairs, mean)) if exact else math.erfc(abs(z) / math.sqrt(2))
    return Repeats(name, p, pairs, repeats, expected, deviation, z)


def _extreme_ball(draws: int, white: Frequencies, powerball: Frequencies) -> ExtremeBall:
    """Exact, for the normal law would not do: at 130 draws it flags 0.12 fair balls a history, not 0.05."""
    p_alone = np.concatenate(
        [
            _binomial_p(np.array(white.counts), draws, WHITE_BALLS / WHITE_MAX),
            _binomial_p(np.array(powerball.counts), draws, 1 / POWERBALL_MAX),
        ]
    )
    place = int(p_alone.argmin())
    kind, of_kind, index = (
        ("white ball", white, place) if place < WHITE_MAX else ("Powerball", powerball, place - WHITE_MAX)
    )
    return ExtremeBall(
        name=f"the count of {kind} {index + 1}",
        p=None if white.p is None else min(1.0, BALLS * float(p_alone[place])),
        kind=kind,
        ball=index + 1,
        count=of_kind.counts[index],
        expected=of_kind.expected,
        standard_deviation=of_kind.standard_deviation,
        z=of_kind.ball_z[index],
        p_alone=float(p_alone[place]),
        balls=BALLS,
    )


def _limits(draws: int, chance: float) -> tuple[int, int]:
    """The least and the greatest count of a ball that do not differ at LEVEL, corrected for all 95 balls."""
    usual = np.flatnonzero(BALLS * _binomial_p(np.arange(draws + 1), draws, chance) >= LEVEL)
    return int(usual[0]), int(usual[-1])


def _chi_square_p(statistic: float, degrees_of_freedom: int) -> float:
    from scipy.special import chdtrc

    return float(chdtrc(degrees_of_freedom, statistic))


def _binomial_p(counts: NDArray[np.int64], trials: int, chance: float) -> NDArray[np.float64]:
    """Two-sided and exact: twice the smaller tail that holds the count, at most 1."""
    from scipy.special import bdtr, bdtrc

    at_most, at_least = bdtr(counts, trials, chance), bdtrc(counts - 1, trials, chance)
    return np.minimum(1.0, 2 * np.minimum(at_most, at_least))
