"""Components of a ticket distribution and their exact likelihoods and inclusion probabilities.

A component has weights w of the 69 white balls and p of the 26 Powerballs. The probability of a white set S
is prod(w_i, i in S) / e5(w), where e5 is the fifth elementary symmetric polynomial; the Powerball is
independent. This is the conditional-Bernoulli distribution of five balls out of 69 (Chen, Dempster & Liu
1994, Biometrika 81:457). With strata, a table gives the probability of the counts per stratum, and the balls
within a stratum follow the same distribution.
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

UNIFORM_LOG_LOSS = math.log(CURRENT_ERA.ticket_count)  # 19.4930 nats per draw
MAX_WEIGHT_RATIO = 20.0

_SINGLE_STRATUM: Table = (((WHITE_BALLS,), 1.0),)


# White balls


def elementary_symmetric(weights: Sequence[float] | NDArray[np.float64], order: int) -> NDArray[np.float64]:
    """Return e0 … e_order of the first i weights in row i, shape (weights + 1, order + 1).

    All terms are positive, so no digits cancel. The mean of the weights should be near one.
    """
    sums = np.zeros((len(weights) + 1, order + 1))
    sums[:, 0] = 1
    for k in range(1, order + 1):
        np.cumsum(weights * sums[:-1, k - 1], out=sums[1:, k])
    return sums


def normalize_mean(weights: Sequence[float]) -> list[float]:
    """Scale weights to a mean of one. Equal weights become exactly 1."""
    largest = max(weights)
    ratios = [weight / largest for weight in weights]  # the sum of the weights themselves could overflow
    mean = math.fsum(ratios) / len(ratios)
    return [ratio / mean for ratio in ratios]


class WhiteBallDistribution:
    """The exact distribution of five different balls, given their weights and optional strata.

    `weights` has one array per stratum, each with a mean of one, and `symmetric` their e0 … e5. The
    log-likelihood of a set is the sum of its `log_weights` plus the offset of its composition in `offsets`.
    """

    def __init__(
        self, weights: Sequence[float], cuts: tuple[int, ...] = (), table: Table = _SINGLE_STRATUM
    ) -> None:
        self.cuts, self.table = cuts, table
        strata = [normalize_mean(weights[low:high]) for low, high in pairwise((0, *cuts, len(weights)))]
        self.weights = [np.array(stratum) for stratum in strata]
        self.log_weights = [math.log(weight) for stratum in strata for weight in stratum]
        self.symmetric = [elementary_symmetric(stratum, WHITE_BALLS)[-1].tolist() for stratum in self.weights]
        self.offsets = {
            counts: math.log(probability) - self._log_normalizer(counts) for counts, probability in table
        }

    def _log_normalizer(self, counts: Counts) -> float:
        return math.fsum(math.log(sums[count]) for sums, count in zip(self.symmetric, counts, strict=True))

    def log_likelihood(self, balls: Sequence[int]) -> float:
        """Return the log-probability, in nats, of a set of five balls, numbered from 1."""
        counts = [0] * len(self.weights)
        for ball in balls:
            counts[bisect_left(self.cuts, ball)] += 1
        return math.fsum(self.log_weights[ball - 1] for ball in balls) + self.offsets[tuple(counts)]

    def inclusion_probabilities(self) -> NDArray[np.float64]:
        """Return each ball's exact probability of being drawn, shape (balls,).

        In a stratum with c balls drawn it is w_i * e_(c-1)(w without i) / e_c(w), averaged over the table's
        distribution of c.
        """
        probabilities = []
        for stratum, (weights, sums) in enumerate(zip(self.weights, self.symmetric, strict=True)):
            count_probabilities = [0.0] * (WHITE_BALLS + 1)
            for counts, probability in self.table:
                count_probabilities[counts[stratum]] += probability
            leave_one_out = _leave_one_out_symmetric(weights)
            factors = np.zeros(len(weights))
            for count in range(1, WHITE_BALLS + 1):
                if count_probabilities[count]:  # zero if the stratum has fewer balls
                    factors += leave_one_out[count - 1] * (count_probabilities[count] / sums[count])
            probabilities.append(weights * factors)
        return np.concatenate(probabilities)


def _leave_one_out_symmetric(weights: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Return e0 … e4 with one weight left out: element i of entry k is e_k without w_i.

    Computed as products of prefix and suffix sums, because dividing a weight out of the total loses digits.
    """
    before = elementary_symmetric(weights, WHITE_BALLS - 1)[:-1]
    after = elementary_symmetric(weights[::-1], WHITE_BALLS - 1)[-2::-1]
    return [(before[:, : k + 1] * after[:, k::-1]).sum(axis=1) for k in range(WHITE_BALLS)]


