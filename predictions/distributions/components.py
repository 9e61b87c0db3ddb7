"""The exact law of a ticket, given positive weights: what a component is, and how likely it finds a draw.

A component gives weights w of the 69 white balls and p of the 26 Powerballs. A white set S has the chance
prod(w_i, i in S) / e5(w), e5 the fifth elementary symmetric polynomial; the Powerball is independent. This
is the conditional-Bernoulli law of five balls out of 69 (Chen, Dempster & Liu 1994, Biometrika 81:457).
With strata, a table gives the chance of the counts, and within a stratum the same law gives its balls.
"""

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from predictions.distributions.strata import Counts, Strata, Table
from predictions.powerball import CURRENT_ERA, POWERBALL_MAX, WHITE_BALLS, WHITE_MAX

UNIFORM_LOG_LOSS = math.log(CURRENT_ERA.tickets)  # 19.4930 nats a draw
MAX_WEIGHT_RATIO = 20.0

_UNDIVIDED: Table = (((WHITE_BALLS,), 1.0),)  # one stratum, and all five balls in it


# The law of the white balls


def elementary_symmetric(weights: Sequence[float] | NDArray[np.float64], order: int) -> NDArray[np.float64]:
    """e0 … e_order of the first i weights in row i, shape (weights + 1, order + 1); all of them last.

    Sums of positive numbers only, so nothing cancels; the weights' mean should be near one.
    """
    sums = np.zeros((len(weights) + 1, order + 1))
    sums[:, 0] = 1
    for k in range(1, order + 1):
        np.cumsum(weights * sums[:-1, k - 1], out=sums[1:, k])
    return sums


def normalize_mean(weights: Sequence[float]) -> list[float]:
    """The same weights around a mean of one, since their scale says nothing; equal ones are exactly 1."""
    largest = max(weights)
    parts = [weight / largest for weight in weights]  # first, for the sum of huge ones overflows
    mean = math.fsum(parts) / len(parts)
    return [part / mean for part in parts]


class WhiteBallDistribution:
    """The exact law of five different balls out of any number, given their weights and strata if any.

    `weights` holds one array a stratum, each around a mean of one; `symmetric` their e0 … e5; `offsets`
    what the log-likelihood of a composition adds to the sum of its balls' `log_weights`.
    """

    def __init__(
        self, weights: Sequence[float], cuts: tuple[int, ...] = (), table: Table = _UNDIVIDED
    ) -> None:
        self.cuts, self.table = cuts, table
        parts = [normalize_mean(weights[low:high]) for low, high in pairwise((0, *cuts, len(weights)))]
        self.weights = [np.array(part) for part in parts]
        self.log_weights = [math.log(weight) for part in parts for weight in part]
        self.symmetric = [elementary_symmetric(part, WHITE_BALLS)[-1].tolist() for part in self.weights]
        self.offsets = {counts: math.log(chance) - self._log_sets(counts) for counts, chance in table}

    def _log_sets(self, counts: Counts) -> float:
        return math.fsum(math.log(sums[count]) for sums, count in zip(self.symmetric, counts, strict=True))

    def log_likelihood(self, balls: Sequence[int]) -> float:
        """The log-probability, in nats, of a set of five balls, numbered from 1."""
        counts = [0] * len(self.weights)
        for ball in balls:
            counts[bisect_left(self.cuts, ball)] += 1
        return math.fsum(self.log_weights[ball - 1] for ball in balls) + self.offsets[tuple(counts)]

    def inclusion_probabilities(self) -> NDArray[np.float64]:
        """Each ball's exact chance to be among the five, one number a ball.

        In a stratum that gives c balls it is w_i * e_(c-1)(w without i) / e_c(w), and the chances of c come
        from the table.
        """
        chances = []
        for stratum, (weights, sums) in enumerate(zip(self.weights, self.symmetric, strict=True)):
            of_count = [0.0] * (WHITE_BALLS + 1)
            for counts, chance in self.table:
                of_count[counts[stratum]] += chance
            without = _leave_one_out_symmetric(weights)
            each = np.zeros(len(weights))
            for count in range(1, WHITE_BALLS + 1):
                if of_count[count]:  # the stratum may have fewer balls
                    each += without[count - 1] * (of_count[count] / sums[count])
            chances.append(weights * each)
        return np.concatenate(chances)