# Components


@dataclass(frozen=True)
class Component:
    """One strategy's distribution: share of the mixture, 69 white and 26 Powerball weights, optional strata.

    Weights are relative, positive and finite; the largest is at most MAX_WEIGHT_RATIO times the smallest.
    The tickets of a `dealt` component come in decks and each is uniformly distributed, so its weights are
    equal and it has no strata. Anything else raises ValueError.
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
    def white_distribution(self) -> WhiteBallDistribution:
        if self.strata is None:
            return WhiteBallDistribution(self.white)
        return WhiteBallDistribution(self.white, self.strata.cuts, self.strata.table)

    @cached_property
    def powerball_probabilities(self) -> tuple[float, ...]:
        return tuple(weight / POWERBALL_MAX for weight in normalize_mean(self.powerball))

    def as_json(self) -> dict[str, Any]:
        """Return the stored form. `strata` and `dealt` are present only if set."""
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
        """Return a component from its stored form. Raise ValueError if the form is invalid."""
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
    """Return a mixture from its stored form. Raise ValueError unless the shares sum to 1."""
    components = [Component.from_json(component) for component in stored]
    if abs(sum(component.share for component in components) - 1) > 1e-9:
        raise ValueError("the shares of a prediction's components must sum to 1")
    return components


def uniform_component(strategy: str = "uniform") -> Component:
    """Return the uniform distribution, the baseline of every comparison."""
    return Component(strategy, 1.0, (1.0,) * WHITE_MAX, (1.0,) * POWERBALL_MAX)


def shrink(weights: Sequence[float], strength: float) -> tuple[float, ...]:
    """Shrink weights towards uniform: weight ** strength, scaled to a geometric mean of one.

    A strength of 0 gives uniform and 1 keeps the ratios. Weights more than sqrt(MAX_WEIGHT_RATIO) times above
    or below the geometric mean are clipped.
    """
    logs = [strength * math.log(weight) for weight in weights]
    mean, bound = math.fsum(logs) / len(logs), math.log(MAX_WEIGHT_RATIO) / 2
    return tuple(math.exp(max(-bound, min(bound, log - mean))) for log in logs)


# Likelihood


def white_log_likelihood(component: Component, white_balls: Sequence[int]) -> float:
    """Return the log-probability, in nats, of a set of five white balls (1 to 69)."""
    return component.white_distribution.log_likelihood(white_balls)


def powerball_log_likelihood(component: Component, powerball: int) -> float:
    """Return the log-probability, in nats, of a Powerball (1 to 26)."""
    return math.log(component.powerball_probabilities[powerball - 1])


def log_likelihood(component: Component, white_balls: Sequence[int], powerball: int) -> float:
    """Return the log-probability, in nats, of a draw."""
    return white_log_likelihood(component, white_balls) + powerball_log_likelihood(component, powerball)


@dataclass(frozen=True)
class LogLoss:
    """The log-loss of one draw, in nats. In a mixture `white` and `powerball` need not sum to `joint`."""

    joint: float
    white: float
    powerball: float


def log_loss(components: Sequence[Component], white_balls: Sequence[int], powerball: int) -> LogLoss:
    """Return the exact log-loss of a mixture on a draw: -ln of the share-weighted mean likelihood."""
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
    largest = max(logs)
    return largest + math.log(math.fsum(math.exp(log - largest) for log in logs))


# Inclusion


def inclusion_probabilities(component: Component) -> NDArray[np.float64]:
    """Return each white ball's exact probability of being drawn, shape (69,).

    Without strata it is w_i * e4(w without i) / e5(w).
    """
    return component.white_distribution.inclusion_probabilities()


class Inclusion(NamedTuple):
    """Probabilities of being drawn: white (69,), which sum to 5, and Powerball (26,), which sum to 1."""

    white: NDArray[np.float64]
    powerball: NDArray[np.float64]


def mixture_inclusion(components: Sequence[Component]) -> Inclusion:
    """Return the inclusion probabilities of a mixture, weighted by the components' shares."""
    shares = np.array([component.share for component in components])
    return Inclusion(
        white=shares @ np.array([inclusion_probabilities(component) for component in components]),
        powerball=shares @ np.array([component.powerball_probabilities for component in components]),
    )