def _leave_one_out_symmetric(weights: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """e0 … e4 of all weights but one: entry k holds e_k without each of them in turn.

    Products of what stands before and after it: to divide the one out of the whole would cancel digits.
    """
    before = elementary_symmetric(weights, WHITE_BALLS - 1)[:-1]
    after = elementary_symmetric(weights[::-1], WHITE_BALLS - 1)[-2::-1]
    return [(before[:, : k + 1] * after[:, k::-1]).sum(axis=1) for k in range(WHITE_BALLS)]


# Components


@dataclass(frozen=True)
class Component:
    """One strategy's law: its share of the mixture, 69 white weights, 26 Powerball weights, and any strata.

    Weights are positive and finite, relative to one another; the largest is at most MAX_WEIGHT_RATIO times
    the smallest. A `dealt` component makes its tickets in decks, each ticket by the uniform law: its weights
    are equal and it has no strata. ValueError otherwise, so that a broken model can never become tickets.
    """

    strategy: str
    share: float
    white: tuple[float, ...]
    powerball: tuple[float, ...]
    strata: Strata | None = None
    dealt: bool = False

    def __post_init__(self) -> None:
        if not (math.isfinite(self.share) and 0 < self.share <= 1):
            raise ValueError(f"{self.strategy}: share {self.share} is not in (0, 1]")
        _check_weights(self.strategy, "white", self.white, WHITE_MAX)
        _check_weights(self.strategy, "Powerball", self.powerball, POWERBALL_MAX)
        if self.dealt and (self.strata or len(set(self.white)) > 1 or len(set(self.powerball)) > 1):
            raise ValueError(f"{self.strategy}: a deck is dealt with equal weights and no strata")

    @cached_property
    def white_law(self) -> WhiteBallDistribution:
        """The law of the white balls, computed once."""
        if self.strata is None:
            return WhiteBallDistribution(self.white)
        return WhiteBallDistribution(self.white, self.strata.cuts, self.strata.table)

    @cached_property
    def powerball_chances(self) -> tuple[float, ...]:
        """The chance of each Powerball, 1 to 26."""
        return tuple(weight / POWERBALL_MAX for weight in normalize_mean(self.powerball))

    def as_json(self) -> dict[str, Any]:
        """The stored form, which `from_json` reads back; strata and decks only where there are any."""
        stored: dict[str, Any] = {
            "strategy": self.strategy,
            "share": self.share,
            "white": list(self.white),
            "powerball": list(self.powerball),
        }
        if self.strata is not None:
            stored["strata"] = self.strata.as_json()
        if self.dealt:
            stored["dealt"] = True
        return stored

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "Component":
        """A component from its stored form; ValueError when it is not one."""
        try:
            dealt = stored.get("dealt", False)
            if not isinstance(dealt, bool):
                raise ValueError(f"not a stored component: dealt {dealt!r} is neither true nor false")
            return cls(
                strategy=str(stored["strategy"]),
                share=float(stored["share"]),
                white=tuple(float(weight) for weight in stored["white"]),
                powerball=tuple(float(weight) for weight in stored["powerball"]),
                strata=Strata.from_json(stored["strata"]) if "strata" in stored else None,
                dealt=dealt,
            )
        except (AttributeError, KeyError, TypeError, OverflowError) as error:
            raise ValueError(f"not a stored component: {error!r}") from error


def _check_weights(strategy: str, kind: str, weights: Sequence[float], count: int) -> None:
    if len(weights) != count:
        raise ValueError(f"{strategy}: {len(weights)} {kind} weights, not {count}")
    if not all(math.isfinite(weight) and weight > 0 for weight in weights):
        raise ValueError(f"{strategy}: every {kind} weight must be positive and finite")
    if max(weights) / min(weights) > MAX_WEIGHT_RATIO * (1 + 1e-9):
        raise ValueError(f"{strategy}: the {kind} weights differ by more than {MAX_WEIGHT_RATIO:g} times")


def components_from_json(stored: Sequence[dict[str, Any]]) -> list[Component]:
    """A stored mixture; ValueError unless it has a component and the shares sum to one."""
    components = [Component.from_json(one) for one in stored]
    if abs(sum(component.share for component in components) - 1) > 1e-9:
        raise ValueError("the shares of a prediction's components must sum to 1")
    return components


def uniform_component(strategy: str = "uniform") -> Component:
    """The law of a fair draw, the baseline of every report."""
    return Component(strategy, 1.0, (1.0,) * WHITE_MAX, (1.0,) * POWERBALL_MAX)


def shrink(weights: Sequence[float], strength: float) -> tuple[float, ...]:
    """Draw weights towards uniform: each becomes weight ** strength around a geometric mean of one.

    `strength` 0 gives uniform, 1 the weights themselves where none is further than sqrt(MAX_WEIGHT_RATIO)
    times from their geometric mean; those that are, are cut to it.
    """
    logs = [strength * math.log(weight) for weight in weights]
    middle, bound = math.fsum(logs) / len(logs), math.log(MAX_WEIGHT_RATIO) / 2
    return tuple(math.exp(max(-bound, min(bound, one - middle))) for one in logs)


# Likelihood


def white_log_likelihood(component: Component, white_balls: Sequence[int]) -> float:
    """The log-probability, in nats, of a set of five white balls (1 to 69)."""
    return component.white_law.log_likelihood(white_balls)


def powerball_log_likelihood(component: Component, powerball: int) -> float:
    """The log-probability, in nats, of a Powerball (1 to 26)."""
    return math.log(component.powerball_chances[powerball - 1])


def log_likelihood(component: Component, white_balls: Sequence[int], powerball: int) -> float:
    """The log-probability, in nats, of a whole draw."""
    return white_log_likelihood(component, white_balls) + powerball_log_likelihood(component, powerball)


@dataclass(frozen=True)
class LogLoss:
    """Minus the log-likelihood of one draw, in nats. In a mixture the parts need not add up to the joint."""

    joint: float
    white: float
    powerball: float


def log_loss(components: Sequence[Component], white_balls: Sequence[int], powerball: int) -> LogLoss:
    """The exact loss of a mixture on a draw: minus the log of the share-weighted sum of likelihoods."""
    shares = [math.log(component.share) for component in components]
    whites = [white_log_likelihood(component, white_balls) for component in components]
    powerballs = [powerball_log_likelihood(component, powerball) for component in components]
    joint = [share + white + red for share, white, red in zip(shares, whites, powerballs, strict=True)]
    return LogLoss(
        joint=-_log_sum_exp(joint),
        white=-_log_sum_exp([share + white for share, white in zip(shares, whites, strict=True)]),
        powerball=-_log_sum_exp([share + red for share, red in zip(shares, powerballs, strict=True)]),
    )


def _log_sum_exp(logs: Sequence[float]) -> float:
    top = max(logs)
    return top + math.log(math.fsum(math.exp(one - top) for one in logs))


# Inclusion


def inclusion_probabilities(component: Component) -> NDArray[np.float64]:
    """Each white ball's exact chance to be among the five, shape (69,): w_i * e4(w without i) / e5(w)."""
    return component.white_law.inclusion_probabilities()


class Inclusion(NamedTuple):
    """Each ball's chance to be drawn: white (69,), which sums to five, and Powerball (26,), to one."""

    white: NDArray[np.float64]
    powerball: NDArray[np.float64]


def mixture_inclusion(components: Sequence[Component]) -> Inclusion:
    """A mixture's chances: its components', weighted by their shares."""
    shares = np.array([component.share for component in components])
    return Inclusion(
        white=shares @ np.array([inclusion_probabilities(component) for component in components]),
        powerball=shares @ np.array([component.powerball_chances for component in components]),
    )
